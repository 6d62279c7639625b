"""A transport for questions: a test answers each, and sees what was asked."""

import inspect
from collections.abc import Callable, Mapping

import orjson

from sens_async.core.responses import Response

NOTHING = Response(404)
"""How the live service says that a list is empty."""


def said(body: object, status: int = 200) -> Response:
    return Response(status, orjson.dumps(body))


def row(number: str = "01000000001", at: str = "2025-11-25 09:39:40", **fields: object) -> dict:
    """A row of a list, delivered unless told otherwise."""
    return {
        "requestId": "RSLA-1764031180535-0001-00000001-aBcDeFgH",
        "messageId": f"00000000-0000-4000-8000-0{number}",
        "requestTime": at,
        "contentType": "COMM",
        "type": "SMS",
        "content": "안녕하세요",
        "countryCode": "82",
        "from": "0200000000",
        "to": number,
        "status": "COMPLETED",
        "statusCode": "0",
        "statusName": "success",
        "statusMessage": "성공",
        "completeTime": "2025-11-25 09:39:48",
        "telcoCode": "SKT",
        **fields,
    }


def page(*rows: dict, **envelope: object) -> Response:
    """A page of a list; the last one unless told otherwise."""
    body = {"statusCode": "202", "statusName": "success", "hasMore": False, **envelope}
    return said({**body, "messages": list(rows)})


class Asked:
    """Answers questions.

    Args:
        answer: Given a request, its answer: a `Response`, an awaitable of one, or an exception
            raised. A list is answered from, one after the other.

    Attributes:
        requests: What was asked, in order.
    """

    def __init__(self, answer: Callable | list) -> None:
        self.requests: list = []
        if isinstance(answer, list):
            answers = iter(answer)
            self._answer = lambda _: next(answers)
        else:
            self._answer = answer

    @property
    def targets(self) -> list[str]:
        return [request.target.partition("/services/")[2] for request in self.requests]

    async def exchange(self, request, headers: Mapping[str, str], handover) -> Response:
        handover.begun = True
        self.requests.append(request)
        response = self._answer(request)
        if inspect.isawaitable(response):
            response = await response
        if isinstance(response, BaseException):
            raise response
        return response

    async def aclose(self) -> None:
        raise AssertionError("a given transport is not closed by the session")
