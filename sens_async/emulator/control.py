"""The control interface, `/_emulator/`: unsigned JSON, for tests in any language.

    GET    /_emulator/             what is emulated
    GET    /_emulator/admissions   number -> [{request_id, message_id, type, text, at}]
    GET    /_emulator/requests     how many came, were accepted, met a fault
    POST   /_emulator/faults       {"kind": "drop", ...} as `Fault`, or {"script": "1%: drop"};
                                   answers {"faults": [...]}
    DELETE /_emulator/faults       calls all faults off
    POST   /_emulator/reset        forgets everything, and the clock is right again
    GET    /_emulator/inbox        messages that went out, the newest first, as `InboxMessage`;
                                   ?to= &containing= &since=(epoch seconds) &limit=(100)
    GET    /_emulator/inbox/wait   the newest one that matches, as soon as there is one;
                                   &timeout=(10 seconds), after which it is 408
    POST   /_emulator/seed         {"send": {...}, "ago": 3600}: accepts the body of a send as if
                                   it had come then; answers {"request_id"}
    GET    /_emulator/clock        {"time": epoch seconds, "iso", "offset": of the real clock}
    POST   /_emulator/clock        {"advance": seconds} or {"set": ISO 8601 or epoch seconds}
    GET    /_emulator/results      number -> code its messages end with
    POST   /_emulator/results      {"01000000001": "3001", ...} adds some
    DELETE /_emulator/results      forgets them
    GET    /_emulator/reservations [{reserve_id, status, reserve_at, zone, recipients}]
    POST   /_emulator/reservations/ID    {"status": "STALE"}: how it will end (DONE, FAIL, STALE,
                                   SKIP), or CANCELED at once
    GET    /_emulator/unsubscribes [{number, at, type}]
    POST   /_emulator/unsubscribes {"numbers": [...], "type": "C" or "M"} adds some
    DELETE /_emulator/unsubscribes {"numbers": [...]} takes some off

What cannot be read is 400 with {"error": ...}, and changes nothing.

A web page in the user's browser can reach loopback too. So the Host header has to name it (else a
page could come in under a name of its own, by DNS rebinding), and what changes anything is
refused to pages of another origin.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import cast

import orjson
from aiohttp import web

from sens_async.emulator.app import Site
from sens_async.emulator.faults import OPEN_END, Fault, FaultOptions, make_fault
from sens_async.emulator.script import parse_script
from sens_async.emulator.staging import Staging

__all__ = ["make_control"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
READING = frozenset({"GET", "HEAD"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_control(site: Site, *, service_id: str) -> web.Application:
    """The control interface of one emulator, as an application to mount."""
    control = web.Application(middlewares=[only_local])

    async def about(_request: web.Request) -> web.Response:
        return _json({"name": "SENS emulator", "service_id": service_id})

    async def admissions(_request: web.Request) -> web.Response:
        keys = ("request_id", "message_id", "type", "text", "at")
        return _json(
            {
                number: [{key: getattr(admission, key) for key in keys} for admission in accepted]
                for number, accepted in site.gateway.state.admissions.items()
            }
        )

    async def requests(_request: web.Request) -> web.Response:
        log = site.requests
        return _json(
            {
                "total": len(log),
                "accepted": sum(entry.accepted for entry in log),
                "recipients": sum(entry.recipients for entry in log),
                "endpoints": Counter(entry.endpoint for entry in log),
                "statuses": Counter(str(entry.status) for entry in log if entry.status),
                "unanswered": sum(entry.status is None for entry in log),
                "faults": Counter(entry.fault for entry in log if entry.fault),
            }
        )

    async def add_faults(request: web.Request) -> web.Response:
        try:
            faults = _read_faults(orjson.loads(await request.read()))
        except (ValueError, TypeError) as error:  # JSONDecodeError is a ValueError
            return _json({"error": str(error)}, status=400)
        for fault in faults:
            site.faults.add(fault)
        return _json({"faults": [_describe(fault) for fault in faults]})

    async def clear_faults(_request: web.Request) -> web.Response:
        site.faults.clear()
        return web.Response(status=204)

    async def reset(_request: web.Request) -> web.Response:
        site.reset()
        return web.Response(status=204)

    control.router.add_get("/", about)
    control.router.add_get("/admissions", admissions)
    control.router.add_get("/requests", requests)
    control.router.add_post("/faults", add_faults)
    control.router.add_delete("/faults", clear_faults)
    control.router.add_post("/reset", reset)
    Staging(site.gateway.state, site.clock).add_to(control)
    return control


@web.middleware
async def only_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a web page of another origin may have sent."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _is_loopback(hosts[0]):
        return _json({"error": "the Host header has to name loopback"}, status=403)
    origin = request.headers.get("Origin")
    same = f"{request.scheme}://{hosts[0]}"
    if request.method not in READING and origin is not None and origin.lower() != same.lower():
        return _json({"error": "requests from another origin may not change anything"}, status=403)
    try:
        return await handler(request)
    except web.RequestPayloadError:
        return _json({"error": "the body cannot be read"}, status=400)


def _is_loopback(host: str) -> bool:
    name, _, port = host.rpartition(":")
    if not name or not (port.isascii() and port.isdigit()):
        name = host
    return name.lower() in LOOPBACK


def _read_faults(payload: object) -> list[Fault]:
    if not isinstance(payload, dict):
        raise TypeError("the body has to be a JSON object")
    if "script" in payload:
        return parse_script(str(payload["script"]))
    if "kind" not in payload:
        raise TypeError("kind or script is required")
    unknown = payload.keys() - FaultOptions.__annotations__.keys() - {"kind"}
    if unknown:
        raise TypeError(f"{sorted(unknown)} are no options of a fault")
    options = cast("FaultOptions", {k: v for k, v in payload.items() if k != "kind"})
    return [make_fault(payload["kind"], **options)]


def _describe(fault: Fault) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "endpoint": fault.endpoint,
        "requests": _numbers(fault.requests),
        "probability": fault.probability,
        "times": fault.times,
        "accept": fault.accept,
        "status": fault.status,
        "retry_after": fault.retry_after,
        "delay": fault.delay,
    }


def _numbers(requests: range | frozenset[int] | None) -> str | list[int] | None:
    """Request numbers as they are written in a script, where they can be."""
    if requests is None:
        return None
    if not isinstance(requests, range):
        return sorted(requests)
    first, last = requests.start, requests.stop - 1
    if first == last:
        return str(first)
    return f"{first}-" if requests.stop == OPEN_END else f"{first}-{last}"


def _json(value: object, *, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(status=status, body=body, content_type="application/json")
