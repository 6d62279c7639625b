"""One exchange: what is on the wire, and what each way to fail says of it."""

import asyncio
import base64
import hashlib
import hmac
import socket
import zlib
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from aiohttp_shim import Response as MockedAnswer
from aiohttp_shim import answer
from aioresponses import aioresponses
from multidict import CIMultiDict, CIMultiDictProxy
from raw_server import RawServer, free_port
from yarl import URL

from sens_async import (
    ConnectFailed,
    ConnectionLost,
    Credentials,
    RequestTimeout,
    SensSession,
    Settings,
    Timeouts,
    TransportError,
)
from sens_async.core.requests import Request, Service
from sens_async.core.responses import Response
from sens_async.transport import MAX_ANSWER_BYTES, AiohttpTransport, Handover

TARGET = "/sms/v2/services/svc/messages"
SEND = Request("POST", TARGET, b'{"messages":[{"to":"01012345678"}]}')
URL_ = "https://sens.test"


@pytest.fixture
async def open_transport():
    """Make a transport to a base URL; closed after the test."""
    transports = []

    def open_transport(url: str = URL_, *, connections: int = 4, **timeouts) -> AiohttpTransport:
        transports.append(
            AiohttpTransport(url, timeouts=Timeouts(**timeouts), connections=connections)
        )
        return transports[-1]

    yield open_transport
    for transport in transports:
        await transport.aclose()
    await asyncio.sleep(0)


@pytest.fixture
def mocked():
    with aioresponses() as mocked:
        yield mocked


# -- answers


async def test_an_answer_is_given_whole(open_transport, mocked):
    headers = {
        "Date": "Tue, 25 Nov 2025 00:39:40 GMT",
        "Retry_After": "3",
        "Location": "https://elsewhere.test/",
    }
    mocked.post(URL_ + TARGET, callback=answer(429, b'{"error":{}}', **headers))
    handover = Handover()
    response = await open_transport().exchange(SEND, {}, handover)

    assert response == Response(
        429, b'{"error":{}}', headers["Date"], "3", "https://elsewhere.test/"
    )
    assert handover.begun


@pytest.mark.parametrize("status", [200, 202, 204, 302, 400, 404, 500, 503])
async def test_no_status_is_an_exception(open_transport, mocked, status):
    mocked.post(URL_ + TARGET, callback=answer(status))

    assert (await open_transport().exchange(SEND, {}, Handover())).status == status


async def test_a_read_needs_no_body(open_transport, mocked):
    mocked.get(URL_ + TARGET + "?pageSize=1", callback=answer(200, b"{}"))
    request = Request("GET", TARGET + "?pageSize=1")

    assert (await open_transport().exchange(request, {}, Handover())).body == b"{}"


async def test_an_answer_to_what_was_never_written_is_raised_loudly(open_transport, mocked):
    """aioresponses never asks for the body: as an aiohttp would that breaks the proof."""
    mocked.post(URL_ + TARGET, status=202, response_class=MockedAnswer)
    with pytest.raises(RuntimeError, match="never marked as sent"):
        await open_transport().exchange(SEND, {}, Handover())


# -- failures


KEY = ConnectionKey("sens.test", 443, True, True, None, None, None)
INFO = aiohttp.RequestInfo(URL(URL_), "POST", CIMultiDictProxy(CIMultiDict()), URL(URL_))


def bare(kind: type[Exception]) -> Exception:
    return kind("what happened")


def with_os_error(kind: type[Exception]) -> Exception:
    return kind(KEY, OSError(111, "Connection refused"))


def with_url(kind: type[Exception]) -> Exception:
    return kind("https://sens.test/")


def with_answer(kind: type[Exception]) -> Exception:
    return kind(INFO, ())


CONNECTING: dict[str, Callable[[type[Exception]], Exception]] = {
    "ClientConnectorError": with_os_error,
    "ClientConnectorDNSError": with_os_error,
    "ClientConnectorSSLError": with_os_error,
    "ClientConnectorCertificateError": lambda kind: kind(KEY, OSError("self-signed")),
    "ClientProxyConnectionError": with_os_error,
    "ClientSSLError": with_os_error,
    "ConnectionTimeoutError": bare,
    "InvalidURL": with_url,
    "InvalidUrlClientError": with_url,
    "InvalidUrlRedirectClientError": with_url,
    "ServerFingerprintMismatch": lambda kind: kind(b"one", b"another", "sens.test", 443),
}
"""Raised before there is a connection: certainly not sent, if nothing was handed over."""

