"""The straight way over a connection and the session's own: which is taken, and what both do."""

import asyncio
import functools
from unittest import mock

import aiohttp
import pytest
from aiohttp_shim import answer
from aioresponses import aioresponses
from raw_server import RawServer

from sens_async import ConnectionLost, OutcomeState, RequestTimeout, Timeouts, TransportError
from sens_async.connections import is_watched
from sens_async.core.requests import Request
from sens_async.emulator import Emulator
from sens_async.transport import AiohttpTransport, Handover

TARGET = "/sms/v2/services/svc/messages"
SEND = Request("POST", TARGET, b'{"messages":[{"to":"01012345678"}]}')


@pytest.fixture
def watched(monkeypatch) -> list[str]:
    """A tracer stands in the session's way; the requests it saw."""
    seen = []
    request = aiohttp.ClientSession._request

    @functools.wraps(request)
    async def trace(self, method, url, **options):
        seen.append(method)
        return await request(self, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", trace)
    return seen


@pytest.fixture(params=["straight", "watched"])
def way(request) -> str:
    """Each of the two ways."""
    if request.param == "watched":
        request.getfixturevalue("watched")
    return request.param


@pytest.fixture
async def open_transport():
    transports = []

    def open_transport(url: str, **timeouts) -> AiohttpTransport:
        transports.append(AiohttpTransport(url, timeouts=Timeouts(**timeouts), connections=4))
        return transports[-1]

    yield open_transport
    for transport in transports:
        await transport.aclose()
    await asyncio.sleep(0)


async def accept(connection) -> None:
    while await connection.request():
        await connection.accept()


# -- which way


async def test_nobody_watches_an_ordinary_session():
    async with aiohttp.ClientSession() as session:
        assert not is_watched(session)


async def test_a_mock_is_seen_while_it_stands_there():
    async with aiohttp.ClientSession() as session:
        with aioresponses():
            assert is_watched(session)
        assert not is_watched(session)


async def test_a_wrapper_is_seen(watched):
    async with aiohttp.ClientSession() as session:
        assert is_watched(session)


async def test_a_trace_config_is_seen():
    async with aiohttp.ClientSession(trace_configs=[aiohttp.TraceConfig()]) as session:
        assert is_watched(session)


async def test_a_mock_keeps_every_request_off_the_network(open_transport):
    """Whoever mocks aiohttp in a test must not reach real phones."""
    async with RawServer(accept) as server:
        transport = open_transport(server.url)
        await transport.exchange(SEND, {}, Handover())
        with aioresponses() as mocked:
            mocked.post(server.url + TARGET, callback=answer(202, b"{}"))
            response = await transport.exchange(SEND, {}, Handover())
            assert response.body == b"{}"
        assert len(server.requests) == 1


async def test_a_tracer_sees_every_request(open_transport, watched):
    async with RawServer(accept) as server:
        transport = open_transport(server.url)
        await transport.exchange(SEND, {}, Handover())
        await transport.exchange(Request("GET", TARGET), {}, Handover())

    assert watched == ["POST", "GET"]


# -- what both do


async def test_the_same_request_is_on_the_wire(open_transport, way):
    async with RawServer(accept) as server:
        transport = open_transport(server.url)
        await transport.exchange(SEND, {"x-one": "1"}, Handover())
        await transport.exchange(Request("GET", TARGET + "?a=%20"), {"x-two": "2"}, Handover())
        send, ask = server.requests
        host = server.url.removeprefix("http://")

    common = {"host": host, "accept": "*/*", "accept-encoding": "identity"}
    common["user-agent"] = "sens-async"
    assert send.headers == {
        **common,
        "content-type": "application/json",
        "content-length": str(len(SEND.body)),
        "x-one": "1",
    }
    assert ask.headers == {**common, "x-two": "2"}
    assert (send.method, send.target, send.body) == SEND
    assert (ask.method, ask.target, ask.body) == ("GET", TARGET + "?a=%20", b"")


@pytest.mark.parametrize("fault", ["drop", "reset", "half", "half_head", "garbage", "hang", 503])
async def test_a_fault_after_the_handover_leaves_it_open(way, fault, clock):
    async with Emulator(clock=clock) as emulator, emulator.session() as sens:
        emulator.fail(fault, accept=True, times=1)
        report = await sens.send_many(["01012345678"], "안녕하세요")

    assert report.counts == {OutcomeState.UNKNOWN: 1}
    assert emulator.admissions.total == 1


async def test_a_withdrawn_handover_is_not_written(open_transport, way):
    async with RawServer(accept) as server:
        handover = Handover()
        handover.withdraw()
        with pytest.raises(TransportError) as caught:
            await open_transport(server.url).exchange(SEND, {}, handover)
        await asyncio.sleep(1.0)

    assert not handover.begun
    assert not caught.value.may_have_been_sent
    assert server.requests == []


async def test_an_early_hint_is_not_the_answer(open_transport, way):
    async def hint(connection):
        while await connection.request():
            await connection.write(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n")
            await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await connection.accept()

    async with RawServer(hint) as server:
        transport = open_transport(server.url)
        for _ in range(2):
            assert (await transport.exchange(SEND, {}, Handover())).status == 202
        assert server.connections == 1


async def test_an_answer_in_chunks_is_read(open_transport, way):
    async def chunked(connection):
        while await connection.request():
            await connection.write(b"HTTP/1.1 202 A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{")
            await asyncio.sleep(0.1)
            await connection.write(b"}\r\n0\r\n\r\n")

    async with RawServer(chunked) as server:
        transport = open_transport(server.url)
        for _ in range(2):
            assert (await transport.exchange(SEND, {}, Handover())).body == b"{}"
        assert server.connections == 1


async def test_an_answer_that_ends_with_its_connection_is_read(open_transport, way):
    async def bare(connection):
        await connection.request()
        await connection.write(b"HTTP/1.1 202 A\r\nConnection: close\r\n\r\n{}")
        connection.close()

    async with RawServer(bare) as server:
        transport = open_transport(server.url)
        for _ in range(2):
            assert (await transport.exchange(SEND, {}, Handover())).body == b"{}"
        assert server.connections == 2


async def test_an_answer_without_a_body_is_read(open_transport, way):
    async def nothing(connection):
        while await connection.request():
            await connection.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with RawServer(nothing) as server:
        transport = open_transport(server.url)
        for _ in range(2):
            response = await transport.exchange(SEND, {}, Handover())
            assert (response.status, response.body) == (204, b"")
        assert server.connections == 1


async def test_an_exchange_cut_off_costs_its_connection(open_transport, way, clock):
    async def silent_once(connection):
        await connection.request()
        if server.connections > 1:
            await connection.accept()
        await connection.silence()

    async with RawServer(silent_once) as server:
        transport = open_transport(server.url, total=3.0, connect=1.0)
        with pytest.raises(RequestTimeout):
            await transport.exchange(SEND, {}, Handover())
        assert (await transport.exchange(SEND, {}, Handover())).status == 202
        assert server.connections == 2


async def test_a_long_body_does_not_hide_an_early_answer(open_transport, way):
    """A server may refuse a request from its head alone and read no further."""

    async def refuse(connection):
        await connection.head()
        await connection.answer(413, b"{}")
        await connection.silence()

    async with RawServer(refuse) as server:
        request = Request("POST", TARGET, b"x" * (16 << 20))
        try:
            response = await open_transport(server.url, total=9.0).exchange(request, {}, Handover())
        except ConnectionLost:
            assert way == "watched"  # aiohttp's own writer may notice the closing first
        else:
            assert response.status == 413


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb"])
async def test_a_header_cannot_bring_another(open_transport, way, value):
    async with RawServer(accept) as server:
        with pytest.raises(ValueError, match=r"line break|[Nn]ewline|control"):
            await open_transport(server.url).exchange(SEND, {"x-one": value}, Handover())
        assert server.requests == []


@pytest.mark.parametrize(
    "name",
    [
        "aiohttp.ClientSession.request",
        "aiohttp.ClientSession._request",
        "aiohttp.ClientRequest.send",
    ],
)
async def test_whatever_is_patched_keeps_messages_off_the_network(name, open_transport):
    async with RawServer(accept) as server:
        transport = open_transport(server.url)
        await transport.exchange(SEND, {}, Handover())
        with (
            mock.patch(name, side_effect=aiohttp.ClientPayloadError("mocked")),
            pytest.raises(ConnectionLost),
        ):
            await transport.exchange(SEND, {}, Handover())
        assert len(server.requests) == 1


async def test_a_connection_with_an_unsent_rest_is_not_used_again(open_transport):
    """An early answer leaves the rest of a body to be written: the next request starts anew."""

    async def refuse(connection):
        await connection.head()
        await connection.answer(413, b"{}")
        await connection.silence()

    async with RawServer(refuse) as server:
        transport = open_transport(server.url, total=9.0)
        long = Request("POST", TARGET, b"x" * (16 << 20))
        for _ in range(2):
            assert (await transport.exchange(long, {}, Handover())).status == 413
        assert server.connections == 2
