"""Contract samples: each exchange through the client, and its shape against the emulator's."""

import inspect
import json
from collections.abc import AsyncIterable
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from asked import Asked
from scripted import session_over

from sens_async import Credentials, SensError, Settings
from sens_async.config import RetryPolicy
from sens_async.core.requests import Request
from sens_async.core.responses import Response
from sens_async.core.schedule import from_epoch
from sens_async.emulator import Emulator, EmulatorOptions
from sens_async.transport import Handover

SAMPLES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "samples").glob("*.json"))
}
TIMES = {"since", "until", "completed_since", "completed_until", "reserve_at"}
ONCE = Settings(rate_limit=None, retry=RetryPolicy(max_attempts=1))
samples = pytest.mark.parametrize("name", SAMPLES)


async def call(sens, verb, arguments):
    """What a verb gives: a value, a list of values, or the error it raised."""
    method = sens
    for part in verb.split("."):
        method = getattr(method, part)
    arguments = {
        name: datetime.fromisoformat(value) if name in TIMES else value
        for name, value in arguments.items()
    }
    try:
        given = method(**arguments)
        if inspect.isawaitable(given):
            return await given
        assert isinstance(given, AsyncIterable)
        return [entry async for entry in given]
    except SensError as error:
        return error


def facts(value, wanted):
    """Those attributes of a value that a sample speaks of, as JSON has them."""
    found = {}
    for name in wanted:
        if name == "error":
            found[name] = type(value).__name__
        elif name == "says":
            found[name] = wanted[name] if wanted[name] in str(value) else str(value)
        else:
            fact = getattr(value, name)
            found[name] = fact.isoformat() if isinstance(fact, datetime) else fact
            found[name] = list(fact) if isinstance(fact, tuple) else found[name]
    return found


def response_of(sample):
    body = sample["response"].get("body")
    return Response(sample["response"]["status"], b"" if body is None else orjson.dumps(body))


@samples
async def test_a_sample_is_asked_and_read_as_it_stands(name, clock):
    sample = SAMPLES[name]
    answers = {sample["request"]["method"]: response_of(sample)}
    if name == "error-cancel-refused":
        answers["GET"] = response_of(SAMPLES["reservation-done"])
    transport = Asked(lambda request: answers[request.method])
    async with session_over(transport, settings=ONCE, clock=clock) as sens:
        given = await call(sens, **sample["call"])
    asked, wanted = transport.requests[0], sample["request"]
    assert (asked.method, asked.target) == (wanted["method"], wanted["target"])
    if "body" in wanted:
        assert orjson.loads(asked.body) == wanted["body"]
    else:
        assert asked.body == b""
    gives = sample["gives"]
    if isinstance(gives, list):
        assert isinstance(given, list), given
        assert [facts(*pair) for pair in zip(given, gives, strict=True)] == gives
    elif gives is None:
        assert given is None
    else:
        assert facts(given, gives) == gives


SENT, RESERVED = (SAMPLES[name]["gives"]["request_id"] for name in ("send", "send-reserved"))
MESSAGE = SAMPLES["message"]["call"]["arguments"]["message_id"]
OF_EMULATOR = {
    "send": {},
    "upload": {},
    "list-by-request": {},
    "list-by-window": {},
    "list-2021": {"list_fields": "2021"},
    "list-empty": {"visibility_delay": 3600},
    "message": {},
    "message-unknown": {"visibility_delay": 3600},
    "reservation-ready": {},
    "cancel": {},
    "unsubscribes": {},
    "unsubscribes-add": {},
    "unsubscribes-remove": {},
    "error-sens-send": {"unregistered_sender": "refuse", "senders": ["0299999999"]},
    "error-sens-gov": {"error_shape": "error"},
    "error-gateway-200": {},
}
"""Samples whose response the emulator gives to their request, with its options."""


def shape(body):
    """The names of a JSON body and what kind of value stands under each; of a list, its first."""
    if isinstance(body, dict):
        return {name: shape(value) for name, value in body.items()}
    if isinstance(body, list):
        return [shape(entry) for entry in body[:1]]
    return type(body).__name__


async def real_ids(sens, clock, name):
    """Do what the sample speaks of, and give the emulator's ids in place of the made-up ones."""
    file = await sens.upload(SAMPLES["upload"]["call"]["arguments"]["image"])
    images = [file] if name == "message" else []
    sent = await sens.send("01000000001", "기본 본문", subject="안내", images=images)
    later = from_epoch(clock.time()) + timedelta(hours=9)
    reserved = await sens.send("01000000001", "기본 본문", reserve_at=later)
    await sens.unsubscribes.add(["01000000003"])
    await clock.sleep(5)
    found = [delivery.message_id async for delivery in sens.deliveries(sent)]
    return {SENT: sent.request_id, RESERVED: reserved.request_id, MESSAGE: (found or [MESSAGE])[0]}


@pytest.mark.parametrize("name", OF_EMULATOR)
async def test_the_emulator_answers_a_sample_as_it_stands(name, clock):
    sample = SAMPLES[name]
    demo, other = "ncp:sms:kr:000000000001:demo", "ncp:sms:kr:000000000002:other"
    emulator = Emulator(
        service_id=other if name == "error-sens-gov" else demo,
        sender="0212345678",
        clock=clock,
        options=EmulatorOptions(**{"completion_delay": 1, **OF_EMULATOR[name]}),
    )
    keys = Credentials(emulator.access_key, emulator.secret_key)
    if name == "error-gateway-200":
        keys = Credentials(emulator.access_key, "another-secret-key")
    async with emulator, emulator.session(credentials=keys) as sens:
        known = {} if name.startswith("error") else await real_ids(sens, clock, name)
        request = sample["request"]
        target = request["target"]
        for made_up, real in known.items():
            target = target.replace(made_up, real)
        body = orjson.dumps(request["body"]) if "body" in request else b""
        done = await sens._dispatcher.gateway.exchange(
            Request(request["method"], target, body), Handover()
        )
    response = sample["response"]
    assert done.response.status == response["status"]
    if "body" not in response:
        assert done.response.body == b""
        return
    given, wanted = orjson.loads(done.response.body), response["body"]
    if name == "list-2021":  # its envelope is older than the emulator's
        given, wanted = given["messages"], wanted["messages"]
    assert shape(given) == shape(wanted)