OPEN: dict[str, Callable[[type[Exception]], Exception]] = {
    "ClientConnectionError": bare,
    "ClientConnectionResetError": bare,
    "ClientError": bare,
    "ClientHttpProxyError": with_answer,
    "ClientOSError": bare,
    "ClientPayloadError": bare,
    "ClientResponseError": with_answer,
    "ContentTypeError": with_answer,
    "NonHttpUrlClientError": with_url,
    "NonHttpUrlRedirectClientError": with_url,
    "RedirectClientError": bare,
    "ServerConnectionError": bare,
    "ServerDisconnectedError": bare,
    "ServerTimeoutError": bare,
    "SocketTimeoutError": bare,
    "TooManyRedirects": with_answer,
    "UploadAbortedError": bare,
    "WSServerHandshakeError": with_answer,
}
"""Raised at any time: never a proof of anything."""

NOT_FOR_REQUESTS = {
    "BadContentDispositionHeader",
    "BadContentDispositionParam",
    "EofStream",
    "WSMessageTypeError",
    "WebSocketError",
}
"""Of multipart bodies, streams and web sockets, which are not used here."""


def exported() -> dict[str, type[BaseException]]:
    found = {name: getattr(aiohttp, name) for name in aiohttp.__all__}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }


def test_every_exception_of_aiohttp_is_classified():
    """A new one must be looked at: does it come before, or after, the first byte?"""
    assert set(exported()) <= set(CONNECTING) | set(OPEN) | NOT_FOR_REQUESTS


def made(name: str) -> Exception:
    if name not in exported():
        pytest.skip(f"this aiohttp has no {name}")
    return {**CONNECTING, **OPEN}[name](exported()[name])


async def fail_with(error: Exception, transport, mocked, *, begun: bool) -> TransportError:
    async def take_the_body(url, *, data, **_):
        if begun:
            await answer()(url, data=data)

    mocked.post(URL_ + TARGET, exception=error, callback=take_the_body)
    with pytest.raises(TransportError) as caught:
        await transport.exchange(SEND, {}, Handover())
    # aiohttp's exceptions hold the request: its keys, its signature, its numbers and texts.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("name", CONNECTING)
async def test_a_failure_of_connecting_before_the_handover_is_certain(open_transport, mocked, name):
    error = await fail_with(made(name), open_transport(), mocked, begun=False)

    assert isinstance(error, ConnectFailed)
    assert not error.may_have_been_sent
    hopeless = "Certificate" in name or "Url" in name or "URL" in name
    assert error.is_retryable is not hopeless


@pytest.mark.parametrize("name", CONNECTING)
async def test_one_witness_is_not_enough(open_transport, mocked, name):
    """A failure of connecting after the handover would be a riddle: nothing is certain."""
    error = await fail_with(made(name), open_transport(), mocked, begun=True)

    assert error.may_have_been_sent
    assert not error.is_retryable


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("name", [*OPEN, "TimeoutError", "OSError", "ConnectionResetError"])
async def test_any_other_failure_leaves_it_open(open_transport, mocked, name, begun):
    builtin = {"TimeoutError": TimeoutError, "OSError": OSError}.get(name, ConnectionResetError)
    failure = made(name) if name in OPEN else builtin("what happened")
    error = await fail_with(failure, open_transport(), mocked, begun=begun)

    assert error.may_have_been_sent
    assert not error.is_retryable
    assert isinstance(
        error, RequestTimeout if isinstance(failure, TimeoutError) else ConnectionLost
    )


async def test_what_a_failure_says_holds_no_number_and_no_text(open_transport, mocked):
    error = await fail_with(
        aiohttp.ClientPayloadError("01012345678 안녕하세요"), open_transport(), mocked, begun=True
    )

    assert "0101234" not in str(error)
    assert "안녕" not in str(error)


async def test_a_bug_of_ours_is_not_a_failure_of_the_network(open_transport, mocked):
    mocked.post(URL_ + TARGET, exception=KeyError("bug"))
    with pytest.raises(KeyError):
        await open_transport().exchange(SEND, {}, Handover())


# -- the handover


async def test_a_withdrawn_handover_is_never_written(open_transport):
    received = bytearray()

    async def listen(connection):
        while data := await connection.reader.read(1000):
            received.extend(data)

    async with RawServer(listen) as server:
        transport = open_transport(server.url)
        handover = Handover()
        assert handover.withdraw()
        with pytest.raises(TransportError):
            await transport.exchange(SEND, {}, handover)
        await asyncio.sleep(1.0)

    assert not handover.begun
    assert b"messages" not in bytes(received).partition(b"\r\n\r\n")[2]
    assert SEND.body not in received


