"""From a request as it was received to its answer: who is asking, what for, and the rules.

The order is that of the service: the API gateway first (size, path, signature, rate), SENS behind
it (service id, body, rules). Nothing here waits, so a request is accepted as a whole or not at
all.
"""

import logging
from collections.abc import Mapping

import attrs
import orjson

from sens_async.emulator import service, signature
from sens_async.emulator.answers import Answer, Refused, gateway_error
from sens_async.emulator.routes import find_route
from sens_async.emulator.state import State

__all__ = ["Gateway", "Received", "endpoint_of"]

logger = logging.getLogger("sens_async.emulator")
"""Tells why a signature is refused, as the answer does."""


@attrs.frozen
class Received:
    """A request whose body is read.

    Attributes:
        method: In upper case.
        target: The request target as on the wire.
        headers: Case-insensitive.
        body: Its bytes, or None if there were more than the gateway takes.
        payload: What the JSON says, or None if it is none.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    payload: object = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        try:
            payload = orjson.loads(self.body or b"")
        except orjson.JSONDecodeError:
            payload = None
        object.__setattr__(self, "payload", payload)

    @property
    def recipients(self) -> int:
        """How many items `messages` has, whatever they are worth."""
        items = self.payload.get("messages") if isinstance(self.payload, dict) else None
        return len(items) if isinstance(items, list) else 0


def endpoint_of(method: str, target: str) -> str | None:
    """The name of the endpoint that a request is for, or None."""
    route = find_route(method, target)
    return None if route is None else route.endpoint


class Gateway:
    """One service with its keys, behind its gateway.

    Attributes:
        state: What it remembers.
    """

    def __init__(self, *, access_key: str, secret_key: str, service_id: str, state: State) -> None:
        self.state = state
        self._access_key = access_key
        self._secret_key = secret_key
        self._service_id = service_id

    def process(
        self,
        received: Received,
        *,
        now: float,
        monotonic: float,
        given_now: float | None = None,
    ) -> Answer:
        """Check a request and do what it asks for.

        `now` is the gateway's clock, in seconds since the epoch, `monotonic` that of the rate
        limit, `given_now` another clock that timestamps may also be near (see
        `EmulatorOptions.signature_clock`), or None. Where the endpoint changes anything, the
        answer is below 300 exactly if it just did.
        """
        try:
            return self._process(received, now, monotonic, given_now)
        except Refused as refusal:
            return refusal.answer(self.state.options.error_shape)

    def success(self, endpoint: str, now: float) -> object:
        """What an accepted request is answered with, for one that was not accepted.

        The parsed JSON; None for an empty body.
        """
        return service.imagined(self.state, endpoint, now)

    def _process(
        self, received: Received, now: float, monotonic: float, given_now: float | None
    ) -> Answer:
        options = self.state.options
        if received.body is None:
            raise Refused("", status=413, code="430")
        route = find_route(received.method, received.target)
        if route is None:
            raise Refused("", status=404, code="300")
        wrong = signature.check(
            received.headers,
            received.method,
            received.target,
            access_key=self._access_key,
            secret_key=self._secret_key,
            now=now,
            other_now=given_now if options.signature_clock == "either" else None,
            window=options.signature_window,
        )
        if wrong is not None:
            logger.warning("%s %s: %s", received.method, received.target, wrong)
            return gateway_error("200", f"Invalid authentication information. ({wrong})")
        self.state.enter(monotonic)
        if route.service != self._service_id:
            reason = "no access to this serviceId"
            raise Refused(reason, status=int(options.foreign_service))
        if route.endpoint in service.WITH_BODY:
            _refuse_unreadable(received)
        return service.answer(self.state, route, received.payload, now)


def _refuse_unreadable(received: Received) -> None:
    """Refuse what is not JSON; the gateway itself refuses what is not even UTF-8."""
    if received.payload is not None:
        return
    try:
        (received.body or b"").decode()
    except UnicodeDecodeError:
        raise Refused("the body is not UTF-8", code="100") from None
    raise Refused("the body is not JSON")
