import base64
import hashlib
import hmac
import logging

import pytest

from sens_async.emulator.signature import check

ACCESS, SECRET = "EXAMPLEACCESSKEY0001", "c2VjcmV0LWtleS1kby1ub3QtdXNl"
PATH = "/sms/v2/services/ncp:sms:kr:000000000001:demo/messages"
QUERY = "requestStartTime=2025-11-25%2009%3A00%3A00&pageSize=100"
TARGET = f"{PATH}?{QUERY}"
STAMP = 1764031180000
TEXT = f"GET {TARGET}\n{STAMP}\n{ACCESS}"


def mac(text, key=SECRET, digest=hashlib.sha256):
    key = key if isinstance(key, bytes) else key.encode()
    return hmac.new(key, text.encode(), digest).digest()


def b64(data):
    return base64.b64encode(data).decode()


def signed(target=TARGET, stamp=STAMP):
    return b64(mac(f"GET {target}\n{stamp}\n{ACCESS}"))


def verdict(signature, *, stamp=STAMP, now=STAMP / 1000):
    headers = {
        "x-ncp-apigw-timestamp": str(stamp),
        "x-ncp-iam-access-key": ACCESS,
        "x-ncp-apigw-signature-v2": signature,
        "host": "127.0.0.1:8000",
    }
    return check(headers, "GET", TARGET, access_key=ACCESS, secret_key=SECRET, now=now)


@pytest.mark.parametrize(
    ("signature", "cause"),
    [
        (signed(PATH), "the target differs"),
        (signed(TARGET.replace("%20", "+")), "the target differs"),
        (signed(TARGET.replace("%3A", ":")), "the target differs"),
        (signed(f"{PATH}?requestStartTime=2025-11-25 09:00:00&pageSize=100"), "the target differs"),
        (signed(f"{PATH}?pageSize=100&{QUERY.partition('&')[0]}"), "the target differs"),
        (signed(f"https://sens.apigw.ntruss.com{TARGET}"), "the target differs"),
        (signed(stamp=STAMP // 1000), "the timestamp differs"),
        (signed(stamp=STAMP - 7), "the timestamp differs"),
        (b64(mac(f"GET {TARGET}\n{ACCESS}")), "the timestamp is missing"),
        (b64(mac(TEXT.replace("\n", " "))), "lines end in a space"),
        (mac(TEXT).hex(), "in hexadecimal"),
        (b64(mac(TEXT).hex().encode()), "Base64 of hexadecimal digits"),
        (mac(f"GET {PATH}\n{STAMP}\n{ACCESS}").hex(), "the target differs"),
        (b64(mac(TEXT, digest=hashlib.sha512)), "HMAC-SHA512 was used"),
        (b64(mac(TEXT, key=ACCESS)), "the access key was used as the key"),
        (b64(mac(TEXT, key=SECRET + "\n")), "white space follows it"),
        (b64(mac(TEXT, key=base64.b64decode(SECRET))), "decoded from Base64"),
        (b64(mac(TEXT, key="another")), "the secret key differs, or the text"),
    ],
)
def test_a_usual_mistake_is_named_and_the_text_to_sign_is_told(signature, cause):
    explanation = verdict(signature)

    assert cause in explanation
    assert repr(TEXT) in explanation
    assert SECRET not in explanation


@pytest.mark.parametrize(
    ("stamp", "unit"), [(STAMP // 1000, "seconds"), (STAMP * 1000, "microseconds")]
)
def test_a_timestamp_in_another_unit_is_recognised(stamp, unit):
    explanation = verdict(signed(stamp=stamp), stamp=stamp)

    assert f"it is in {unit}, it has to be in milliseconds" in explanation


async def test_the_log_says_what_the_answer_says(client, caplog):
    target = client.target("messages") + "?requestId=x"
    headers = client.headers(target.partition("?")[0], method="GET")
    reply = await client.call("GET", target, b"", headers)

    [record] = caplog.records
    assert (record.name, record.levelno) == ("sens_async.emulator", logging.WARNING)
    assert "the target differs" in record.getMessage()
    assert "the target differs" in reply.json["error"]["details"]
    assert client.emulator.secret_key not in record.getMessage()
