"""A campaign: what it is, and what can be done with it."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from sens_async.calls import check_timeout
from sens_async.campaign.cancelling import cancel
from sens_async.campaign.errors import CampaignConflict
from sens_async.campaign.leases import Leases
from sens_async.campaign.letter import Letter
from sens_async.campaign.purging import purge
from sens_async.campaign.reporting import CampaignOutcome, report
from sens_async.campaign.running import Order, Runner
from sens_async.campaign.states import Guarantee, GuaranteeName
from sens_async.campaign.status import CampaignStatus, read_ends, read_status
from sens_async.campaign.tracking import Tracker
from sens_async.errors import ConfigError
from sens_async.models import OutcomeState
from sens_async.resolving import check_settle
from sens_async.session import SensSession

if TYPE_CHECKING:
    from sens_async.campaign.ledger import Ledger

__all__ = ["Campaign", "Watch", "checked_guarantee"]

Watch = Callable[[CampaignStatus], None]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Campaign:
    """A durable run of one message to one list, as its ledger holds it.

    Made by `Ledger.plan`, `Ledger.campaign` and `Ledger.list`; usable while that is open.

    Attributes:
        name: Unique in the ledger.
        recipients: How many were taken from the list.
        planned_at: When it was planned (KST).
        letter: What it says.
        purged_at: When numbers, texts and keys were removed (KST), or None.
    """

    name: str
    recipients: int
    planned_at: datetime
    purged_at: datetime | None
    _id: int = attrs.field(alias="id")
    letter: Letter
    _ledger: "Ledger" = attrs.field(alias="ledger")

    @property
    def service_id(self) -> str:
        """Of the SMS service it is sent through."""
        return self.letter.service_id

    @property
    def guarantee(self) -> Guarantee:
        """What is done about messages that may have been accepted."""
        return self.letter.guarantee

    @property
    def content(self) -> str | None:
        """The template of the text, or None if every recipient brought one."""
        return self.letter.content

    @property
    def subject(self) -> str | None:
        """The template of the subject, or None."""
        return self.letter.subject

    @property
    def content_type(self) -> str:
        """`COMM` or `AD`."""
        return self.letter.content_type

    @property
    def sender(self) -> str:
        """Digits."""
        return self.letter.sender

    @property
    def reserve_at(self) -> datetime | None:
        """When it goes out, or None for as soon as it is run."""
        reservation = self.letter.reservation
        return None if reservation is None else reservation.at

    @property
    def pictures(self) -> int:
        """How many go with it."""
        return len(self.letter.pictures)

    async def run(
        self,
        session: SensSession,
        *,
        guarantee: Guarantee | GuaranteeName | None = None,
        settle: float = 600.0,
        wait: bool = True,
        watch: Watch | None = None,
    ) -> CampaignStatus:
        """Send what is not sent yet, and settle what is unknown; call it again to go on.

        Before the first byte of a request its intent is on the disk, with its signature time,
        and the request is signed with that. Whatever stops this process leaves batches that were
        provably not sent, which are sent by the next run, and batches that may have been, which
        are looked up.

        Args:
            session: Sends and asks; of the service the campaign was planned for. Its rate limit,
                requests in flight and retries hold.
            guarantee: Instead of the one it was planned with, for this call; None for that. With a
                stronger one than before, what was left alone is taken up again. Other campaigns'
                runs, which settle this one's unknown batches too, go by the one it was planned
                with.
            settle: Seconds after the signature, or after the reserved time, until a message that
                SENS does not list counts as not accepted; see `SensSession.resolve`. Less than the
                default may send twice under `effectively_once`.
            wait: Whether to wait until everything unknown is settled, up to `settle` seconds after
                the last of it; else SENS is asked once.
            watch: Called with the same status object after each change of it.

        Returns:
            How it stands. `is_finished` says whether everybody has a final outcome; `stopped_by`
            why not all were sent to, if the run ended early.

        Raises:
            CampaignConflict: The session is of another service.
            LedgerBusy: Another process owns the ledger's file.
            LedgerError: The ledger failed: nothing more was sent, what was on the wire has ended.
            InvalidMessage: A picture cannot be sent any more, or an argument is wrong.

        Cancellation: the first finishes what is on the wire, a second leaves it unknown; either is
        raised when the ledger is in order.
        """
        with self._ledger.at_work(session):
            return await (await self._runner(session, guarantee, settle, wait, watch)).run()

    async def reconcile(
        self,
        session: SensSession,
        *,
        guarantee: Guarantee | GuaranteeName | None = None,
        settle: float = 600.0,
        wait: bool = True,
        watch: Watch | None = None,
    ) -> CampaignStatus:
        """Settle what is unknown by asking SENS, and send nothing.

        Unknown batches of the ledger's other campaigns of the service are settled with it.

        Args:
            session: See `run`.
            guarantee: See `run`; what is absent is planned again under `effectively_once`.
            settle: See `run`.
            wait: See `run`.
            watch: See `run`.

        Returns:
            How it stands. `settles_at` says when to ask again, `reasons` why somebody is unknown.

        Raises:
            SensError: See `run`.
        """
        with self._ledger.at_work(session):
            return await (await self._runner(session, guarantee, settle, wait, watch)).reconcile()

    async def track(
        self,
        session: SensSession,
        *,
        rate: float = 5.0,
        timeout: float | None = None,  # noqa: ASYNC109 - being over time is no failure
        watch: Watch | None = None,
    ) -> CampaignStatus:
        """Learn from SENS how the deliveries of accepted messages ended, and keep it.

        Args:
            session: Asks.
            rate: Questions a second at most; one question is about one request.
            timeout: Seconds after which it ends, whoever is pending. None for as long as
                something is to be hoped for: a day after a request went out.
            watch: See `run`.

        Returns:
            How it stands; `ends` and `codes` count what is known.

        Raises:
            CampaignConflict: The session is of another service.
            ConfigError: `rate` is no number above 0.
            SensError: The ledger failed, or asking again would not help.

        Cancellation: what was learnt is kept.
        """
        check_timeout(timeout)
        if not 0 < rate < float("inf"):
            raise ConfigError(f"rate must be questions a second above 0, got {rate!r}")
        self._check_service(session)
        began, status = session.clock.monotonic(), await self.status()

        def changed() -> None:
            status.elapsed = session.clock.monotonic() - began
            if watch is not None:
                watch(status)

        tracker = Tracker(
            self._ledger.storage,
            session,
            self._id,
            self.letter,
            rate=rate,
            status=status,
            changed=changed,
        )
        with self._ledger.at_work(session):
            await tracker.run(timeout)
        changed()
        return status

    async def cancel(self) -> CampaignStatus:
        """Leave out whoever is not sent to yet: they are `SKIPPED`, and their keys free again.

        There is no way back; the name stays taken. What may have been sent is not touched: it is
        settled by `reconcile`.

        Returns:
            How it stands.

        Raises:
            CampaignConflict: Somebody runs it.
            LedgerBusy: Another process owns the ledger's file.
            LedgerError: The ledger failed; nobody was left out.
        """
        ledger = self._ledger
        leases = Leases(ledger.storage, ledger.living, ledger.clock.time)
        await cancel(ledger.storage, leases, self._id, self.name)
        return await self.status()

    async def status(self) -> CampaignStatus:
        """Count how it stands; works while another process runs it.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        reservation = self.letter.reservation
        status = await read_status(self._ledger.storage, self.name, self._id, reservation)
        await read_ends(self._ledger.storage, self._id, status)
        return status

    def report(
        self, states: Collection[OutcomeState] = tuple(OutcomeState)
    ) -> AsyncIterator[CampaignOutcome]:
        """Give everybody's outcome as it is now, in input order and bounded memory.

        Args:
            states: Of which outcomes; others are not read.

        Raises:
            ConfigError: One of `states` is no outcome.
            LedgerError: While iterating: the ledger cannot be read, or somebody is missing in it.
        """
        try:
            wanted = frozenset(map(OutcomeState, states))
        except ValueError:
            allowed = ", ".join(OutcomeState)
            raise ConfigError(f"states are some of {allowed}, got {states!r}") from None
        return report(self._ledger.storage, self._id, self.recipients, wanted)

    async def purge(self) -> None:
        """Remove numbers, texts, keys and pictures; outcomes, counts and request ids stay.

        Keys stay known, hashed, to `skip_known_keys`.

        Raises:
            CampaignConflict: Somebody is not sent to yet, or is unknown and may be settled.
            LedgerError: The ledger failed.
        """
        await purge(self._ledger.storage, self._id, self.name, self._ledger.clock.time())

    async def _runner(
        self,
        session: SensSession,
        guarantee: Guarantee | GuaranteeName | None,
        settle: float,
        wait: bool,
        watch: Watch | None,
    ) -> Runner:
        self._check_service(session)
        check_settle(settle)
        order = Order(
            name=self.name,
            campaign_id=self._id,
            letter=self.letter,
            images=await self._images(),
            guarantee=self.guarantee if guarantee is None else checked_guarantee(guarantee),
            settle=settle,
            waits=wait,
        )
        return Runner(self._ledger.storage, self._ledger.living, session, order, watch)

    def _check_service(self, session: SensSession) -> None:
        if session.service_id != self.service_id:
            raise CampaignConflict(
                f"campaign {self.name!r} was planned for service {self.service_id}, "
                f"the session is of {session.service_id}"
            )

    async def _images(self) -> Sequence[bytes]:
        return await self._ledger.images_of(self._id)

    def __repr__(self) -> str:
        return f"<Campaign {self.name!r}: {self.recipients:,} recipients, {self.guarantee}>"


def checked_guarantee(word: str) -> Guarantee:
    """Give a guarantee by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    try:
        return Guarantee(word)
    except ValueError:
        allowed = ", ".join(repr(str(one)) for one in Guarantee)
        raise ConfigError(f"guarantee must be one of {allowed}, got {word!r}") from None
