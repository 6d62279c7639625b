"""A request while it is followed: how long, and what became of its messages so far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from sens_async.cli.console import seconds
from sens_async.cli.deliveries import Fates
from sens_async.cli.reservation_words import lines_of
from sens_async.deliveries import Delivery
from sens_async.models import Reservation

__all__ = ["watching"]


@contextmanager
def watching(
    console: Console, seen: Mapping[str, Delivery], reservations: Mapping[str, Reservation]
) -> Iterator[None]:
    """Show what is known while it grows; nothing at all off a terminal.

    Args:
        console: Where.
        seen: The messages as they were last seen.
        reservations: What waits for its time.
    """
    if not console.is_terminal:
        yield
        return
    began, spinner = monotonic(), Spinner("dots", style="brand")

    def view() -> RenderableType:
        time = f"following 결과 확인 중  {seconds(monotonic() - began)}  "
        spinner.update(text=Text.assemble(time, ("Ctrl-C ends it 종료", "soft")))
        if seen:
            return Group(spinner, Text("  ").append_text(Fates(list(seen.values())).line()))
        lines = [Text("not listed yet 아직 조회되지 않음", "soft")]
        for reservation in list(reservations.values()):
            lines = lines_of(reservation)
        return Group(spinner, *(Text("  ").append_text(line) for line in lines))

    with Live(console=console, get_renderable=view, refresh_per_second=8, transient=True):
        yield
