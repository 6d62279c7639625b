import aiohttp
import orjson
import pytest
from emulator_calls import call, listed

from sens_async.emulator import parse_fault
from sens_async.emulator.routes import ENDPOINTS

CALLS = {
    "list": ("GET", "messages", "requestId=x", None),
    "message": ("GET", "messages/x", "", None),
    "reservation": ("GET", "reservations/x/reserve-status", "", None),
    "cancel": ("DELETE", "reservations/x", "", None),
    "unsubscribes": ("GET", "unsubscribes", "", None),
    "add_unsubscribes": ("POST", "unsubscribes", "", [{"clientTelNo": "01000000001"}]),
    "remove_unsubscribes": ("DELETE", "unsubscribes", "", [{"clientTelNo": "01000000001"}]),
}


def test_there_is_a_call_for_every_endpoint():
    assert CALLS.keys() | {"messages", "files"} == ENDPOINTS


@pytest.mark.parametrize("endpoint", CALLS)
async def test_every_endpoint_can_fail_and_is_logged_by_its_name(client, emulator, endpoint):
    emulator.fail(503, endpoint=endpoint, times=1)
    broken, whole = [await call(client, *CALLS[endpoint]) for _ in range(2)]

    assert (broken.status, broken.json["error"]["errorCode"]) == (503, "500")
    assert whole.status != 503
    assert [(entry.endpoint, entry.fault) for entry in emulator.requests] == [
        (endpoint, "status"),
        (endpoint, None),
    ]


@pytest.mark.parametrize("kind", ["half", "drop", "reset", "half_head", "garbage"])
@pytest.mark.parametrize("endpoint", CALLS)
async def test_every_endpoint_can_break_off(client, emulator, endpoint, kind):
    emulator.fail(kind, endpoint=endpoint)
    with pytest.raises(aiohttp.ClientError):
        await call(client, *CALLS[endpoint])


async def test_a_fault_without_an_endpoint_is_for_sends(client, emulator):
    emulator.fail(503)
    await client.send()

    assert (await call(client, "GET", "unsubscribes")).status == 404


@pytest.mark.parametrize("accept", [False, True])
async def test_what_changes_something_is_done_only_if_the_fault_says_so(client, emulator, accept):
    emulator.fail("drop", endpoint="add_unsubscribes", accept=accept)
    with pytest.raises(aiohttp.ClientError):
        await call(client, *CALLS["add_unsubscribes"])

    assert len(emulator.unsubscribes) == accept
    assert [entry.accepted for entry in emulator.requests] == [accept]


async def test_half_a_list_is_half_of_the_real_one(start):
    client = await start(visibility_delay=0)
    request_id = (await client.send("01000000001")).json["requestId"]
    whole = (await listed(client, requestId=request_id)).body
    client.emulator.fail("half", endpoint="list")
    target = client.target(f"messages?requestId={request_id}")
    async with client.http.get(
        client.emulator.url + target, headers=client.headers(target, method="GET")
    ) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
        assert int(response.headers["Content-Length"]) == len(whole)


@pytest.mark.parametrize(
    ("line", "endpoint"),
    [
        ("GET messages 10%: 500", "list"),
        ("GET message: drop", "message"),
        ("GET reservation requests 2: reset", "reservation"),
        ("DELETE reservation: late delay=2", "cancel"),
        ("GET unsubscribes: half", "unsubscribes"),
        ("POST unsubscribes: drop after accept", "add_unsubscribes"),
        ("DELETE unsubscribes: hang", "remove_unsubscribes"),
    ],
)
def test_a_script_names_the_endpoints_by_method_and_path(line, endpoint):
    assert parse_fault(line).endpoint == endpoint


async def test_a_fault_on_a_list_is_ordered_as_json(client):
    order = orjson.dumps({"kind": "drop", "endpoint": "list"})
    ordered = await client.call("POST", "/_emulator/faults", order, {})
    wrong = orjson.dumps({"kind": "no_id", "endpoint": "list"})

    assert ordered.json["faults"][0]["endpoint"] == "list"
    assert (await client.call("POST", "/_emulator/faults", wrong, {})).status == 400
