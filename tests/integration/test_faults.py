"""The fault matrix F1-F11, F20, F22, F23 over real sockets: what each fault leaves behind.

`../shared/research/reliability.md` 6.2 names the faults. After each, `check_report` holds the
client's outcomes against what the emulator has accepted.
"""

import asyncio
import contextlib
import socket

import pytest
from integration.invariants import check_once, check_report
from raw_server import RawServer, free_port
from virtual_time import VirtualClock

from sens_async import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    BulkReport,
    ConnectFailed,
    ConnectionLost,
    Credentials,
    OutcomeState,
    PermissionDenied,
    QuotaExceeded,
    Recipient,
    RequestTimeout,
    RetryPolicy,
    SensSession,
    ServiceUnavailable,
    Settings,
    Timeouts,
    UnreadableResponse,
)
from sens_async.emulator import Emulator

KEYS = Credentials("access", "secret")
SERVICE = "ncp:sms:kr:000000000001:emulator"
SENDER = "0200000000"
PEOPLE = [f"010{i:08d}" for i in range(250)]
TOTAL = Timeouts().total

LOST = [
    pytest.param("drop", {}, ConnectionLost, id="fin"),
    pytest.param("reset", {}, ConnectionLost, id="rst"),
    pytest.param("hang", {}, RequestTimeout, id="silence"),
    pytest.param("half", {}, ConnectionLost, id="cut body"),
    pytest.param("half_head", {}, ConnectionLost, id="half a status line"),
    pytest.param("garbage", {}, ConnectionLost, id="garbage"),
    pytest.param(500, {}, ServiceUnavailable, id="500"),
    pytest.param(502, {}, ServiceUnavailable, id="502"),
    pytest.param(503, {"retry_after": 1}, ServiceUnavailable, id="503"),
    pytest.param(504, {}, ServiceUnavailable, id="504"),
    pytest.param("html", {"status": 400}, UnreadableResponse, id="html 400"),
    pytest.param("html", {"status": 403}, UnreadableResponse, id="html 403"),
    pytest.param("html", {"status": 404}, UnreadableResponse, id="html 404"),
    pytest.param("html", {"status": 200}, UnreadableResponse, id="html 200"),
    pytest.param(400, {"body": ""}, UnreadableResponse, id="empty 400"),
    pytest.param(408, {}, UnreadableResponse, id="408"),
    pytest.param(200, {}, UnreadableResponse, id="other 2xx"),
    pytest.param("no_id", {}, UnreadableResponse, id="202 without an id"),
    pytest.param("fail_status", {}, UnreadableResponse, id="202 that says fail"),
]
"""Faults after which nobody can know whether the message was accepted."""

RETRY_AFTER = [
    pytest.param(None, 0.5, 1.0, id="none"),
    pytest.param(3, 3.0, 3.0, id="seconds"),
    pytest.param("Tue, 25 Nov 2025 00:39:50 GMT", 9.0, 10.0, id="date"),
    pytest.param("Mon, 24 Nov 2025 00:00:00 GMT", 0.1, 0.1, id="date that is over"),
    pytest.param(0, 0.1, 0.1, id="zero"),
    pytest.param(-5, 0.1, 1.0, id="negative"),
    pytest.param(10**9, 20.0, 20.0, id="absurd"),
    pytest.param("soon", 0.5, 1.0, id="nonsense"),
]
"""A header, and the least and the most seconds that everybody waits for it."""


@pytest.fixture(params=[False, True], ids=["before", "after"])
def accept(request) -> bool:
    """Whether the fault shows before or after the request was accepted."""
    return request.param


def session_to(url: str, clock: VirtualClock, **settings) -> SensSession:
    settings = Settings(base_url=url, rate_limit=None, **settings)
    return SensSession(KEYS, service_id=SERVICE, sender=SENDER, settings=settings, clock=clock)


def log_of(emulator: Emulator, numbers: list[str]) -> dict:
    """The emulator's log, without those whom other calls of the test have sent to."""
    wanted = set(numbers)
    return {number: log for number, log in emulator.admissions.items() if number in wanted}


def count(report, **expected: int) -> None:
    assert {state.name: n for state, n in report.counts.items() if n} == expected