async def test_what_was_handed_over_cannot_be_withdrawn(open_transport):
    async with RawServer(lambda connection: connection.silence()) as server:
        handover = Handover()
        exchange = asyncio.create_task(open_transport(server.url).exchange(SEND, {}, handover))
        await asyncio.sleep(1.0)
        assert handover.begun
        assert not handover.withdraw()
        exchange.cancel()
        with pytest.raises(asyncio.CancelledError):
            await exchange


async def test_what_waits_for_a_connection_is_not_handed_over(open_transport):
    async with RawServer(lambda connection: connection.silence()) as server:
        transport = open_transport(server.url, connections=1, connect=2.0)
        first = asyncio.create_task(transport.exchange(SEND, {}, Handover()))
        await asyncio.sleep(0.1)
        handover = Handover()
        with pytest.raises(ConnectFailed) as caught:
            await transport.exchange(SEND, {}, handover)
        assert not handover.begun
        assert not caught.value.may_have_been_sent
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_refused_port_was_not_handed_over(open_transport):
    handover = Handover()
    with pytest.raises(ConnectFailed, match="ConnectionRefusedError"):
        await open_transport(f"http://127.0.0.1:{free_port()}").exchange(SEND, {}, handover)

    assert not handover.begun


# -- the wire


async def accept(connection) -> None:
    while await connection.request():
        await connection.accept()


async def test_the_body_is_on_the_wire_once_with_its_length(open_transport):
    async with RawServer(accept) as server:
        await open_transport(server.url).exchange(SEND, {"x-one": "1"}, Handover())
        [request] = server.requests

    assert request.body == SEND.body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(SEND.body))
    assert request.headers["x-one"] == "1"
    assert "cookie" not in request.headers
    assert "expect" not in request.headers


async def test_connections_are_used_again(open_transport):
    async with RawServer(accept) as server:
        transport = open_transport(server.url)
        for _ in range(5):
            await transport.exchange(SEND, {}, Handover())
        assert (server.connections, len(server.requests)) == (1, 5)


async def test_cookies_are_not_kept(open_transport):
    async def bake(connection):
        while await connection.request():
            await connection.answer(202, {}, Set_Cookie="a=b")

    async with RawServer(bake) as server:
        transport = open_transport(server.url.replace("127.0.0.1", "localhost"))
        for _ in range(2):
            await transport.exchange(SEND, {}, Handover())
        assert all("cookie" not in request.headers for request in server.requests)


