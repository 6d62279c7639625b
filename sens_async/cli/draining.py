"""Reading a list of the service to its end, or as far as it goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar, cast

import attrs

from sens_async.cli.interrupts import INTERRUPTED
from sens_async.errors import InvalidMessage, InvalidQuery, SensError

__all__ = ["Ending", "drain"]

T = TypeVar("T")


@attrs.define
class Ending:
    """How reading ended; rows that came before an early end are good.

    Attributes:
        rows: How many were taken.
        error: What ended it early, or None.
        is_cut: Whether there is more than was wanted.
        is_refused: Whether the taker took no more.
        is_interrupted: Whether Ctrl-C ended it.
    """

    rows: int = 0
    error: SensError | None = None
    is_cut: bool = False
    is_refused: bool = False
    is_interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0 only where all that was wanted has come."""
        if self.is_interrupted:
            return INTERRUPTED
        return int(self.error is not None or self.is_refused)


async def drain(
    rows: AsyncIterator[T], take: Callable[[T], bool | None], *, limit: int | None = None
) -> Ending:
    """Hand rows on as they come, until the end, the limit, an error or Ctrl-C.

    Args:
        rows: Is closed.
        take: Called with each; what gives False takes no more.
        limit: No more than this many; None for all.

    Raises:
        InvalidMessage: Or InvalidQuery: this cannot be asked.
    """
    ending = Ending()
    generator = cast("AsyncGenerator[T, None]", rows)
    try:
        async with aclosing(generator):
            async for row in generator:
                if ending.rows == limit:
                    ending.is_cut = True
                    break
                if take(row) is False:
                    ending.is_refused = True
                    break
                ending.rows += 1
    except (InvalidMessage, InvalidQuery):
        raise
    except SensError as error:
        ending.error = error
    except asyncio.CancelledError:
        ending.is_interrupted = True
    return ending
