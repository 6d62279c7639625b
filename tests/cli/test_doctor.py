"""`sens doctor`: what is wrong is named, and what is right is not blamed for it."""

import json

import pytest
from yarl import URL

from sens_async.cli.diagnosis import diagnose, masked_key
from sens_async.cli.network import Answered, Reached, SystemNetwork, Unreachable
from sens_async.clock import SystemClock
from sens_async.core.responses import Response
from sens_async.emulator import Emulator, EmulatorOptions

pytestmark = pytest.mark.real_time

ENVIRON = {
    "SENS_ACCESS_KEY": "EXAMPLEACCESSKEY0001",
    "SENS_SECRET_KEY": "example-secret-key-do-not-use-000000000001",
    "SENS_SERVICE_ID": "ncp:sms:kr:000000000001:demo",
    "SENS_SENDER": "0200000000",
}
NAMES = ["access key", "secret key", "service id", "base url", "dns", "tcp", "tls"]
NAMES += ["clock", "signature", "service", "sender"]


def flat(text):
    return " ".join(text.split())


@pytest.fixture
def examine(quick):
    """What the doctor says for machines: the exit code, and check -> finding and all."""

    async def examine(**changes):
        environ = {name: value for name, value in changes.items() if value is not None}
        result = await quick("doctor", "--json", environ=environ)
        document = json.loads(result.out)
        assert document["exit_code"] == result.code
        assert document["is_well"] == (result.code == 0)
        return result.code, {check["check"]: check for check in document["checks"]}

    return examine


def findings(checks):
    return {name: check["finding"] for name, check in checks.items()}


async def test_all_is_well_and_nothing_was_sent(quick, examine, emulator, environ):
    code, checks = await examine(**environ)
    shown = await quick("doctor")

    assert (code, shown.code) == (0, 0)
    assert list(checks) == NAMES
    assert findings(checks) == {**dict.fromkeys(NAMES, "good"), "sender": "open"}
    assert checks["tcp"]["seconds"] >= 0
    assert "✓ signature 서명" in shown.out
    assert "? sender 발신번호 020-****-0000" in flat(shown.out)
    assert "all is well 이상 없음" in shown.out
    assert {request.endpoint for request in emulator.requests} == {"list"}
    assert not emulator.admissions


async def test_a_wrong_secret_shows_what_was_signed_and_no_secret(
    quick, examine, emulator, environ
):
    environ = {**environ, "SENS_SECRET_KEY": "a-secret-that-is-not-right"}
    code, checks = await examine(**environ)
    shown = await quick("doctor", environ=environ)

    assert (code, shown.code) == (1, 1)
    assert (findings(checks)["signature"], findings(checks)["service"]) == ("bad", "skipped")
    masked = masked_key(emulator.access_key)
    request, timestamp, key = checks["signature"]["signed"].split("\n")
    assert request.startswith(f"GET /sms/v2/services/{emulator.service_id}/messages?")
    assert (len(timestamp), key) == (13, masked)
    assert masked in shown.out
    assert "the secret key is not that of this access key" in shown.out
    for said in (shown.out + shown.err, json.dumps(checks)):
        assert emulator.access_key not in said
        assert environ["SENS_SECRET_KEY"] not in said
        assert emulator.secret_key not in said


async def test_an_unknown_access_key_is_not_shown_whole(quick, environ):
    environ = {**environ, "SENS_ACCESS_KEY": "ANOTHERACCESSKEY0099"}

    shown = await quick("doctor", environ=environ)

    assert shown.code == 1
    assert "ANOTHERACCESSKEY0099" not in shown.out
    assert "ANOT************0099" in shown.out


@pytest.mark.parametrize("status", ["403", "404"])
async def test_a_foreign_service_is_told_from_a_wrong_signature(examine, environ, status):
    options = EmulatorOptions(foreign_service=status)
    async with Emulator(options=options) as other:
        code, checks = await examine(
            **{**environ, "SENS_BASE_URL": other.url, "SENS_SERVICE_ID": "ncp:sms:kr:9:other"}
        )

    assert code == 1
    assert findings(checks)["signature"] == "good"
    assert findings(checks)["service"] == "bad"
    assert status in checks["service"]["text"]


@pytest.mark.parametrize(
    ("ahead", "finding", "words"),
    [
        (30, "good", "within"),
        (120, "warning", "s behind that of SENS"),
        (400, "bad", "s behind that of SENS"),
        (-120, "warning", "s ahead of that of SENS"),
        (-100_000, "bad", "s ahead of that of SENS"),
    ],
)
async def test_a_clock_that_is_off_is_blamed_and_the_keys_are_not(
    examine, environ, ahead, finding, words
):
    async with Emulator(options=EmulatorOptions(signature_clock="own")) as other:
        other.clock.set(other.clock.time() + ahead)
        code, checks = await examine(**{**environ, "SENS_BASE_URL": other.url})

    assert code == int(finding != "good")
    assert checks["clock"]["finding"] == finding
    assert words in checks["clock"]["text"]
    assert findings(checks)["signature"] == findings(checks)["service"] == "good"


