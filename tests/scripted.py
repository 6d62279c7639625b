"""A session over a transport that a test scripts: no network, and a log of who was accepted."""

import asyncio
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping

import orjson
import pytest
from session_helpers import OPEN

from sens_async import ConnectFailed, Credentials, SensSession
from sens_async.core.responses import Response

KEYS = Credentials("access-key-0001", "secret-key-0001")

needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="asyncio.eager_task_factory came with Python 3.12"
)


def accepted(request_id: str = "RSLA-1") -> Response:
    return Response(202, orjson.dumps({"requestId": request_id, "statusName": "success"}))


def refused(status: int, code: str | None = None, **headers: str) -> Response:
    """A refusal by the gateway if there is a code, else one by SENS."""
    body = {"error": {"errorCode": code, "message": "no"}} if code else {"errorMessage": "no"}
    return Response(status, orjson.dumps(body), **headers)


class Scripted:
    """A transport that answers what it is told.

    Args:
        answer: Given the numbers of a request, its answer: a `Response`, an awaitable of one, or
            an exception raised. None to accept all.
        seconds: How long each exchange takes; None for one that does not even suspend.
        marks: Whether it says that a request was handed over.

    Attributes:
        requests: The numbers of each request, in order.
        bodies: What was sent.
        at: When each request began, on the loop's clock.
        admissions: Accepted messages by number, as an emulator has them.
        in_flight: Requests that are not answered yet.
        most_in_flight: The most that there were.
    """

    def __init__(
        self, answer: Callable | None = None, *, seconds: float | None = 0.0, marks: bool = True
    ) -> None:
        self.requests: list[list[str]] = []
        self.bodies: list[dict] = []
        self.at: list[float] = []
        self.admissions: defaultdict[str, list[dict]] = defaultdict(list)
        self.in_flight = self.most_in_flight = 0
        self._answer = answer or (lambda _: accepted(f"RSLA-{len(self.requests)}"))
        self._seconds = seconds
        self._marks = marks

    async def exchange(self, request, headers: Mapping[str, str], handover) -> Response:
        if handover.is_withdrawn:
            raise ConnectFailed("withdrawn")
        handover.begun = self._marks
        body = orjson.loads(request.body)
        numbers = [message["to"] for message in body.get("messages", ())]
        self.requests.append(numbers)
        self.bodies.append(body)
        self.at.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self._seconds is not None:
                await asyncio.sleep(self._seconds)
            response = self._answer(numbers)
            if inspect.isawaitable(response):
                response = await response
        finally:
            self.in_flight -= 1
        if response.status == 202:
            for number, message in zip(numbers, body["messages"], strict=True):
                self.admissions[number].append(message)
        return response

    async def aclose(self) -> None:
        raise AssertionError("a given transport is not closed by the session")


def session_over(transport, *, settings=OPEN, **parts) -> SensSession:
    """A session over a transport of one's own."""
    return SensSession(
        KEYS,
        service_id="ncp:sms:kr:000000000001:demo",
        sender="0212345678",
        settings=settings,
        transport=transport,
        **parts,
    )
