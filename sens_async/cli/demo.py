"""`sens demo`: the whole library at work in a few seconds, on this machine alone."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sens_async.cli.console import count, make_console, mask, rate, seconds, size
from sens_async.models import OutcomeState

if TYPE_CHECKING:
    from sens_async.cli.rehearsal import Rehearsal
    from sens_async.emulator import Admission

__all__ = ["demo"]

_PREVIEW_COLUMNS = 24
_SAMPLE_CHARACTERS = 90


def demo(
    recipients: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How many people.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed, the same people.")] = 1,
    faults: Annotated[
        str, typer.Option(help="How likely each kind of fault meets a request.")
    ] = "1%",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Watch a campaign go to a SENS on this machine, faults included. 모의 발송.

    Nobody gets a message.
    Exits with 1 if anybody got one twice, or the report was wrong about anybody.
    """
    # The library is heavy; help must not wait for it.
    from sens_async.cli.documents import print_document  # noqa: PLC0415
    from sens_async.cli.progress import Display, counts_line  # noqa: PLC0415
    from sens_async.cli.rehearsal import rehearse  # noqa: PLC0415
    from sens_async.cli.tally import Tally  # noqa: PLC0415

    probability = _share(faults)
    try:
        from sens_async.cli.poster import draw_coupon  # noqa: PLC0415
    except ModuleNotFoundError as error:
        hint = "the demo draws its picture with Pillow: pip install 'sens-async[cli,images]'"
        raise typer.BadParameter(hint) from error
    console = make_console(to_stderr=json)
    if not json:
        console.print(
            f"\n[brand]sens demo[/]  {count(recipients)} customers of a shop that does not exist, "
            f"{faults} faults of every kind  [soft]모의 발송[/]"
        )
    tally = Tally()
    display = Display(
        console, recipients, what="sending 발송", below=lambda: [counts_line(tally.counts)]
    )
    with display:
        result = asyncio.run(
            rehearse(
                recipients,
                seed=seed,
                faults=probability,
                picture=draw_coupon(),
                tally=tally,
                tell=lambda: display.update(tally.total),
            )
        )
    if json:
        print_document(_document(result))
    else:
        _show(console, result)
    raise typer.Exit(int(not result.verdict.is_good))


def _share(text: str) -> float:
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 0.05:
        raise typer.BadParameter(f"--faults is 0% to 5% for each kind, not {text!r}")
    return number


def _show(console: Console, result: "Rehearsal") -> None:
    # The library is heavy; help must not wait for it.
    from sens_async.cli.poster import preview  # noqa: PLC0415
    from sens_async.cli.summary import states_table  # noqa: PLC0415

    samples = _samples(result)
    if console.is_terminal and console.color_system:
        side_by_side = Table.grid(padding=(0, 2))
        side_by_side.add_column(width=_PREVIEW_COLUMNS)
        side_by_side.add_column()
        side_by_side.add_row(preview(result.picture, _PREVIEW_COLUMNS), samples)
        console.print(Padding(side_by_side, (1, 0, 0, 1)))
    else:
        console.print(Padding(samples, (1, 0, 0, 2)))
    console.print(states_table(result.tally.counts, result.tally.causes, is_brief=True))
    kinds = ", ".join(f"{kind} {count(number)}" for kind, number in result.faults.most_common())
    console.print(
        f"  {count(result.tally.total)} recipients in {seconds(result.elapsed)}: "
        f"[figure]{rate(result.tally.total, result.elapsed)}[/]  "
        f"[soft]{count(result.requests)} signed requests 요청[/]"
    )
    if kinds:
        total = count(result.faults.total())
        console.print(Padding(f"{total} of them met a fault 장애: [soft]{kinds}[/]", (0, 0, 0, 2)))
    console.print("\n  What SENS really accepted [soft]에뮬레이터 접수 기록과 대조[/]")
    good, bad = "vx" if console.options.ascii_only else "✓✗"
    for is_good, line in _findings(result):
        mark = good if is_good else bad
        console.print(f"  [{'accepted' if is_good else 'bad'}]{mark}[/] {line}")
    console.print()


def _samples(result: "Rehearsal") -> Text:
    kinds = ("SMS", "LMS", "MMS")
    parts = [_sample(result.samples[kind], result) for kind in kinds if kind in result.samples]
    return Text("\n\n").join(parts)


def _sample(admission: "Admission", result: "Rehearsal") -> Text:
    text = " ".join(admission.text.split())
    picture = f" + coupon.jpg {size(len(result.picture))}" if admission.type == "MMS" else ""
    return Text.assemble(
        (f"{admission.type} ", "brand"),
        (f"{mask(admission.number)}{picture}\n", "soft"),
        text[:_SAMPLE_CHARACTERS] + ("…" if len(text) > _SAMPLE_CHARACTERS else ""),
    )


def _findings(result: "Rehearsal") -> list[tuple[bool, str]]:
    verdict, counts = result.verdict, result.tally.counts
    accepted, unknown = counts[OutcomeState.ACCEPTED], counts[OutcomeState.UNKNOWN]
    settled = counts[OutcomeState.REJECTED] + counts[OutcomeState.NOT_SENT]
    all_in = f"all {count(accepted)} are in its log"
    some_out = f"{count(verdict.missing)} of {count(accepted)} are not in its log"
    once = (
        f"[figure]nobody twice 중복 발송 없음[/]: {count(verdict.admitted)} messages to "
        f"{count(verdict.people)} people"
    )
    more = f"[bad]{count(verdict.twice)} people got it twice 중복 발송[/]"
    strays = count(verdict.unexpected) if verdict.unexpected else "none"
    lines = [
        (not verdict.missing, f"accepted 접수: {some_out if verdict.missing else all_in}"),
        (
            not verdict.unexpected,
            f"refused, not sent 거절·미발송: {strays} of {count(settled)} in it",
        ),
    ]
    if unknown:
        in_fact = f"{count(verdict.unknown_admitted)} of {count(unknown)} were in fact accepted"
        lines.append((True, f"unknown 확인 필요: {in_fact} [soft](so none was sent again)[/]"))
    return [*lines, (not verdict.twice, more if verdict.twice else once)]


def _document(result: "Rehearsal") -> dict[str, object]:
    from sens_async.cli.summary import summary_document  # noqa: PLC0415

    verdict = result.verdict
    return {
        **summary_document(
            result.tally,
            elapsed=result.elapsed,
            stopped_by=result.report.stopped_by,
            files=(),
            exit_code=int(not verdict.is_good),
        ),
        "recipients_per_second": round(result.tally.total / result.elapsed, 1),
        "requests": result.requests,
        "faults": dict(result.faults),
        "mms_request_id": result.coupon.request_id,
        "admissions": {
            "messages": verdict.admitted,
            "people": verdict.people,
            "twice": verdict.twice,
            "accepted_missing": verdict.missing,
            "refused_or_not_sent_admitted": verdict.unexpected,
            "unknown_admitted": verdict.unknown_admitted,
        },
    }