# -- F4, F7: nobody can know


@pytest.mark.parametrize(("kind", "options", "error"), LOST)
async def test_a_send_whose_fate_is_open_is_unknown_and_not_repeated(
    emulator, sens, *, kind, options, error, accept
):
    emulator.fail(kind, **options, accept=accept)
    with pytest.raises(error) as caught:
        await sens.send(PEOPLE[0], "안녕하세요")

    assert caught.value.may_have_been_sent
    assert not caught.value.is_retryable
    assert caught.value.outcome.state is OutcomeState.UNKNOWN
    assert len(emulator.requests) == 1
    counts = check_report([caught.value.outcome], PEOPLE[:1], emulator.admissions)
    assert counts["unknown, in fact accepted"] == accept


@pytest.mark.parametrize(("kind", "options", "error"), LOST)
async def test_a_batch_whose_fate_is_open_is_unknown_and_the_others_go(
    emulator, sens, *, kind, options, error, accept
):
    emulator.fail(kind, **options, accept=accept, requests=2)
    report = await sens.send_many(PEOPLE, "안녕하세요")

    counts = check_report(report, PEOPLE, emulator.admissions)
    unknown = len(report.unknown)
    assert unknown in {50, 100}
    assert counts["unknown, in fact accepted"] == unknown * accept
    count(report, ACCEPTED=250 - unknown, UNKNOWN=unknown)
    assert {type(outcome.error) for outcome in report.unknown} == {error}
    assert len(emulator.requests) == 3


# -- F1: no connection


async def unresolvable(*_args, **_kwargs):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
async def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unresolvable)


async def test_a_name_that_does_not_resolve_is_certainly_not_sent(no_names, clock):
    async with session_to("https://sens.invalid", clock) as sens:
        with pytest.raises(ConnectFailed, match=r"sens\.invalid") as caught:
            await sens.send(PEOPLE[0], "안녕하세요")
        report = await sens.send_many(PEOPLE, "안녕하세요")
        with pytest.raises(ConnectFailed):
            await sens.upload(jpeg())

    assert not caught.value.may_have_been_sent
    assert caught.value.is_retryable
    assert caught.value.outcome.attempts == RetryPolicy().max_attempts
    count(report, NOT_SENT=250)
    check_report(report, PEOPLE, {})


async def test_a_refused_port_is_certainly_not_sent(clock):
    async with session_to(f"http://127.0.0.1:{free_port()}", clock) as sens:
        with pytest.raises(ConnectFailed) as caught:
            await sens.send(PEOPLE[0], "안녕하세요")
        report = await sens.send_many(PEOPLE, "안녕하세요")
        with pytest.raises(ConnectFailed):
            await sens.upload(jpeg())

    assert not caught.value.may_have_been_sent
    count(report, NOT_SENT=250)
    check_report(report, PEOPLE, {})


async def test_a_port_that_opens_soon_costs_nobody(stack, clock):
    port = free_port()
    sens = await stack.enter_async_context(session_to(f"http://127.0.0.1:{port}", clock))
    sending = asyncio.create_task(sens.send_many(PEOPLE, "안녕하세요"))
    single = asyncio.create_task(sens.send("01099999999", "안녕하세요"))
    await clock.sleep(0.001)
    keys = {"access_key": "access", "secret_key": "secret", "service_id": SERVICE}
    emulator = Emulator(clock=clock, port=port, **keys)
    await stack.enter_async_context(emulator)
    report = await sending

    count(report, ACCEPTED=250)
    assert (await single).attempts > 1
    assert len(emulator.admissions["01099999999"]) == 1
    check_report(report, PEOPLE, log_of(emulator, PEOPLE))


async def test_a_stalled_tls_handshake_is_certainly_not_sent(clock):
    async with (
        RawServer(lambda connection: connection.silence()) as server,
        session_to(server.url.replace("http", "https"), clock) as sens,
    ):
        with pytest.raises(ConnectFailed) as caught:
            await sens.send(PEOPLE[0], "안녕하세요")
        report = await sens.send_many(PEOPLE, "안녕하세요")
        with pytest.raises(ConnectFailed):
            await sens.upload(jpeg())
        assert server.requests == []

    assert not caught.value.may_have_been_sent
    assert caught.value.outcome.attempts == RetryPolicy().max_attempts
    count(report, NOT_SENT=250)
    check_report(report, PEOPLE, {})


