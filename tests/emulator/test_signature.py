import base64

import pytest

from sens_async.emulator.signature import check, sign

ACCESS, SECRET = "EXAMPLEACCESSKEY0001", "example-secret-key-do-not-use-000000000001"
PATH = "/sms/v2/services/ncp:sms:kr:000000000001:demo"
ENCODED = PATH.replace(":", "%3A")
QUERY = (
    "requestStartTime=2025-11-25%2009%3A00%3A00&requestEndTime=2025-11-25%2010%3A00%3A00"
    "&pageSize=100"
)
NOW = 1764031180.0
STAMP = 1764031180000


@pytest.mark.parametrize(
    ("method", "target", "timestamp", "expected"),
    [
        (
            "POST",
            f"{PATH}/messages",
            1764031180000,
            "NiA1EsoLSZY6BXxM32xqjf6Ftg03eS+SbLNUOfEcK3k=",
        ),
        (
            "GET",
            f"{PATH}/messages?{QUERY}",
            1764034780000,
            "F/DTM/n6uioZx5Yrzfc2v4JzXPvUmUwwsKEktt0Ql4Y=",
        ),
        (
            "POST",
            f"{ENCODED}/messages",
            1764031180000,
            "GSjOiLiYETiVSshl0dmEpKd+rjwOWzhIH+KW+TDq7qw=",
        ),
        (
            "GET",
            f"{PATH}/messages?{QUERY.replace('%20', '+')}",
            1764034780000,
            "rw/Syiupmv+AqEVaVi1wtqqnxY/DqGvtVsrv03qKyUM=",
        ),
        (
            "DELETE",
            f"{PATH}/reservations/RSSA-1764031180535-0001-00000001-aBcDeFgH",
            1764034790000,
            "e2clu6NvyWmzGtIWcBrBcM6I6pEGuSsZ/x10BSNANOg=",
        ),
    ],
)
def test_known_answers(method, target, timestamp, expected):
    assert sign(SECRET, ACCESS, timestamp, method, target) == expected


def test_known_answer_of_a_public_test_suite():
    signature = sign("secret", "access", 1700000000000, "POST", "/sms/v2/services/svc/messages")

    assert signature == "7lLIUF/vg70uc1AkCmekGjUxqT5ekiPPnwKqwZrI6qI="


def headers(signature, *, timestamp=STAMP, access_key=ACCESS):
    return {
        "x-ncp-apigw-timestamp": str(timestamp),
        "x-ncp-iam-access-key": access_key,
        "x-ncp-apigw-signature-v2": signature,
        "host": "127.0.0.1:8000",
    }


def verdict(given, *, method="POST", target=f"{PATH}/messages", now=NOW):
    return check(given, method, target, access_key=ACCESS, secret_key=SECRET, now=now)


@pytest.mark.parametrize("path", [PATH, ENCODED, ENCODED.lower()])
def test_a_target_is_authentic_however_it_is_encoded_if_it_was_signed_so(path):
    target = f"{path}/messages"

    assert verdict(headers(sign(SECRET, ACCESS, STAMP, "POST", target)), target=target) is None


@pytest.mark.parametrize(
    ("away", "authentic"), [(299.999, True), (-299.999, True), (300.0, False), (-300.0, False)]
)
def test_five_minutes_either_way_are_already_too_much(away, authentic):
    signed = headers(sign(SECRET, ACCESS, STAMP, "POST", f"{PATH}/messages"))

    assert (verdict(signed, now=NOW + away) is None) == authentic


@pytest.mark.parametrize(
    "name", ["x-ncp-apigw-timestamp", "x-ncp-iam-access-key", "x-ncp-apigw-signature-v2"]
)
def test_a_missing_header_is_named(name):
    signed = headers(sign(SECRET, ACCESS, STAMP, "POST", f"{PATH}/messages"))
    del signed[name]

    assert verdict(signed) == f"missing header {name}"


@pytest.mark.parametrize("timestamp", ["1764031180.0", "-1", "now", "١٢٣", "9" * 40])
def test_a_timestamp_has_to_be_a_number(timestamp):
    assert "not a number of milliseconds" in verdict(headers("x", timestamp=timestamp))


def test_another_access_key_is_unknown():
    assert "unknown access key 'OTHER'" in verdict(headers("x", access_key="OTHER"))


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        (("GET", f"{PATH}/messages", STAMP, ACCESS), "the method differs: signed 'GET'"),
        (("post", f"{PATH}/messages", STAMP, ACCESS), "the method differs: signed 'post'"),
        (
            ("POST", f"{ENCODED}/messages", STAMP, ACCESS),
            "the target differs: signed '/sms/v2/serv",
        ),
        (
            ("POST", f"https://127.0.0.1:8000{PATH}/messages", STAMP, ACCESS),
            "the target differs: signed 'https:",
        ),
        (("POST", "/messages", STAMP, ACCESS), "the target differs: signed '/messages'"),
        (
            ("POST", f"{PATH}/messages", 1764031180, ACCESS),
            "the timestamp differs: signed 1764031180,",
        ),
        (
            ("POST", f"{PATH}/messages", STAMP + 3, ACCESS),
            "the timestamp differs: signed 1764031180003,",
        ),
        (("POST", f"{PATH}/messages", STAMP, ""), "the access key signed is empty"),
    ],
)
def test_a_mismatch_names_the_part_that_differs(signed, expected):
    method, target, timestamp, access_key = signed
    signature = sign(SECRET, access_key, timestamp, method, target)

    assert verdict(headers(signature)).startswith(expected)


def test_a_query_that_was_encoded_again_after_signing_is_recognised():
    signed = headers(sign(SECRET, ACCESS, STAMP, "GET", f"{PATH}/messages?{QUERY}"))
    sent = f"{PATH}/messages?{QUERY.replace('%20', '+')}"

    assert verdict(signed, method="GET", target=sent).startswith("the target differs")


def test_other_forms_of_the_right_signature_are_recognised():
    right = sign(SECRET, ACCESS, STAMP, "POST", f"{PATH}/messages")

    assert "standard Base64 with padding" in verdict(headers(right.rstrip("=")))
    assert "in hexadecimal" in verdict(headers(base64.b64decode(right).hex()))


def test_otherwise_it_is_the_secret_key_and_the_text_to_sign_is_told():
    signature = sign("another secret", ACCESS, STAMP, "POST", f"{PATH}/messages")
    explanation = verdict(headers(signature))

    assert explanation.startswith("the secret key differs")
    assert f"POST {PATH}/messages\\n{STAMP}\\n{ACCESS}" in explanation
    assert SECRET not in explanation


def test_a_signature_outside_ascii_is_a_mismatch_like_any_other():
    assert verdict(headers("서명\udcff")).startswith("the secret key differs")
