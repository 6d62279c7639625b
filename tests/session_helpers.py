"""What the tests of a session's verbs share: recipients, pictures, and the two invariants."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Self

import orjson
from PIL import Image

from sens_async import BulkReport, OutcomeState, Settings
from sens_async.core.responses import Response
from sens_async.emulator import Emulator, LoggedRequest

OPEN = Settings(rate_limit=None)
"""As fast as it goes."""

SETTLED = {OutcomeState.REJECTED, OutcomeState.SKIPPED, OutcomeState.NOT_SENT}
"""States that promise that nothing was accepted."""


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"010{i:08d}" for i in range(start, start + count)]


def jpeg(note: str = "", colour: str = "white") -> bytes:
    """A small JPEG that needs no conversion; notes of equal length make files of equal size."""
    file = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(file, "JPEG")
    data, comment = file.getvalue(), note.encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + data[2:]


def of_endpoint(emulator: Emulator, endpoint: str) -> list[LoggedRequest]:
    return [request for request in emulator.requests if request.endpoint == endpoint]


def sent(emulator: Emulator) -> list[dict[str, object]]:
    """The bodies of all requests to send, in order; the emulator has to keep bodies."""
    return [orjson.loads(request.body) for request in of_endpoint(emulator, "messages")]


class Taken:
    """A source, sync or async, that knows what was taken from it and how it ended.

    Attributes:
        taken: Every item handed out.
        interrupted: What was raised into the generator while it ran, by class.
    """

    def __init__(self, items: Iterable[object]) -> None:
        self.taken: list[object] = []
        self.interrupted: list[type[BaseException]] = []
        self._items = items

    def __iter__(self) -> Iterator[object]:
        for item in self._items:
            self.taken.append(item)
            yield item

    async def slowly(self, seconds: float = 0.0, every: int = 1) -> AsyncIterator[object]:
        """Give the items, with a wait after each `every` of them."""
        for count, item in enumerate(self._items, 1):
            self.taken.append(item)
            yield item
            if count % every == 0:
                try:
                    await asyncio.sleep(seconds)
                except BaseException as error:
                    self.interrupted.append(type(error))
                    raise


def check(report: BulkReport, emulator: Emulator, taken: Iterable[object]) -> None:
    """Everyone who was taken has exactly one outcome; it agrees with the admission log."""
    taken = list(taken)
    outcomes = report.outcomes
    assert [outcome.index for outcome in outcomes] == list(range(len(taken)))
    assert [outcome.recipient for outcome in outcomes] == taken
    assert report.counts == Counter(outcome.state for outcome in outcomes)
    admitted = {number: len(messages) for number, messages in emulator.admissions.items()}
    assert max(admitted.values(), default=0) <= 1, "somebody was accepted twice"
    accepted = {o.number for o in outcomes if o.state is OutcomeState.ACCEPTED}
    unknown = {o.number for o in outcomes if o.state is OutcomeState.UNKNOWN}
    assert accepted <= admitted.keys(), "accepted, and not in the log"
    assert admitted.keys() <= accepted | unknown, "in the log, and called not accepted"


class StepCounter:
    """Counts a loop's turns, and does something at one of them.

    Attributes:
        turns: How many there were since the start.
    """

    def __init__(self, actions: dict[int, Callable[[], object]]) -> None:
        self.turns = 0
        self._actions = actions
        self._loop = asyncio.get_running_loop()
        self._turn = self._loop._run_once

    def __enter__(self) -> Self:
        self._loop._run_once = self._count
        return self

    def __exit__(self, *_: object) -> None:
        del self._loop._run_once

    def _count(self) -> None:
        action = self._actions.get(self.turns)
        self.turns += 1
        if action is not None:
            action()
        self._turn()


class Yes:
    """A transport of one's own, without a network: it accepts every message.

    Attributes:
        requests: How many it was asked for.
        is_closed: Whether somebody closed it.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.is_closed = False

    async def exchange(self, request, headers, handover) -> Response:
        handover.begun = True
        await asyncio.sleep(0)
        self.requests += 1
        body = b'{"requestId":"RSLA-%d","statusCode":"202","statusName":"success"}' % self.requests
        return Response(202, body, None, None, None)

    async def aclose(self) -> None:
        self.is_closed = True