async def test_a_peer_that_does_not_speak_tls_is_certainly_not_sent(clock):
    async def speak_http(connection):
        await connection.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        RawServer(speak_http) as server,
        session_to(server.url.replace("http", "https"), clock) as sens,
    ):
        report = await sens.send_many(PEOPLE, "안녕하세요")
        assert server.requests == []

    count(report, NOT_SENT=250)
    check_report(report, PEOPLE, {})


async def test_a_bad_certificate_stops(clock, self_signed):
    async def serve(connection):
        while await connection.request():
            await connection.accept()

    people = [f"010{i:08d}" for i in range(5_000)]
    async with (
        RawServer(serve, tls=self_signed) as server,
        session_to(server.url, clock) as sens,
    ):
        with pytest.raises(ConnectFailed, match="CertificateError") as caught:
            await sens.send(PEOPLE[0], "안녕하세요")
        assert caught.value.outcome.attempts == 1
        report = await sens.send_many(people, "안녕하세요")
        with pytest.raises(ConnectFailed):
            await sens.upload(jpeg())
        assert server.requests == []

    assert not caught.value.is_retryable
    assert isinstance(report.stopped_by, ConnectFailed)
    count(report, NOT_SENT=5_000)
    check_report(report, people, {})


# -- F2: no free connection


async def test_a_run_that_fills_every_slot_waits_without_failing(start, open_session):
    slow = await start(latency=2 * Timeouts().connect)
    sens = await open_session(slow, max_in_flight=2)
    people = [f"010{i:08d}" for i in range(1_000)]
    report, receipt = await asyncio.gather(
        sens.send_many(people, "안녕하세요"), sens.send("01099999999", "안녕하세요")
    )

    assert {outcome.attempts for outcome in report.outcomes} == {1}
    assert receipt.attempts == 1
    count(report, ACCEPTED=1_000)


# -- F3: torn before the request was read


async def fin_on_accept(connection):
    connection.close()


async def reset_on_accept(connection):
    connection.reset()


async def fin_after_head(connection):
    await connection.head()
    connection.close()


async def reset_after_head(connection):
    await connection.head()
    connection.reset()


async def fin_in_the_body(connection):
    await connection.some_body(1_000)
    connection.close()


async def reset_in_the_body(connection):
    await connection.some_body(1_000)
    connection.reset()


async def continue_and_fin(connection):
    await connection.head()
    await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.close()


TEARS = [
    fin_on_accept,
    reset_on_accept,
    fin_after_head,
    reset_after_head,
    fin_in_the_body,
    reset_in_the_body,
    continue_and_fin,
]


@pytest.mark.parametrize("tear", TEARS)
async def test_a_connection_torn_early_is_unknown_since_nobody_can_tell(tear, clock):
    long = Recipient("01000000000", content="가" * 900)
    people = [Recipient(number, content="가" * 900) for number in PEOPLE]
    async with RawServer(tear) as server, session_to(server.url, clock) as sens:
        with pytest.raises(ConnectionLost) as caught:
            await sens.send(long)
        assert server.connections == 1
        report = await sens.send_many(people)
        assert server.connections == 1 + 3
        assert server.requests == []

    assert caught.value.may_have_been_sent
    assert caught.value.outcome.state is OutcomeState.UNKNOWN
    count(report, UNKNOWN=250)
    check_report(report, people, {})


@pytest.mark.parametrize("tear", TEARS)
async def test_an_upload_torn_early_is_repeated(tear, clock, emulator):
    async def tear_then_serve(connection):
        if server.connections < 3:
            await tear(connection)
        while await connection.request():
            await connection.answer(
                200,
                {
                    "fileId": "0" * 32,
                    "createTime": "2025-11-25T09:39:40.535",
                    "expireTime": "2025-12-01T09:39:40.535",
                },
            )

    async with RawServer(tear_then_serve) as server, session_to(server.url, clock) as sens:
        file = await sens.upload(jpeg(size=20_000))
        assert len({request.body for request in server.requests}) == 1

    assert file.file_id == "0" * 32


