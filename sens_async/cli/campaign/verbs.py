"""`sens campaign run`, `reconcile` and `track`: the commands that talk to SENS for a campaign."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, cast

import typer

from sens_async.cli.campaign.options import (
    DEFAULT_LEDGER,
    DEFAULT_SETTLE,
    GUARANTEES,
    AsJson,
    GuaranteeName,
    LedgerUrl,
    Name,
    NoWait,
    Settle,
    warn_of_settle,
)
from sens_async.cli.order_options import InFlight, Rate
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.campaign import Campaign, CampaignStatus, Guarantee, Ledger
    from sens_async.cli.campaign.following import Following
    from sens_async.cli.campaign.views import View
    from sens_async.session import SensSession

    Watch = Callable[[CampaignStatus], None]
    Call = Callable[[Campaign, SensSession, Watch], Coroutine[None, None, CampaignStatus]]

__all__ = ["reconcile", "run", "track"]


def run(
    name: Name,
    *,
    guarantee: Annotated[
        GuaranteeName | None,
        typer.Option(metavar="WHICH", help=f"For this run, in place of the planned. {GUARANTEES}"),
    ] = None,
    settle: Settle = DEFAULT_SETTLE,
    no_wait: NoWait = False,
    in_flight: InFlight = 32,
    rate: Rate = None,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Send a campaign, or go on after Ctrl-C, a crash, a power cut. 발송·재개.

    Nobody who was sent to is sent to again, but as --guarantee says.
    Ctrl-C finishes what is on the wire. A second one does not wait for it:
    whoever is on the wire is then unknown until SENS was asked.
    Exits with 0 if everybody has a final outcome, 3 while somebody is unsent or
    unknown, 1 if it was stopped, 130 after Ctrl-C.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.views import sending  # noqa: PLC0415

    warn_of_settle(settle)
    _carry_out(
        name,
        lambda campaign, session, watch: campaign.run(
            session,
            guarantee=cast("Guarantee | None", guarantee and guarantee.value),
            settle=settle,
            wait=not no_wait,
            watch=watch,
        ),
        view=sending,
        url=ledger,
        as_json=json,
        guarantee=guarantee and guarantee.value,
        rate=rate,
        max_in_flight=in_flight,
        waits=not no_wait,
    )


def reconcile(
    name: Name,
    *,
    settle: Settle = DEFAULT_SETTLE,
    no_wait: NoWait = False,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Ask SENS for the unknown of a campaign; nothing is sent. 미확인 조회.

    Exits with 0 if everybody has a final outcome, 3 while somebody is unsent or
    unknown, 1 if it was stopped, 130 after Ctrl-C.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.views import asking  # noqa: PLC0415

    warn_of_settle(settle)
    _carry_out(
        name,
        lambda campaign, session, watch: campaign.reconcile(
            session, settle=settle, wait=not no_wait, watch=watch
        ),
        view=asking,
        url=ledger,
        as_json=json,
        waits=not no_wait,
    )


def track(
    name: Name,
    *,
    rate: Annotated[float, typer.Option(min=0.01, help="Questions a second, at most.")] = 5.0,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How long; else as long as it takes."),
    ] = None,
    json: AsJson = False,
    ledger: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """Learn who got the messages of a campaign, and keep it. 도착 결과 수집.

    Exits with 0 if everybody has a final outcome and every accepted message its
    result, 3 while one has not, 1 if it was stopped, 130 after Ctrl-C.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.campaign.views import following  # noqa: PLC0415

    _carry_out(
        name,
        lambda campaign, session, watch: campaign.track(
            session, rate=rate, timeout=timeout, watch=watch
        ),
        view=following,
        url=ledger,
        as_json=json,
        needs_results=True,
    )


def _carry_out(
    name: str,
    call: "Call",
    *,
    view: "Callable[[CampaignStatus, str, bool], View]",
    url: str,
    as_json: bool,
    guarantee: str | None = None,
    rate: float | None = None,
    max_in_flight: int = 32,
    waits: bool = True,
    needs_results: bool = False,
) -> None:
    """Do something with a campaign that asks SENS, and end the command.

    Args:
        name: The campaign's.
        call: What.
        view: What is watched of it.
        url: Of the ledger.
        as_json: Whether a machine reads the end.
        guarantee: In place of the planned, or None.
        rate: Requests a second; None for the default, 0 for no limit.
        max_in_flight: Requests on the wire at a time.
        waits: Whether the unknown are asked for until they are settled.
        needs_results: Whether it is not over before every accepted message has its result.
    """
    from sens_async.cli.campaign.following import UNFINISHED, Following  # noqa: PLC0415
    from sens_async.cli.campaign.ledgers import in_ledger  # noqa: PLC0415
    from sens_async.cli.campaign.words import print_heading  # noqa: PLC0415
    from sens_async.cli.console import make_console  # noqa: PLC0415
    from sens_async.cli.sessions import make_session  # noqa: PLC0415

    console = make_console(to_stderr=as_json)

    async def act(ledger: "Ledger") -> Following:
        campaign = await ledger.campaign(name)
        begun = await campaign.status()
        async with make_session(rate=rate, max_in_flight=max_in_flight) as session:
            if not as_json:
                print_heading(console, campaign, guarantee=guarantee)
            watched = view(begun, guarantee or campaign.guarantee, waits)
            following = Following(campaign, begun, console, watched)
            await following.follow(lambda watch: call(campaign, session, watch))
            return following

    following = in_ledger(url, act, as_json=as_json)
    code, status = following.exit_code, following.status
    if not code and needs_results and status.ends.total() < status.counts[OutcomeState.ACCEPTED]:
        code = UNFINISHED
    _tell(following, url=url, as_json=as_json, exit_code=code)
    raise typer.Exit(code)


def _tell(following: "Following", *, url: str, as_json: bool, exit_code: int) -> None:
    from sens_async.cli.campaign.steps import print_next  # noqa: PLC0415
    from sens_async.cli.campaign.words import (  # noqa: PLC0415
        print_status,
        say,
        status_document,
        took,
    )
    from sens_async.cli.console import make_console  # noqa: PLC0415
    from sens_async.cli.documents import print_document  # noqa: PLC0415

    status = following.status
    if as_json:
        document = status_document(
            status,
            exit_code=exit_code,
            causes=following.causes,
            elapsed=following.elapsed,
            stopped_by=following.stopped_by,
        )
        print_document(document)
        return
    console = make_console()
    how_long = took(following.sent, following.sending, following.elapsed)
    print_status(
        console,
        status,
        causes=following.causes,
        facts=[how_long],
        stopped_by=following.stopped_by,
    )
    if following.is_interrupted:
        console.print()
        say(
            console,
            "[rejected]interrupted 중단됨[/]: the ledger knows who was sent to, and running it "
            "again goes on from there 이어서 발송할 수 있습니다",
        )
    print_next(console, following.campaign, status, url=url, stopped_by=following.stopped_by)
