import asyncio
import socket

import aiohttp
import orjson
import pytest

from sens_async.emulator import Emulator


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost", "192.168.0.10", ""])
def test_only_loopback_is_bound(host):
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        Emulator(host=host)


async def test_it_listens_on_loopback_and_on_no_other_address(emulator):
    port = int(emulator.url.rpartition(":")[2])
    with socket.socket() as elsewhere:
        elsewhere.settimeout(0.5)

        assert elsewhere.connect_ex(("127.0.0.2", port)) != 0


def test_nothing_is_served_before_it_starts():
    emulator = Emulator()

    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url
    assert repr(emulator) == "<Emulator not running ncp:sms:kr:000000000001:emulator>"


async def test_its_record_outlives_it(start):
    client = await start()
    await client.send("01000000001")
    await client.emulator.aclose()
    await client.emulator.aclose()

    assert list(client.emulator.admissions) == ["01000000001"]
    assert len(client.emulator.requests) == 1


async def test_it_can_start_again_but_not_twice():
    emulator = Emulator()
    async with emulator:
        with pytest.raises(RuntimeError, match="running already"):
            await emulator.start()
    async with emulator:
        assert emulator.url.startswith("http://127.0.0.1:")


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(emulator):
    port = int(emulator.url.rpartition(":")[2])

    with pytest.raises(OSError, match=str(port)):
        await Emulator(port=port).start()


async def test_the_ready_line_is_what_a_client_needs():
    async with Emulator(access_key="AK", secret_key="SK", sender="15880000") as emulator:
        line = emulator.ready_line()

        assert "\n" not in line
        assert orjson.loads(line) == {
            "url": emulator.url,
            "access_key": "AK",
            "secret_key": "SK",
            "service_id": emulator.service_id,
            "sender": "15880000",
        }


@pytest.mark.parametrize("kind", ["hang", "late"])
async def test_closing_ends_what_waits_at_once(start, clock, caplog, kind):
    client = await start()
    client.emulator.fail(kind, delay=3600.0)
    sends = [asyncio.create_task(client.send(patience=7200.0)) for _ in range(5)]
    await clock.sleep(1.0)
    before = clock.monotonic()
    await client.emulator.aclose()

    assert clock.monotonic() - before < 1.0
    for send in sends:
        with pytest.raises(aiohttp.ClientError):
            await send
    await clock.sleep(7200.0)
    assert not client.emulator.admissions
    assert caplog.records == []


async def test_closing_does_not_wait_for_a_body_that_never_comes(start, clock):
    client = await start()
    port = int(client.emulator.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    target = client.target("messages")
    writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    await clock.sleep(1.0)
    before = clock.monotonic()
    await client.emulator.aclose()
    writer.close()
    await writer.wait_closed()

    assert clock.monotonic() - before < 1.0


async def test_refused_numbers_can_be_set_and_are_forgotten_by_a_reset(client, emulator):
    emulator.refuse_numbers = {"01000000002"}
    refused = await client.send("01000000001", "01000000002")
    emulator.reset()
    accepted = await client.send("01000000001", "01000000002")

    assert (refused.status, accepted.status) == (400, 202)


async def test_its_session_is_one_of_this_emulator_and_clock(emulator):
    pytest.importorskip("sens_async.session")
    async with emulator.session() as sens:
        receipt = await sens.send("010-0000-0001", "안녕하세요")

    assert receipt.request_id == emulator.admissions["01000000001"][0].request_id


async def test_a_sessions_settings_are_kept_and_pointed_at_the_emulator(emulator):
    pytest.importorskip("sens_async.session")
    from sens_async import Settings

    settings = Settings(rate_limit=None, max_in_flight=1)
    async with emulator.session(settings=settings, sender="15880000") as sens:
        await sens.send("010-0000-0001", "안녕하세요")

    assert emulator.admissions["01000000001"][0].sender == "15880000"