# -- F5: accepted when the client has long given up


async def test_what_is_accepted_late_was_reported_unknown(emulator, sens, clock):
    emulator.fail("late", delay=TOTAL + 20.0, requests="2-4")
    report = await sens.send_many(PEOPLE, "안녕하세요")
    with pytest.raises(RequestTimeout) as caught:
        await sens.send("01099999999", "안녕하세요")

    assert "01099999999" not in emulator.admissions
    await clock.sleep(60.0)
    assert caught.value.outcome.state is OutcomeState.UNKNOWN
    assert len(emulator.admissions["01099999999"]) == 1
    counts = check_report(report, PEOPLE, log_of(emulator, PEOPLE))
    assert counts["unknown, in fact accepted"] == len(report.unknown) >= 150


async def test_a_late_answer_within_the_time_is_no_fault(emulator, sens):
    emulator.fail("late", delay=TOTAL - 5.0)
    report = await sens.send_many(PEOPLE, "안녕하세요")

    count(report, ACCEPTED=250)
    check_report(report, PEOPLE, emulator.admissions)


# -- F6: a copy that arrives when its signature has ended


async def test_what_arrives_after_its_signature_has_ended_stays_unknown(emulator, sens, clock):
    emulator.fail("late", delay=300.0, requests=1)
    with pytest.raises(RequestTimeout) as caught:
        await sens.send(PEOPLE[0], "안녕하세요")
    await clock.sleep(301.0)

    check_report([caught.value.outcome], PEOPLE[:1], emulator.admissions)
    assert not emulator.admissions


# -- F8: 429


@pytest.mark.parametrize("kind", ["throttle", "rate", "too_many"])
@pytest.mark.parametrize(("header", "least", "most"), RETRY_AFTER)
async def test_a_429_holds_everybody_and_costs_nobody(
    emulator, sens, clock, *, kind, header, least, most
):
    emulator.fail(kind, retry_after=header, requests=2)
    began = clock.monotonic()
    report = await sens.send_many(PEOPLE, "안녕하세요")
    waited = clock.monotonic() - began

    count(report, ACCEPTED=250)
    check_report(report, PEOPLE, emulator.admissions)
    assert least - 0.01 <= waited <= most + 0.1
    assert len(emulator.requests) == 4


@pytest.mark.parametrize("kind", ["throttle", "rate", "too_many"])
async def test_a_429_delays_a_send_and_an_upload(emulator, sens, clock, kind):
    emulator.fail(kind, retry_after=3, requests=1)
    emulator.fail(kind, retry_after=3, requests=1, endpoint="files")
    began = clock.monotonic()
    receipt = await sens.send(PEOPLE[0], "안녕하세요")
    await sens.upload(jpeg())

    assert receipt.attempts == 2
    assert clock.monotonic() - began == pytest.approx(6.0, abs=0.2)
    assert len(emulator.uploads) == 1
    check_once(emulator.admissions)


async def test_the_quota_ends_a_send_and_an_upload(emulator, sens):
    emulator.fail("quota", retry_after=1)
    emulator.fail("quota", endpoint="files")
    with pytest.raises(QuotaExceeded) as caught:
        await sens.send(PEOPLE[0], "안녕하세요")
    with pytest.raises(QuotaExceeded):
        await sens.upload(jpeg())

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert len(emulator.requests) == 2
    assert not emulator.admissions


# -- F9: 401 and clocks


@pytest.fixture(params=[600.0, -600.0], ids=["ahead", "behind"])
def skew(request) -> float:
    return request.param


@pytest.fixture
async def skewed(skew) -> VirtualClock:
    """A clock that is ten minutes off."""
    clock = VirtualClock()
    clock.offset = skew
    return clock


async def test_a_clock_that_is_off_costs_one_request(emulator, open_session, skewed):
    sens = await open_session(session={"clock": skewed})
    receipt = await sens.send(PEOPLE[0], "안녕하세요")
    again = await sens.send(PEOPLE[1], "안녕하세요")

    assert (receipt.attempts, again.attempts) == (2, 1)
    check_once(emulator.admissions)