async def test_nobody_listens(examine, environ):
    async with Emulator() as gone:
        url = gone.url
    code, checks = await examine(**{**environ, "SENS_BASE_URL": url})

    assert code == 1
    assert findings(checks) == {
        **dict.fromkeys(NAMES[:5], "good"),
        "tcp": "bad",
        **dict.fromkeys(["clock", "signature", "service"], "skipped"),
        "sender": "open",
    }


async def test_what_is_missing_or_impossible_is_named(examine):
    code, nothing = await examine()
    _, wrong = await examine(
        NCLOUD_ACCESS_KEY=ENVIRON["SENS_ACCESS_KEY"],
        SENS_SECRET_KEY="with a line end\n",
        SENS_SERVICE_ID="a/b",
        SENS_BASE_URL="http://example.com",
        SENS_SENDER="5",
    )

    assert code == 1
    assert nothing["access key"]["text"] == "SENS_ACCESS_KEY or NCLOUD_ACCESS_KEY is not set"
    assert nothing["service id"]["finding"] == "bad"
    assert nothing["sender"]["finding"] == "open"
    assert nothing["signature"]["finding"] == "skipped"
    assert wrong["access key"]["text"].endswith("from NCLOUD_ACCESS_KEY")
    assert "white space stands before or after it" in wrong["secret key"]["advice"][0]
    assert "with a line end" not in json.dumps(wrong)
    assert "SENS_SERVICE_ID holds '/'" in wrong["service id"]["text"]
    assert "SENS_BASE_URL http://example.com is not encrypted" in wrong["base url"]["text"]
    assert wrong["sender"]["finding"] == "bad"


async def test_an_odd_service_id_is_left_to_the_service(examine, environ):
    async with Emulator(service_id="svc") as other:
        code, checks = await examine(
            **{**environ, "SENS_BASE_URL": other.url, "SENS_SERVICE_ID": "svc"}
        )

    assert code == 0
    assert findings(checks)["service id"] == "open"


class Scripted:
    """A network that goes as told."""

    def __init__(self, *steps, answer=None):
        self.steps, self.answer = steps, answer

    async def reach(self, url):
        for step in self.steps:
            yield step

    async def ask(self, url, headers):
        return self.answer


async def examined(network, **environ):
    checks = [c async for c in diagnose({**ENVIRON, **environ}, SystemClock(), network)]
    return {check.name: check for check in checks}


async def test_a_host_that_is_not_found_may_be_behind_a_proxy():
    lost = Unreachable("dns", "sens.apigw.ntruss.com not found", 0.1, ("no network",))

    checks = await examined(Scripted(lost), HTTPS_PROXY="http://proxy")

    assert checks["base url"].text.startswith("https://sens.apigw.ntruss.com, the public zone")
    assert checks["dns"].advice[-1].startswith("HTTPS_PROXY is set")
    assert checks["signature"].finding == "skipped"


@pytest.mark.parametrize(
    ("status", "body", "finding", "words"),
    [
        (503, b"", "bad", "failed with 503"),
        (429, b'{"error":{"errorCode":"410","message":"Throttle"}}', "open", "429"),
        (302, b"", "bad", "redirect"),
        (404, b"<html>nginx</html>", "bad", "does not come from SENS"),
        (200, b"<html>", "bad", "no list of messages"),
        (200, b'{"messages":[]}', "good", "accepted"),
        (404, b"", "good", "accepted"),
    ],
)
async def test_what_an_answer_means(status, body, finding, words):
    answer = Answered(Response(status, body, "Tue, 25 Nov 2025 00:39:40 GMT"), "", 0.01)

    checks = await examined(Scripted(Reached("tcp", "there"), answer=answer))

    assert checks["signature"].finding == finding
    assert words in checks["signature"].text
    assert checks["service"].finding == ("good" if finding == "good" else "skipped")


async def test_a_server_without_tls_is_no_gateway(emulator):
    url = URL(emulator.url.replace("http:", "https:"))

    steps = [step async for step in SystemNetwork().reach(url)]

    assert [type(step) for step in steps] == [Reached, Reached, Unreachable]
    assert steps[-1].step == "tls"
    assert "no TLS with 127.0.0.1" in steps[-1].text


async def test_it_fits_a_terminal(sens, environ):
    result = await sens.on_terminal(
        "doctor", environ={**environ, "SENS_SECRET_KEY": "wrong"}, columns=80
    )

    assert result.code == 1
    assert "✗ signature 서명" in result.out
    assert "…" not in result.out


def test_short_keys_are_masked_whole():
    assert masked_key("short") == "*****"
