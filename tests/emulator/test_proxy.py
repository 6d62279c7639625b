"""The emulator as the proxy of a client whose `https://sens.apigw.ntruss.com` is fixed."""

import asyncio
import ssl
import stat
import subprocess
import sys

import aiohttp
import orjson
import pytest
from yarl import URL

from sens_async.emulator import Emulator
from sens_async.emulator.targets import SENS_HOSTS

cryptography = pytest.importorskip("cryptography")


@pytest.fixture
async def proxy(clock):
    async with Emulator(clock=clock, tls=True) as running:
        yield running


@pytest.fixture
async def plain(clock):
    async with Emulator(clock=clock) as running:
        yield running


@pytest.fixture
def trust(proxy):
    return ssl.create_default_context(cafile=proxy.ca_file)


@pytest.fixture
async def client(proxy, start, message):
    client = await start()
    client.emulator, client.message = proxy, message
    return client


def port_of(emulator):
    return int(emulator.url.rpartition(":")[2])


async def connect(emulator, line, *, more=b""):
    """Ask for a tunnel; the connection and the answer to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    writer.write(f"{line}\r\nHost: x\r\nProxy-Connection: keep-alive\r\n\r\n".encode() + more)
    return reader, writer, await reader.readuntil(b"\r\n\r\n")


async def post(client, host, trust, **options):
    """Send through a tunnel, as aiohttp does it."""
    target = client.target("messages")
    return await client.http.post(
        URL(f"https://{host}{target}", encoded=True),
        data=orjson.dumps(client.message()),
        headers=client.headers(target),
        proxy=client.emulator.url,
        ssl=trust,
        **options,
    )


@pytest.mark.parametrize("host", SENS_HOSTS)
async def test_a_client_with_a_fixed_host_gets_through(client, proxy, trust, host):
    async with await post(client, host, trust) as response:
        assert response.status == 202
        assert (await response.json())["statusName"] == "success"

    [request] = proxy.requests
    assert (request.target, request.headers["Host"]) == (client.target("messages"), host)
    assert list(proxy.admissions) == ["01000000001"]


async def test_a_tunnel_is_used_for_many_requests(client, proxy, trust):
    for _ in range(3):
        async with await post(client, SENS_HOSTS[0], trust) as response:
            assert response.status == 202

    assert len(proxy.requests) == 3


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
async def test_a_tunnel_to_itself_is_secure_too(client, proxy, trust, name):
    async with await post(client, f"{name}:{port_of(proxy)}", trust) as response:
        assert response.status == 202


async def test_plain_http_is_served_beside_it(client, proxy):
    assert (await client.send("01000000002")).status == 202
    assert list(proxy.admissions) == ["01000000002"]


@pytest.mark.parametrize(
    "authority",
    [
        "example.com:443",
        "registry.npmjs.org:443",
        "sens.apigw.ntruss.com:80",
        "sens.apigw.ntruss.com",
        "sens.apigw.ntruss.com.evil.example:443",
        "evil.example/sens.apigw.ntruss.com:443",
        "u@sens.apigw.ntruss.com:443",
        "127.0.0.1:22",
        "localhost:1",
        "127.0.0.2:443",
        "169.254.169.254:443",
    ],
)
async def test_it_is_a_proxy_to_nobody_else(proxy, authority):
    reader, writer, reply = await connect(proxy, f"CONNECT {authority} HTTP/1.1")
    body = orjson.loads(await reader.read())
    writer.close()

    assert reply.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert f"no proxy to '{authority}'" in body["error"]


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("CONNECT sens.apigw.ntruss.com:443", b""),
        ("CONNECT  sens.apigw.ntruss.com:443 HTTP/1.1", b""),
        ("CONNECT sens.apigw.ntruss.com:443 HTTP/2", b""),
        ("CONNECT sens.apigw.ntruss.com:443 HTTP/1.1", b"\x16\x03\x01"),
        ("CONNECT sens.apigw.ntruss.com:443 HTTP/1.1\r\nX: " + "x" * 9000, b""),
        ("CONNECT " + "x" * 9000, b""),
    ],
)
async def test_what_is_no_connect_request_is_refused(proxy, line, more):
    _, writer, reply = await connect(proxy, line, more=more)
    writer.close()

    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_request_line_may_come_byte_by_byte(proxy, clock):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(proxy))
    for byte in b"CONNECT localhost:%d HTTP/1.0\r\n\r\n" % port_of(proxy):
        writer.write(bytes([byte]))
        await clock.sleep(0.1)
    tunnelled = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(proxy))
    for byte in b"COPY / HTTP/1.0\r\n\r\n":
        writer.write(bytes([byte]))
        await clock.sleep(0.1)
    plain = await reader.read()
    writer.close()

    assert tunnelled == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert plain.startswith(b"HTTP/1.0 404")


async def test_without_tls_a_tunnel_is_refused_and_what_it_needs_is_said(plain):
    reader, writer, reply = await connect(plain, "CONNECT sens.apigw.ntruss.com:443 HTTP/1.1")
    body = await reader.read()
    writer.close()

    assert reply.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"sens emulator --tls" in body


async def test_a_client_that_does_not_trust_it_sends_nothing(client, proxy, caplog):
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await post(client, SENS_HOSTS[0], ssl.create_default_context())

    assert proxy.requests == []
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["drop", "reset", "half", "half_head", "garbage", "hang"])
async def test_connections_break_inside_a_tunnel_as_outside(client, proxy, trust, clock, kind):
    proxy.fail(kind, accept=True)
    timeout = aiohttp.ClientTimeout(total=5.0)
    with pytest.raises((aiohttp.ClientError, TimeoutError)):
        async with await post(client, SENS_HOSTS[0], trust, timeout=timeout) as response:
            await response.read()

    assert len(proxy.admissions) == 1


async def test_the_control_interface_is_not_reached_under_the_names_of_sens(client, proxy, trust):
    async def control(host, **options):
        url = f"https://{host}/_emulator/"
        async with client.http.get(url, proxy=proxy.url, ssl=trust, **options) as response:
            return response.status

    own = f"localhost:{port_of(proxy)}"
    assert await control(SENS_HOSTS[0]) == 403
    assert await control(own) == 200
    assert await control(own, headers={"Host": SENS_HOSTS[0]}) == 403


async def test_a_page_of_the_tunnel_may_change_things_and_no_other(client, proxy, trust):
    own = f"localhost:{port_of(proxy)}"

    async def reset(origin):
        url, headers = f"https://{own}/_emulator/reset", {"Origin": origin}
        async with client.http.post(url, proxy=proxy.url, ssl=trust, headers=headers) as response:
            return response.status

    assert await reset(f"https://{own}") == 204
    assert await reset(f"http://{own}") == 403
    assert await reset(f"https://{SENS_HOSTS[0]}") == 403


async def test_the_file_is_there_while_it_runs_and_holds_no_key(clock):
    emulator = Emulator(clock=clock, tls=True)
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.ca_file
    async with emulator:
        file = emulator.ca_file
        mode, folder = stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)
        first, files = file.read_text(), list(file.parent.iterdir())
        assert (mode, folder, files) == (0o600, 0o700, [file])
        assert first.startswith("-----BEGIN CERTIFICATE-----\n")
        assert "KEY" not in first
    assert not file.parent.exists()
    async with emulator:
        assert emulator.ca_file.read_text() != first


async def test_no_key_is_ever_written_in_the_clear(clock, monkeypatch, tmp_path):
    written = []
    from pathlib import Path

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda p, d: written.append(d) or write(p, d))
    async with Emulator(clock=clock, tls=True, ca_file=tmp_path / "ca.pem"):
        pass

    keys = [data for data in written if b"KEY" in data]
    assert [data.count(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") for data in keys] == [1]
    assert b"".join(keys).count(b"PRIVATE KEY") == 2


async def test_a_chosen_file_is_written_anew_and_stays(clock, tmp_path):
    path = tmp_path / "ca.pem"
    texts = []
    for _ in range(2):
        async with Emulator(clock=clock, tls=True, ca_file=str(path)) as emulator:
            assert emulator.ca_file == path
            texts.append(path.read_text())
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert texts[0] != texts[1]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "my notes"])
async def test_a_file_of_somebody_else_is_not_overwritten(clock, tmp_path, text):
    path = tmp_path / "ca.pem"
    path.write_text(text)
    emulator = Emulator(clock=clock, tls=True, ca_file=path)
    with pytest.raises(FileExistsError, match="no certificate of an emulator"):
        await emulator.start()

    assert path.read_text() == text
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url


async def test_a_port_that_is_taken_leaves_no_file(proxy, tmp_path):
    path = tmp_path / "ca.pem"
    with pytest.raises(OSError, match=str(port_of(proxy))):
        await Emulator(port=port_of(proxy), tls=True, ca_file=path).start()

    assert not path.exists()


async def test_a_folder_that_is_not_there_is_an_error_and_nothing_listens(clock, tmp_path):
    emulator = Emulator(clock=clock, tls=True, ca_file=tmp_path / "no" / "ca.pem")
    with pytest.raises(FileNotFoundError):
        await emulator.start()

    assert repr(emulator).startswith("<Emulator not running")


def test_a_file_without_tls_is_a_mistake():
    with pytest.raises(ValueError, match="with tls only"):
        Emulator(ca_file="ca.pem")


async def test_the_authority_vouches_for_sens_and_loopback_only(proxy):
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(proxy.ca_file.read_bytes())
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    names = [str(name.value) for name in constraints.value.permitted_subtrees]

    assert constraints.critical
    assert names == [*SENS_HOSTS, "localhost", "127.0.0.1/32", "::1/128"]


async def test_the_ready_line_tells_of_proxy_and_file_with_tls_only(proxy, plain):
    with_tls, without = orjson.loads(proxy.ready_line()), orjson.loads(plain.ready_line())

    assert (with_tls["proxy"], with_tls["ca_file"]) == (proxy.url, str(proxy.ca_file))
    assert with_tls.keys() - without.keys() == {"proxy", "ca_file"}
    with pytest.raises(RuntimeError, match="without TLS"):
        plain.proxy_environment()


async def test_closing_ends_tunnels_and_visitors_at_once(clock, caplog):
    emulator = Emulator(clock=clock, tls=True)
    await emulator.start()
    trust = ssl.create_default_context(cafile=emulator.ca_file)
    silent, silent_writer = await asyncio.open_connection("127.0.0.1", port_of(emulator))
    _, handshaking, _ = await connect(emulator, "CONNECT sens.apigw.ntruss.com:443 HTTP/1.1")
    async with aiohttp.ClientSession() as http:
        url = "https://sens.apigw.ntruss.com/"
        async with http.get(url, proxy=emulator.url, ssl=trust) as response:
            assert response.status == 404
        before = clock.monotonic()
        await emulator.aclose()

        assert clock.monotonic() - before < 1.0
        assert await silent.read() == b""
    for writer in (silent_writer, handshaking):
        writer.close()
    assert caplog.records == []


def test_the_library_for_it_is_imported_with_tls_only_and_named_when_it_is_missing():
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from sens_async.emulator import Emulator\n"
        "Emulator()\n"
        "try: Emulator(tls=True)\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "cryptography: pip install 'sens-async[emulator]'" in done.stdout