async def test_a_clock_that_is_off_costs_an_upload_one_request(emulator, open_session, skewed):
    sens = await open_session(session={"clock": skewed})
    await sens.upload(jpeg())

    assert [entry.status for entry in emulator.requests] == [401, 200]


@pytest.mark.parametrize("back_at", [6_000, 8_000, 15_000])
async def test_a_clock_that_jumps_in_mid_run_costs_nobody(start, open_session, skew, back_at):
    """There, and back while requests signed in between are on the wire, or later."""
    slow = await start(latency=0.5)
    clock = VirtualClock()
    sens = await open_session(slow, session={"clock": clock})
    people = [f"010{i:08d}" for i in range(20_000)]

    async def source():
        for i, number in enumerate(people):
            if i == 5_000:
                clock.offset = skew
            if i == back_at:
                clock.offset = 0.0
            yield number

    report = await sens.send_many(source(), "안녕하세요")

    count(report, ACCEPTED=20_000)
    check_report(report, people, slow.admissions)
    refused = sum(entry.status == 401 for entry in slow.requests)
    assert 0 < refused <= 2 * 32


async def test_a_clock_put_right_during_the_exchange_costs_nobody(start, open_session, skewed):
    slow = await start(latency=5.0)
    sens = await open_session(slow, session={"clock": skewed})
    sending = asyncio.create_task(sens.send(PEOPLE[0], "안녕하세요"))
    await asyncio.sleep(1.0)
    skewed.offset = 0.0

    assert (await sending).attempts == 2
    check_once(slow.admissions)


async def test_a_wrong_key_ends_a_send_and_an_upload(emulator, open_session):
    wrong = Credentials(emulator.access_key, "wrong")
    sens = await open_session(session={"credentials": wrong})
    with pytest.raises(AuthenticationFailed) as caught:
        await sens.send(PEOPLE[0], "안녕하세요")
    with pytest.raises(AuthenticationFailed):
        await sens.upload(jpeg())

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert len(emulator.requests) == 2
    assert not emulator.admissions


async def test_a_wrong_key_and_a_wrong_clock_end_after_one_correction(
    emulator, open_session, skewed
):
    wrong = Credentials(emulator.access_key, "wrong")
    sens = await open_session(session={"credentials": wrong, "clock": skewed})
    with pytest.raises(AuthenticationFailed):
        await sens.send(PEOPLE[0], "안녕하세요")

    assert len(emulator.requests) == 2


# -- refusals


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unauthorized", AuthenticationFailed),
        ("forbidden", PermissionDenied),
        (404, ApiError),
        ("bad_request", BadRequest),
        ("too_large", BadRequest),
    ],
)
async def test_a_refusal_ends_a_send_and_an_upload(emulator, sens, kind, error):
    emulator.fail(kind)
    emulator.fail(kind, endpoint="files")
    with pytest.raises(error) as caught:
        await sens.send(PEOPLE[0], "안녕하세요")
    with pytest.raises(error):
        await sens.upload(jpeg())

    assert not caught.value.may_have_been_sent
    rejected = error is BadRequest
    expected = OutcomeState.REJECTED if rejected else OutcomeState.NOT_SENT
    assert caught.value.outcome.state is expected
    assert len(emulator.requests) == 2


# -- F10: redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("verb", ["send", "send_many", "upload"])
async def test_a_redirect_is_not_followed(clock, status, verb):
    async def redirect(connection):
        while request := await connection.request():
            await connection.answer(status, Location=f"{server.url}{request.target}")

    async with RawServer(redirect) as server, session_to(server.url, clock) as sens:
        if verb == "send_many":
            report = await sens.send_many(PEOPLE[:100], "안녕하세요")
            count(report, NOT_SENT=100)
            check_report(report, PEOPLE[:100], {})
            error = report.stopped_by
        else:
            with pytest.raises(ApiError, match="redirect") as caught:
                await (sens.send(PEOPLE[0], "안") if verb == "send" else sens.upload(jpeg()))
            error = caught.value
        assert len(server.requests) == 1

    assert isinstance(error, ApiError)
    assert error.status == status
    assert not error.may_have_been_sent


