"""The session: where it goes, whose it is, how it closes, and what it never tells."""

import asyncio
import copy
import logging
import os
import pickle
import socket
import warnings
from contextlib import suppress

import attrs
import pytest
from session_helpers import OPEN, Taken, Yes, check, jpeg, numbers, of_endpoint

from sens_async import (
    BulkReport,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    Credentials,
    MessageType,
    OutcomeState,
    RateLimit,
    Recipient,
    RequestTimeout,
    RetryPolicy,
    SensError,
    SensSession,
    SessionClosed,
    Settings,
    measure,
)
from sens_async.attachment_store import MemoryStore
from sens_async.emulator import Emulator
from sens_async.flow.limiter import GcraLimiter

ACCEPTED, REJECTED, SKIPPED, NOT_SENT, UNKNOWN = OutcomeState

VARIABLES = ("ACCESS_KEY", "SECRET_KEY", "SERVICE_ID", "SENDER", "BASE_URL")
KEYS = Credentials("access-key-0001", "secret-key-0001")
SERVICE = "ncp:sms:kr:000000000001:demo"


@pytest.fixture
async def emulator(clock):
    async with Emulator(clock=clock) as emulator:
        yield emulator


@pytest.fixture
def environ(monkeypatch):
    """Sets the environment to the given variables and no others of ours."""

    def set_to(**variables):
        for name in VARIABLES:
            monkeypatch.delenv(f"SENS_{name}", raising=False)
            monkeypatch.delenv(f"NCLOUD_{name}", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    set_to()
    return set_to


@pytest.fixture
def connections(monkeypatch):
    """Every address that something in this process connects to."""
    addresses, connect = [], socket.socket.connect

    def note(self, address):
        addresses.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    return addresses


def our_tasks():
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("sens-async")]


def offline(**arguments) -> SensSession:
    arguments = {"sender": "0212345678", "settings": OPEN, "transport": Yes(), **arguments}
    return SensSession(KEYS, service_id=SERVICE, **arguments)


# -- environment


def test_all_that_is_missing_is_named_at_once(environ):
    with pytest.raises(ConfigError) as caught:
        SensSession.from_env()

    for name in ("SENS_ACCESS_KEY", "SENS_SECRET_KEY", "SENS_SERVICE_ID"):
        assert name in str(caught.value)


def test_only_what_is_missing_is_named(environ):
    environ(SENS_ACCESS_KEY="a", NCLOUD_SECRET_KEY="s", SENS_SERVICE_ID="")

    with pytest.raises(ConfigError, match="SENS_SERVICE_ID") as caught:
        SensSession.from_env()

    assert "KEY" not in str(caught.value)


def test_arguments_stand_in_for_variables(environ):
    environ(NCLOUD_ACCESS_KEY="a", NCLOUD_SECRET_KEY="s", SENS_SENDER="02-1234-5678")

    session = SensSession.from_env(service_id=SERVICE)
    other = SensSession.from_env(service_id=SERVICE, sender="0287654321")

    assert (session.service_id, session.sender) == (SERVICE, "0212345678")
    assert other.sender == "0287654321"


async def test_environment_s_keys_and_url_are_used_and_no_other_host(environ, connections):
    async with Emulator() as emulator:
        environ(
            SENS_ACCESS_KEY=emulator.access_key,
            SENS_SECRET_KEY=emulator.secret_key,
            SENS_SERVICE_ID=emulator.service_id,
            SENS_SENDER=emulator.sender,
            SENS_BASE_URL=emulator.url,
            NCLOUD_ACCESS_KEY="not this one",
            HTTP_PROXY="http://127.0.0.1:9",
        )
        async with SensSession.from_env(settings=Settings(rate_limit=None)) as sens:
            await sens.send("01012345678", "안녕하세요", images=[jpeg()])

        host, _, port = emulator.url.removeprefix("http://").partition(":")
        assert connections
        assert {address[:2] for address in connections} == {(host, int(port))}
        assert len(emulator.admissions) == 1


async def test_an_explicit_base_url_wins_over_the_environment_s(environ, connections):
    async with Emulator() as emulator:
        environ(
            SENS_ACCESS_KEY=emulator.access_key,
            SENS_SECRET_KEY=emulator.secret_key,
            SENS_SERVICE_ID=emulator.service_id,
            SENS_BASE_URL="http://127.0.0.1:9",
        )
        settings = Settings(base_url=emulator.url)
        async with SensSession.from_env(settings=settings, sender=emulator.sender) as sens:
            await sens.send("01012345678", "안녕하세요")

        assert f"http://127.0.0.1:{connections[0][1]}" == emulator.url
        assert len(set(connections)) == 1


