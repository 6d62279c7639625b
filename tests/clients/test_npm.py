"""Clients from npm, as they are: environment variables alone send them to the emulator.

Both have `https://sens.apigw.ntruss.com` fixed, and an axios of before 1.0. With HTTPS_PROXY that
writes `POST https://sens.apigw.ntruss.com/...` to the proxy in the clear, without CONNECT. With
global-agent, which users preload for their proxies, they open tunnels and speak TLS inside.
"""

import json

import pytest

pytestmark = pytest.mark.real_time

CLIENTS = ["node-sens", "ncp-client"]
WAYS = ["absolute", "tunnel"]
TEXT = "안녕하세요, 홍길동님"
MESSAGE = {"to": "01012345678", "content": TEXT}


@pytest.fixture
def tls(way):
    return way == "tunnel"


@pytest.fixture
def environ(emulator, way):
    """The variables of one way to the emulator."""
    if way == "absolute":
        return {"HTTPS_PROXY": emulator.url}
    return {
        "NODE_OPTIONS": "--require global-agent/bootstrap",
        "GLOBAL_AGENT_HTTPS_PROXY": emulator.url,
        "NODE_EXTRA_CA_CERTS": str(emulator.ca_file),
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_sends(call, emulator, environ, client):
    answer = await call(client, "sendSMS", MESSAGE, environ=environ)

    [admission] = emulator.admissions["01012345678"]
    [request] = emulator.requests
    assert (admission.text, admission.type, admission.failure) == (TEXT, "SMS", None)
    assert request.headers["Host"] == "sens.apigw.ntruss.com"
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    if client == "node-sens":
        assert answer == {"success": True, "status": 202, "msg": "Accepted"}
    else:
        assert answer["isSuccess"]
        assert answer["data"]["requestId"] == admission.request_id
        assert answer["preprocessed"] == {
            "result": "success",
            "requestId": admission.request_id,
        }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_is_told_of_a_refusal(call, emulator, environ, client):
    environ["SENS_SECRET_KEY"] = "another"
    answer = await call(client, "sendSMS", MESSAGE, environ=environ)

    assert not emulator.admissions
    if client == "node-sens":
        assert answer == {"success": False, "status": 401, "msg": "Unauthorized"}
    else:
        assert answer == {
            "isSuccess": False,
            "errorMessage": "Unexpected HTTP Status Code : 401",
        }


@pytest.mark.parametrize("way", ["tunnel"])
async def test_a_client_without_the_certificate_sends_nothing(call, emulator, environ):
    del environ["NODE_EXTRA_CA_CERTS"]
    answer = await call("ncp-client", "sendSMS", MESSAGE, environ=environ)

    assert answer == {"isSuccess": False, "errorMessage": "No response from the server"}
    assert not emulator.requests


@pytest.mark.parametrize("way", ["absolute"])
async def test_ncp_client_sends_many_with_texts_of_their_own(call, emulator, environ):
    people = [{"to": f"0101234567{i}", "content": f"{i}번째"} for i in range(3)]
    answer = await call("ncp-client", "sendSMS", people, 81, environ=environ)

    body = json.loads(emulator.requests[0].body)
    assert answer["isSuccess"]
    assert (body["content"], body["countryCode"]) == (" ", "81")
    assert [emulator.admissions[one["to"]][0].text for one in people] == ["0번째", "1번째", "2번째"]


@pytest.mark.parametrize("way", WAYS)
async def test_ncp_client_reads_back_what_became_of_a_message(call, emulator, environ):
    sent = await call("ncp-client", "sendSMS", MESSAGE, environ=environ)
    request_id = sent["data"]["requestId"]
    emulator.advance(60.0)
    listed = await call("ncp-client", "searchMessageRequest", request_id, environ=environ)
    [message_id] = listed["preprocessed"]["messageIds"]
    found = await call("ncp-client", "searchMessageResult", message_id, environ=environ)

    [message] = found["preprocessed"]["messages"]
    assert listed["data"]["messages"][0]["requestId"] == request_id
    assert message_id == emulator.admissions["01012345678"][0].message_id
    assert (message["to"], message["content"], message["status"]) == (
        "01012345678",
        TEXT,
        "COMPLETED",
    )
    assert (message["statusCode"], message["statusName"]) == ("0", "success")


@pytest.mark.parametrize("way", ["absolute"])
async def test_ncp_client_is_told_that_nothing_is_listed_yet(call, emulator, environ):
    sent = await call("ncp-client", "sendSMS", MESSAGE, environ=environ)
    request_id = sent["data"]["requestId"]
    listed = await call("ncp-client", "searchMessageRequest", request_id, environ=environ)

    assert listed == {"isSuccess": False, "errorMessage": "Unexpected HTTP Status Code : 404"}
