"""One pass over a campaign: everything that is planned is claimed and sent once."""

from collections.abc import Callable, Sequence

from sens_async.campaign.claimed import Claim
from sens_async.campaign.claims import Claims
from sens_async.campaign.errors import LedgerError
from sens_async.campaign.group_commit import GroupCommit
from sens_async.campaign.journal import Journal
from sens_async.campaign.leases import Leases
from sens_async.campaign.letter import Letter
from sens_async.campaign.states import BatchState, outcome_of
from sens_async.campaign.status import CampaignStatus
from sens_async.campaign.storage import Storage, to_its_end
from sens_async.errors import RunStopped
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch
from sens_async.session import SensSession
from sens_async.stream import finish

__all__ = ["Pass"]


class Pass:
    """One pass over the planned batches of a campaign.

    Args:
        storage: The ledger's.
        leases: Its claims.
        session: Sends.
        owner: The run's name in claims.
        campaign_id: Of which campaign.
        letter: What it says.
        images: Its pictures.
        given_up: Ids of batches that were tried in vain; added to.
        status: Kept up to date.
        changed: Called after each change of it.
    """

    def __init__(
        self,
        storage: Storage,
        leases: Leases,
        session: SensSession,
        *,
        owner: str,
        campaign_id: int,
        letter: Letter,
        images: Sequence[bytes],
        given_up: set[int],
        status: CampaignStatus,
        changed: Callable[[], None],
    ) -> None:
        self._status = status
        self._changed = changed
        self._given_up = given_up
        self._session = session
        claims: dict[int, Claim] = {}
        self._commits = GroupCommit(storage, self._stop)
        self._journal = Journal(
            storage,
            self._commits,
            leases,
            claims,
            campaign_id=campaign_id,
            service_id=letter.service_id,
            owner=owner,
            settled=self._settled,
        )
        self._claims = Claims(
            leases,
            owner,
            campaign_id,
            letter,
            clock=session.clock,
            given_up=frozenset(given_up),
            claims=claims,
        )
        self._run = session.outbox.durable_run(
            letter.message(session.settings.rules),
            images,
            self._claims,
            self._journal.settle,
            self._journal,
        )

    async def run(self) -> int:
        """Send what is planned.

        Returns:
            How many batches were claimed.

        Raises:
            LedgerError: The ledger failed; what was on the wire has ended.
            Exception: A bug, or an attachment that cannot be sent.

        Cancellation: the first ends the pass in good order, a second abandons what is on the
        wire. Either is raised when everything is written.
        """
        outbox = self._session.outbox
        try:
            await finish(self._run, await outbox.start(self._run, None))
        finally:
            await to_its_end(self._end())
        self._status.stopped_by = self._run.stopped_by
        if self._commits.failure is not None:
            raise self._commits.failure
        if self._run.failure is not None:
            raise self._run.failure
        if isinstance(self._run.stopped_by, LedgerError):
            raise self._run.stopped_by
        return self._claims.claimed

    async def _end(self) -> None:
        await self._commits.flush()
        await self._claims.aclose()

    def _stop(self, failure: LedgerError) -> None:
        self._run.stop(failure, keep_taking=False)

    def _settled(self, outcomes: OutcomeBatch, claim: Claim, *, was_doubtful: bool) -> None:
        status, size = self._status, len(outcomes)
        status.counts[outcome_of(BatchState.PLANNED, is_doubtful=was_doubtful)] -= size
        status.counts[outcome_of(claim.state, is_doubtful=claim.is_doubtful)] += size
        status.in_flight = self._journal.in_flight
        if claim.state is BatchState.ACCEPTED and outcomes.type is not None:
            status.counts_by_type[outcomes.type] += size
        if outcomes.state is OutcomeState.NOT_SENT and not isinstance(outcomes.error, RunStopped):
            self._given_up.add(claim.id)
        self._changed()