async def test_without_a_base_url_it_is_the_public_host(environ, monkeypatch):
    environ(SENS_ACCESS_KEY="a", SENS_SECRET_KEY="s", SENS_SERVICE_ID=SERVICE)
    asked = []

    async def no_network(host, port, **_):
        asked.append((host, port))
        raise OSError("no network in tests")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_network)
    settings = Settings(retry=RetryPolicy(max_attempts=1))
    async with SensSession.from_env(settings=settings, sender="0212345678") as sens:
        with pytest.raises(ConnectFailed, match=r"https://sens\.apigw\.ntruss\.com"):
            await sens.send("01012345678", "안녕하세요")

    assert set(asked) == {("sens.apigw.ntruss.com", 443)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"service_id": ""}, "service_id is empty"),
        ({"service_id": "a/b"}, "service_id holds '/'"),
        ({"sender": "12"}, "12|sender"),
        ({"settings": {"max_in_flight": 4}}, "settings must be Settings, got dict"),
        ({"credentials": ("a", "b")}, "credentials must be Credentials, got tuple"),
    ],
)
def test_a_wrong_argument_is_named_when_the_session_is_built(arguments, says):
    arguments = {"credentials": KEYS, "service_id": SERVICE, **arguments}

    with pytest.raises(ConfigError, match=says):
        SensSession(arguments.pop("credentials"), **arguments)


# -- place


def test_a_session_is_built_without_a_loop_and_opens_on_first_use():
    session = offline()
    assert "idle" in repr(session)

    async def use():
        async with session:
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return await session.send("01012345678", "안녕하세요")

    assert asyncio.run(use()).request_id == "RSLA-1"
    assert "closed" in repr(session)


def test_a_session_that_was_never_used_may_be_closed_or_forgotten():
    session = offline(transport=None)

    asyncio.run(session.aclose())

    with pytest.raises(SessionClosed):
        asyncio.run(session.send("01012345678", "안녕하세요"))
    offline(transport=None)