async def test_the_environments_proxy_is_not_used(open_transport, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with RawServer(accept) as server:
        response = await open_transport(server.url).exchange(SEND, {}, Handover())

    assert response.status == 202


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(open_transport, status):
    async def redirect(connection):
        while await connection.request():
            await connection.answer(status, Location=server.url + TARGET)

    async with RawServer(redirect) as server:
        response = await open_transport(server.url).exchange(SEND, {}, Handover())
        assert (response.status, response.location) == (status, server.url + TARGET)
        assert len(server.requests) == 1


async def test_a_post_is_not_repeated_when_a_kept_connection_dies(open_transport):
    async def accept_one_and_hang_up(connection):
        await connection.request()
        await connection.accept()
        await connection.request()
        connection.close()

    async with RawServer(accept_one_and_hang_up) as server:
        transport = open_transport(server.url)
        await transport.exchange(SEND, {}, Handover())
        with pytest.raises(ConnectionLost) as caught:
            await transport.exchange(SEND, {}, Handover())
        assert len(server.requests) == 2

    assert caught.value.may_have_been_sent


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_huge_answer_is_not_read_to_its_end(open_transport, is_announced):
    written = 0

    async def babble(connection):
        nonlocal written
        await connection.request()
        size = 64 * MAX_ANSWER_BYTES
        head = f"Content-Length: {size}" if is_announced else "Connection: close"
        await connection.write(f"HTTP/1.1 202 Accepted\r\n{head}\r\n\r\n".encode())
        while written < size:
            await connection.write(b"x" * 65536)
            written += 65536

    async with RawServer(babble) as server:
        with pytest.raises(ConnectionLost) as caught:
            await open_transport(server.url).exchange(SEND, {}, Handover())
        await asyncio.sleep(1.0)

    assert caught.value.may_have_been_sent
    assert written < 32 * MAX_ANSWER_BYTES


async def test_an_answer_of_the_greatest_length_is_read(open_transport):
    async def answer_long(connection):
        await connection.request()
        await connection.answer(200, b"x" * MAX_ANSWER_BYTES)

    async with RawServer(answer_long) as server:
        response = await open_transport(server.url).exchange(SEND, {}, Handover())

    assert len(response.body) == MAX_ANSWER_BYTES


async def test_a_compressed_bomb_is_not_inflated(open_transport):
    """We ask for no compression; an answer that is compressed all the same is capped, too."""

    async def explode(connection):
        assert (await connection.request()).headers["accept-encoding"] == "identity"
        bomb = zlib.compress(b"x" * (64 * MAX_ANSWER_BYTES))
        await connection.answer(202, bomb, Content_Encoding="deflate")

    async with RawServer(explode) as server:
        with pytest.raises(ConnectionLost):
            await open_transport(server.url).exchange(SEND, {}, Handover())


async def test_an_exchange_takes_no_longer_than_it_may(open_transport, clock):
    async def trickle(connection):
        await connection.request()
        await connection.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await connection.write(b"x")
            await asyncio.sleep(0.9)

    began = clock.monotonic()
    async with RawServer(trickle) as server:
        with pytest.raises(RequestTimeout, match="within 7 s"):
            await open_transport(server.url, total=7.0).exchange(SEND, {}, Handover())

    assert clock.monotonic() - began == pytest.approx(7.0, abs=1.5)


ODD_SERVICE_IDS = [
    "ncp:sms:kr:000000000001:demo",
    "ncp%3Asms%3Akr%3A000000000001%3Ademo",
    "ncp%3asms%3akr%3a000000000001%3ademo",
    "ncp:sms:kr:000000000001:데모",
    "ncp:sms:kr:1:a+b&c=d;e,f@g!h$i'j(k)*l",
    "ncp:sms:kr:1:a~b-c.d_e",
    'ncp:sms:kr:1:"<>^`{|}[]',
    "a..b",
]


@pytest.mark.parametrize("service_id", ODD_SERVICE_IDS)
async def test_the_target_on_the_wire_is_the_one_that_was_signed(service_id, clock):
    async with RawServer(accept) as server:
        settings = Settings(base_url=server.url, rate_limit=None)
        async with SensSession(
            Credentials("access", "secret"),
            service_id=service_id,
            sender="0200000000",
            settings=settings,
            clock=clock,
        ) as sens:
            await sens.send("01012345678", "안녕하세요")
        [request] = server.requests

    stamp = request.headers["x-ncp-apigw-timestamp"]
    signed = f"POST {request.target}\n{stamp}\naccess"
    mac = base64.b64encode(hmac.digest(b"secret", signed.encode(), hashlib.sha256)).decode()
    assert request.headers["x-ncp-apigw-signature-v2"] == mac
    assert request.target == Service(service_id).messages
    assert request.headers["x-ncp-iam-access-key"] == "access"


@pytest.mark.parametrize(
    "target",
    [
        "/a?b=2025-11-25%2009%3A00%3A00&c=1",
        "/a?b=2025-11-25+09:00:00",
        "/a%2Fb?c=%2B%26",
        "/a/../b?c=%7E~",
        "/a//b/?",
    ],
)
async def test_a_query_is_on_the_wire_byte_for_byte(open_transport, target):
    async with RawServer(accept) as server:
        try:
            await open_transport(server.url).exchange(Request("GET", target), {}, Handover())
        except ValueError:
            assert server.connections == 0  # refused rather than sent otherwise
        else:
            assert [request.target for request in server.requests] == [target]


@pytest.mark.parametrize("target", ["/a b", "/안녕", "/a#b", "/a\r\nX: y"])
async def test_a_target_that_would_change_on_its_way_is_refused(open_transport, target):
    with pytest.raises(ValueError, match="not a request target"):
        await open_transport().exchange(Request("GET", target), {}, Handover())


async def test_a_name_is_looked_up_again_after_it_failed(open_transport, monkeypatch):
    asked = []

    async def unresolvable(host, *_, **__):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unresolvable)
    for _ in range(2):
        with pytest.raises(ConnectFailed, match=r"sens\.invalid"):
            await open_transport("https://sens.invalid").exchange(SEND, {}, Handover())

    assert len(asked) == 2


async def test_it_can_be_closed_before_it_was_opened_and_twice(open_transport):
    transport = open_transport()
    await transport.aclose()
    await transport.aclose()

    assert "idle" in repr(transport)