async def test_a_redirect_is_not_followed_into_a_second_acceptance(emulator, sens):
    emulator.fail("redirect", accept=False, requests=1)
    report = await sens.send_many(PEOPLE, "안녕하세요")

    check_report(report, PEOPLE, emulator.admissions)
    assert isinstance(report.stopped_by, ApiError)


# -- F11: stale kept-alive connections


@pytest.mark.parametrize("idle", [0.0, 0.001, 5.0])
async def test_a_server_that_closes_idle_connections_never_causes_a_double(clock, idle):
    """Requests come when the server is about to close, is closing at that instant, has closed."""

    async def serve(connection):
        patience = 60.0
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(patience):
                    if await connection.request() is None:
                        return
                await connection.accept()
                patience = idle

    tries = 3_400  # 10,200 with all three
    people = [f"010{i:08d}" for i in range(tries)]
    accepted, lost = set(), []
    async with RawServer(serve) as server, session_to(server.url, clock) as sens:
        for i, number in enumerate(people):
            try:
                await sens.send(number, "안녕하세요")
                accepted.add(number)
            except ConnectionLost as error:
                lost.append(error)
            await clock.sleep(idle + (i % 5 - 2) * 1e-4 if idle else 0.0)
        received = [number for request in server.requests for number in request.numbers]

    assert len(received) == len(set(received))
    assert accepted <= set(received)
    assert len(accepted) > tries / 2
    assert all(error.may_have_been_sent for error in lost)
    assert bool(lost) == (idle > 0), "no request met a connection that was being closed"


# -- uploads


@pytest.mark.parametrize(
    ("kind", "options", "error"), [one for one in LOST if one.values[0] not in {"fail_status", 200}]
)
async def test_an_upload_whose_fate_is_open_is_repeated(
    emulator, sens, *, kind, options, error, accept
):
    emulator.fail(kind, **options, accept=accept, endpoint="files", requests=1)
    file = await sens.upload(jpeg())

    assert [stored.file_id for stored in emulator.uploads] == [file.file_id]
    assert len(emulator.requests) == 2
    receipt = await sens.send(PEOPLE[0], "그림", images=[file])
    [admission] = emulator.admissions[PEOPLE[0]]
    assert (admission.request_id, admission.file_ids) == (receipt.request_id, (file.file_id,))


@pytest.mark.parametrize(("kind", "options", "error"), LOST[:4])
async def test_an_upload_that_never_succeeds_leaves_everybody_unsent(
    emulator, sens, kind, options, error
):
    emulator.fail(kind, **options, endpoint="files")
    with pytest.raises(error) as caught:
        await sens.send(PEOPLE[0], "그림", images=[jpeg()])
    report = await sens.send_many(PEOPLE, "그림", images=[jpeg()])

    assert caught.value.outcome.state is OutcomeState.NOT_SENT
    assert not caught.value.may_have_been_sent
    assert isinstance(report.stopped_by, error)
    count(report, NOT_SENT=250)
    check_report(report, PEOPLE, emulator.admissions)
    assert {entry.endpoint for entry in emulator.requests} == {"files"}


# -- F22: pictures


def jpeg(colour: int = 0, size: int = 2_000) -> bytes:
    """The head of a JPEG; `colour` changes its bytes and not its size."""
    frame = b"\x08" + (480).to_bytes(2, "big") + (640).to_bytes(2, "big") + b"\x01\x01\x11\x00"
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    head = start + b"\xff\xc0" + (len(frame) + 2).to_bytes(2, "big") + frame
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    return head + scan + bytes([colour]) * (size - len(head) - len(scan) - 2) + b"\xff\xd9"


async def test_a_file_refused_in_mid_run_is_uploaded_once_more(start, open_session, clock):
    slow = await start(latency=0.2)
    sens = await open_session(slow)
    people = [f"010{i:08d}" for i in range(10_000)]

    async def source():
        for i, number in enumerate(people):
            if i == 5_000:
                slow.uploads[0].expires = clock.time()
            yield number

    report = await sens.send_many(source(), "그림", images=[jpeg(1)])

    count(report, ACCEPTED=10_000)
    check_report(report, people, slow.admissions)
    first, second = slow.uploads
    assert first.data == second.data == jpeg(1)
    used = {admission.file_ids for [admission] in slow.admissions.values()}
    assert used == {(first.file_id,), (second.file_id,)}
    refused = sum(entry.status == 400 for entry in slow.requests)
    assert 0 < refused <= 32