def test_use_from_another_loop_is_a_clear_error():
    session = offline()
    asyncio.run(session.send("01012345678", "안녕하세요"))

    for use in (session.send, session.send_many):
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            asyncio.run(use("01012345678" if use == session.send else [], "안녕하세요"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("was_used", [False, True])
def test_use_after_a_fork_is_a_clear_error(was_used):
    session = offline()
    if was_used:
        asyncio.run(session.send("01012345678", "안녕하세요"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(session.send("01012345678", "안녕하세요"))
        except RuntimeError as error:
            code = 0 if "made in another process" in str(error) else 2
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


async def test_use_after_closing_is_a_clear_error(emulator):
    session = emulator.session(settings=OPEN)
    await session.aclose()

    for use in (
        lambda: session.send("01012345678", "안녕"),
        lambda: session.send_many([], "안녕"),
        lambda: session.upload(jpeg()),
        session.__aenter__,
    ):
        with pytest.raises(SessionClosed, match="closed"):
            await use()
    with pytest.raises(SessionClosed, match="closed"):
        session.send_stream([], "안녕")
    assert not emulator.requests


# -- tasks


async def test_an_idle_session_has_no_tasks(emulator):
    async with emulator.session(settings=Settings(rate_limit=RateLimit(requests=5))) as sens:
        assert not our_tasks()
        await asyncio.gather(*(sens.send(to, "안녕", images=[jpeg()]) for to in numbers(20)))
        await sens.send_many(Taken(numbers(300)).slowly(), "안녕")
        async with sens.send_stream(numbers(300), "안녕") as stream:
            await anext(stream)
        await asyncio.sleep(0)

        assert not our_tasks()
        assert sens.queue.in_flight == sens.queue.waiting == 0


async def test_no_task_is_left_at_the_moment_a_busy_session_is_closed(emulator):
    emulator.fail("late", delay=5.0)
    session = emulator.session(settings=Settings(rate_limit=RateLimit(requests=5)))
    busy = [
        asyncio.create_task(session.send_many(numbers(5000), "안녕")),
        asyncio.create_task(session.send_many(Taken(numbers(500)).slowly(1.0), "또 안녕")),
        *(asyncio.create_task(session.send(to, "셋")) for to in numbers(50)),
        asyncio.create_task(session.upload(jpeg())),
    ]
    await asyncio.sleep(3)

    await session.aclose()

    assert not our_tasks()
    results = await asyncio.gather(*busy, return_exceptions=True)
    assert all(isinstance(result, SensError | BulkReport) or result for result in results)


async def test_a_source_that_thinks_for_ever_does_not_hold_up_closing(emulator, clock):
    async def thinks():
        yield "01012345678"
        await asyncio.Event().wait()
        yield "never"

    session = emulator.session(settings=OPEN)
    sending = asyncio.create_task(session.send_many(thinks(), "안녕"))
    await asyncio.sleep(3)

    await session.aclose()

    report = await sending
    assert report.counts == {ACCEPTED: 1}
    assert not our_tasks()


# -- closing


async def test_closing_finishes_what_is_on_the_wire_and_nothing_that_waits(emulator, clock):
    emulator.fail("late", delay=10.0)
    session = emulator.session(settings=Settings(rate_limit=None, max_in_flight=4))
    items = Taken(numbers(2000))
    running = asyncio.create_task(session.send_many(items, "안녕"))
    sends = [asyncio.create_task(session.send(f"0199{i:07d}", "안녕")) for i in range(20)]
    await asyncio.sleep(3)
    began = clock.monotonic()

    await session.aclose()

    assert clock.monotonic() - began == pytest.approx(7, abs=0.5)
    assert running.done()
    report = running.result()
    results = await asyncio.gather(*sends, return_exceptions=True)
    errors = [result for result in results if isinstance(result, SessionClosed)]
    assert report.counts[ACCEPTED] + report.counts[NOT_SENT] == 2000
    assert report.counts[ACCEPTED] // 100 + len(sends) - len(errors) == 12  # 4 and a reserve of 8
    assert isinstance(report.stopped_by, SessionClosed)
    assert emulator.admissions.total == report.counts[ACCEPTED] + len(sends) - len(errors)
    for error in errors:
        assert error.outcome.state is NOT_SENT
        assert error.is_retryable


async def test_closing_withdraws_what_waits_for_the_rate_limit(emulator, clock):
    limit = Settings(rate_limit=RateLimit(requests=1, per=100.0))
    session = emulator.session(settings=limit)
    await session.send("01011111111", "안녕")
    sending = asyncio.create_task(session.send("01012345678", "안녕"))
    running = asyncio.create_task(session.send_many(numbers(500), "안녕"))
    await asyncio.sleep(3)
    began = clock.monotonic()

    await session.aclose()

    assert clock.monotonic() == began
    with pytest.raises(SessionClosed) as caught:
        await sending
    assert caught.value.outcome.state is NOT_SENT
    assert (await running).counts == {NOT_SENT: 500}
    assert list(emulator.admissions) == ["01011111111"]


async def test_closing_withdraws_what_waits_for_an_upload(emulator, clock):
    emulator.fail("late", endpoint="files", delay=10.0)
    session = emulator.session(settings=OPEN)
    sending = asyncio.create_task(session.send("01012345678", "안녕", images=[jpeg()]))
    await asyncio.sleep(3)
    began = clock.monotonic()

    await session.aclose()

    assert clock.monotonic() == began
    with pytest.raises(SessionClosed) as caught:
        await sending
    assert caught.value.outcome.state is NOT_SENT
    assert not of_endpoint(emulator, "messages")


async def test_closing_has_a_time_limit_on_demand(emulator, clock):
    emulator.fail("hang", accept=True)
    session = emulator.session(settings=Settings(rate_limit=None, max_in_flight=4))
    running = asyncio.create_task(session.send_many(numbers(2000), "안녕"))
    sending = asyncio.create_task(session.send("01099999999", "안녕"))
    await asyncio.sleep(3)
    began = clock.monotonic()

    await session.aclose(timeout=2.0)

    assert clock.monotonic() - began == pytest.approx(2.0)
    report = await running
    assert report.counts == {UNKNOWN: 400, NOT_SENT: 1600}
    with pytest.raises(ConnectionLost, match="closed before the answer") as caught:
        await sending
    assert caught.value.outcome.state is UNKNOWN


async def test_closing_with_time_enough_waits_no_longer_than_needed(emulator, clock):
    emulator.fail("late", delay=5.0)
    session = emulator.session(settings=OPEN)
    sending = asyncio.create_task(session.send("01099999999", "안녕"))
    await asyncio.sleep(3)
    began = clock.monotonic()

    await session.aclose(timeout=20.0)

    assert clock.monotonic() - began == pytest.approx(2.0, abs=0.1)
    assert (await sending).request_id


async def test_closing_twice_or_at_the_same_time_is_closing_once(emulator, clock):
    emulator.fail("late", delay=10.0)
    session = emulator.session(settings=OPEN)
    sending = asyncio.create_task(session.send("01012345678", "안녕"))
    await asyncio.sleep(3)

    await asyncio.gather(session.aclose(), session.aclose(), session.aclose(timeout=1))
    await session.aclose()

    assert (await sending).request_id == emulator.admissions["01012345678"][0].request_id


async def test_a_closing_that_is_cancelled_gives_up_what_is_on_the_wire(emulator, clock):
    emulator.fail("hang")
    session = emulator.session(settings=OPEN)
    running = asyncio.create_task(session.send_many(numbers(300), "안녕"))
    await asyncio.sleep(3)
    closing = asyncio.create_task(session.aclose())
    await asyncio.sleep(3)
    began = clock.monotonic()

    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert clock.monotonic() == began
    assert (await running).counts == {UNKNOWN: 300}
    assert not our_tasks()
    await session.aclose()


async def test_an_exception_in_the_block_closes_the_session_too(emulator):
    emulator.fail("late", delay=10.0)

    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with emulator.session(settings=OPEN) as sens:
            sending = asyncio.create_task(sens.send("01012345678", "안녕"))
            await asyncio.sleep(3)
            1 / 0  # noqa: B018

    assert (await sending).request_id


@pytest.mark.parametrize("is_async", [False, True])
async def test_closing_right_after_a_run_has_begun_ends_it(emulator, is_async):
    items = Taken(numbers(2000))
    for turns in range(6):
        session = emulator.session(settings=OPEN)
        items.taken.clear()
        source = items.slowly(5.0, every=100) if is_async else items
        running = asyncio.create_task(session.send_many(source, "안녕"))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await session.aclose()
        with suppress(SessionClosed):
            report = await running
            assert len(report) == len(items.taken)
        assert not our_tasks()
        emulator.reset()


async def test_closing_while_pictures_are_prepared_begins_no_run(emulator):
    async def endless():
        while True:
            taken.append(1)
            yield "01012345678"
            await asyncio.sleep(1)

    taken = []
    for turns in range(8):
        session = emulator.session(settings=OPEN)
        await session.upload(jpeg())
        running = asyncio.create_task(session.send_many(endless(), "안녕", images=[jpeg()]))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await session.aclose()
            with suppress(SessionClosed):
                await running
        count = len(taken)
        await asyncio.sleep(10)
        assert len(taken) == count
        assert not our_tasks()


async def test_a_run_taken_over_by_closing_keeps_its_promises(emulator):
    emulator.fail("late", probability=0.3, delay=2.0)
    items, report = Taken(numbers(3000)), BulkReport()
    session = emulator.session(settings=Settings(rate_limit=None, max_in_flight=4))
    running = asyncio.create_task(session.send_many(items, "안녕", report=report))
    await asyncio.sleep(1.0)

    await session.aclose()

    assert await running is report
    check(report, emulator, numbers(3000))
    assert not report.unknown


# -- what was given to it


async def test_what_was_given_to_a_session_is_not_closed_by_it(clock):
    class Limiter:
        """One of the user's own: it lets everybody through."""

        async def acquire(self, recipients, lane):
            asked.append((recipients, str(lane)))

        def pause(self, seconds):
            raise AssertionError("nobody asked for a pause")

        async def aclose(self):
            raise AssertionError("closed")

    class Store(MemoryStore):
        async def aclose(self):
            raise AssertionError("closed")

    asked, transport = [], Yes()
    for _ in range(2):
        async with offline(
            transport=transport, limiter=Limiter(), attachment_store=Store(), clock=clock
        ) as sens:
            await sens.send_many(numbers(150), "안녕")
            await sens.send("01012345678", "안녕")

    assert not transport.is_closed
    assert asked == [(100, "bulk"), (50, "bulk"), (1, "interactive")] * 2


async def test_sessions_may_share_a_limiter(emulator, clock):
    limiter = GcraLimiter(RateLimit(requests=1), clock)
    async with (
        emulator.session(limiter=limiter) as one,
        emulator.session(limiter=limiter) as other,
    ):
        began = clock.monotonic()
        reports = await asyncio.gather(
            one.send_many(numbers(500), "안녕"),
            other.send_many(numbers(500, start=500), "안녕"),
        )
        assert clock.monotonic() - began == pytest.approx(9, abs=0.1)

    assert [report.counts for report in reports] == [{ACCEPTED: 500}] * 2
    await limiter.acquire(1, "bulk")
    await limiter.aclose()


async def test_sessions_may_share_a_store_of_files(emulator):
    store = MemoryStore()
    for _ in range(3):
        async with emulator.session(settings=OPEN, attachment_store=store) as sens:
            await sens.send("01012345678", "안녕", images=[jpeg()])

    assert len(of_endpoint(emulator, "files")) == 1


# -- what it shows


async def test_repr_shows_state_and_no_secret(emulator):
    session = emulator.session(settings=OPEN)
    seen = [repr(session)]
    emulator.fail("late", delay=5.0)
    sending = asyncio.create_task(session.send("01012345678", "안녕"))
    await asyncio.sleep(3)
    seen.append(repr(session))
    await sending
    await session.aclose()
    seen.append(repr(session))

    assert "idle" in seen[0]
    assert "open, in_flight=1" in seen[1]
    assert "closed, in_flight=0" in seen[2]
    everything = " ".join([*seen, *map(repr, vars(session).values())])
    assert emulator.service_id in everything
    assert emulator.secret_key not in everything
    assert emulator.access_key not in everything


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_credentials_are_neither_pickled_nor_copied(act):
    with pytest.raises(TypeError, match="not pickled"):
        act(KEYS)


def test_credentials_show_nothing():
    assert "0001" not in f"{KEYS} {KEYS!r} {attrs.evolve(Settings(), max_in_flight=2)!r}"
    with pytest.raises(ConfigError) as caught:
        Credentials("secret one", "x")
    assert "secret one" not in str(caught.value)


def errors_in(error):
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from errors_in(inner)
        error = error.__cause__ or error.__context__


async def test_nothing_that_is_logged_or_raised_holds_a_key_a_number_or_a_text(emulator, caplog):
    caplog.set_level(logging.DEBUG)
    kinds = (
        *("drop", "reset", "half", "half_head", "garbage", "no_id", "fail_status", "html", 503),
        *("throttle", "rate", "bad_request", "too_large", 404, "unauthorized", "redirect"),
    )
    session = emulator.session(
        settings=Settings(rate_limit=None, max_in_flight=4, retry=RetryPolicy(outage_pause=1))
    )
    seen, secrets = [], [emulator.secret_key, "비밀", "hidden", *numbers(300)]
    for kind in kinds:
        emulator.reset()
        emulator.refuse_numbers = set(numbers(3, start=100))
        emulator.fail(kind, requests="2-3")
        items = [
            *(Recipient(to, fields={"이름": f"비밀{i}"}) for i, to in enumerate(numbers(250))),
            *("01000000299x", Recipient("01000000298", content="비밀 😀"), "01000000297"),
        ]
        report = await session.send_many(items, "{이름}님, hidden 안내")
        seen += [report, *report.outcomes, report.stopped_by]
        errors = [outcome.error for outcome in report.outcomes]
        with suppress(SensError):
            report.raise_for_failures()
        for to in numbers(4, start=98):
            try:
                await session.send(Recipient(to, fields={"이름": "비밀"}), "{이름} hidden")
            except SensError as error:
                errors.append(error)
        seen += [each for error in errors for each in errors_in(error)]
        seen.append(items[-2])
    emulator.reset()
    emulator.fail("late", delay=20.0)
    with pytest.raises(RequestTimeout) as caught:
        await session.send(numbers(1)[0], "비밀", timeout=1)
    seen += [session, *errors_in(caught.value), caught.value.outcome]
    await session.aclose()

    texts = {f"{value} {value!r}" for value in seen} | set(caplog.messages)
    assert len(texts) > 40
    assert any("unattended" in text for text in texts)
    for secret in secrets:
        assert not [text for text in texts if secret in text]


async def test_one_warning_for_what_only_cp949_holds(emulator, caplog):
    async with emulator.session(settings=OPEN) as sens:
        for _ in range(2):
            await sens.send("01012345678", "뷁")
            await sens.send_many(numbers(3), "뷁")

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("sens_async", logging.WARNING)
    assert "KS X 1001" in record.getMessage()
    assert "뷁" not in record.getMessage()


# -- measuring


@pytest.mark.parametrize(
    ("text", "size", "kind"),
    [
        ("안녕", 4, MessageType.SMS),
        ("가" * 45, 90, MessageType.SMS),
        ("가" * 45 + "a", 91, MessageType.LMS),
        ("뷁", 2, MessageType.SMS),
        ("가" * 1000, 2000, MessageType.LMS),
        ("가" * 1000 + "a", 2001, None),
    ],
)
def test_measure_tells_bytes_and_type(text, size, kind):
    measured = measure(text)

    assert (measured.size_bytes, measured.type) == (size, kind)
    assert measured.fits is (kind is not None)


def test_measure_names_what_cannot_be_sent():
    measured = measure("가—😀")

    assert [(each.character, each.position) for each in measured.unencodable] == [
        ("—", 1),
        ("😀", 2),
    ]
    assert measured.unencodable[0].suggestion == "-"