async def test_a_file_refused_in_a_send_is_uploaded_once_more(emulator, sens, clock):
    await sens.send(PEOPLE[0], "그림", images=[jpeg(1)])
    emulator.uploads[0].expires = clock.time()
    receipt = await sens.send(PEOPLE[1], "그림", images=[jpeg(1)])

    assert receipt.attempts == 2
    _, second = emulator.uploads
    assert emulator.admissions[PEOPLE[1]][0].file_ids == (second.file_id,)
    check_once(emulator.admissions)


async def test_a_file_that_is_always_refused_ends_after_one_more_upload(start, open_session):
    refusing = await start(file_lifetime=7_200.0)
    sens = await open_session(refusing)
    refusing.fail("bad_request")
    report = await sens.send_many(PEOPLE, "그림", images=[jpeg(1)])

    count(report, NOT_SENT=250)
    check_report(report, PEOPLE, refusing.admissions)
    assert len(refusing.uploads) <= 2
    assert len(refusing.requests) <= 20


async def test_pictures_of_one_name_and_size_stay_apart(emulator, sens, tmp_path):
    paths = []
    for colour in (1, 2):
        (tmp_path / str(colour)).mkdir()
        path = tmp_path / str(colour) / "poster.jpg"
        path.write_bytes(jpeg(colour))
        paths.append(path)
    await sens.send(PEOPLE[0], "하나", images=[paths[0]])
    report = await sens.send_many(PEOPLE[1:3], "둘", images=[paths[1]])

    count(report, ACCEPTED=2)
    by_id = {stored.file_id: stored.data for stored in emulator.uploads}
    sent = [
        [by_id[file_id] for file_id in emulator.admissions[number][0].file_ids]
        for number in PEOPLE[:3]
    ]
    assert sent == [[jpeg(1)], [jpeg(2)], [jpeg(2)]]


# -- F23: the same number in other words


async def test_every_spelling_of_a_number_is_one_recipient(emulator, sens):
    people = [
        "010-1234-5678",
        "01012345678",
        "+82 10 1234 5678",
        "８２-１０-１２３４-５６７８",
        "０１０-１２３４-５６７８",
        "1012345678",
        "(010) 1234 5678",
        Recipient("010.1234.5678", key="나"),
        "010-8765-4321",
    ]
    report = await sens.send_many(people, "안녕하세요")

    count(report, ACCEPTED=2, SKIPPED=7)
    check_report(report, people, emulator.admissions)
    assert {number: len(a) for number, a in emulator.admissions.items()} == {
        "01012345678": 1,
        "01087654321": 1,
    }


async def test_a_number_with_two_texts_gets_both_in_different_requests(emulator, sens):
    people = [Recipient("01012345678", content=text) for text in ("하나", "둘", "하나")]
    report = await sens.send_many(people)

    count(report, ACCEPTED=2, SKIPPED=1)
    check_report(report, people, emulator.admissions)
    assert [entry.recipients for entry in emulator.requests] == [1, 1]


# -- F20: cancelled anywhere


@pytest.mark.parametrize("kind", [None, "drop", "throttle", "bad_request"])
async def test_a_run_cancelled_anywhere_leaves_a_complete_report(emulator, open_session, kind):
    was_cancelled = True
    turns = 0
    while was_cancelled:
        emulator.reset()
        if kind is not None:
            emulator.fail(kind, requests=2, accept=kind == "drop")
        sens = await open_session()
        report = BulkReport()
        running = asyncio.create_task(sens.send_many(PEOPLE, "안녕하세요", report=report))
        for turn in range(turns):
            await asyncio.sleep(0 if turn < 150 else 0.1)  # beyond: what waits for time
        was_cancelled = running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await sens.aclose()
        check_report(report, PEOPLE[: len(report)], emulator.admissions)
        turns += 1 + turns // 20

    assert turns > 10
    assert len(report) == 250
