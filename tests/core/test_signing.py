"""The signature, byte for byte, and what a refusal teaches about the gateway's clock."""

import pytest

from sens_async.core.signing import SIGNATURE_LIFETIME, SKEW_TOLERANCE, Signer, sign, string_to_sign

ACCESS_KEY = "EXAMPLEACCESSKEY0001"
SECRET_KEY = "example-secret-key-do-not-use-000000000001"
RAW = "/sms/v2/services/ncp:sms:kr:000000000001:demo"
ENCODED = RAW.replace(":", "%3A")
QUERY = "requestStartTime=2025-11-25%2009%3A00%3A00&requestEndTime=2025-11-25%2010%3A00%3A00&pageSize=100"

VECTORS = {
    "1 raw colons": (
        ACCESS_KEY,
        SECRET_KEY,
        "POST",
        f"{RAW}/messages",
        1764031180000,
        "NiA1EsoLSZY6BXxM32xqjf6Ftg03eS+SbLNUOfEcK3k=",
    ),
    "2 query": (
        ACCESS_KEY,
        SECRET_KEY,
        "GET",
        f"{RAW}/messages?{QUERY}",
        1764034780000,
        "F/DTM/n6uioZx5Yrzfc2v4JzXPvUmUwwsKEktt0Ql4Y=",
    ),
    "3 encoded colons": (
        ACCESS_KEY,
        SECRET_KEY,
        "POST",
        f"{ENCODED}/messages",
        1764031180000,
        "GSjOiLiYETiVSshl0dmEpKd+rjwOWzhIH+KW+TDq7qw=",
    ),
    "4 plus for space": (
        ACCESS_KEY,
        SECRET_KEY,
        "GET",
        f"{RAW}/messages?{QUERY.replace('%20', '+')}",
        1764034780000,
        "rw/Syiupmv+AqEVaVi1wtqqnxY/DqGvtVsrv03qKyUM=",
    ),
    "5 delete": (
        ACCESS_KEY,
        SECRET_KEY,
        "DELETE",
        f"{RAW}/reservations/RSSA-1764031180535-0001-00000001-aBcDeFgH",
        1764034790000,
        "e2clu6NvyWmzGtIWcBrBcM6I6pEGuSsZ/x10BSNANOg=",
    ),
    "6 somebody else's": (
        "access",
        "secret",
        "POST",
        "/sms/v2/services/svc/messages",
        1700000000000,
        "7lLIUF/vg70uc1AkCmekGjUxqT5ekiPPnwKqwZrI6qI=",
    ),
}
vectors = pytest.mark.parametrize(
    ("keys", "request_line", "timestamp", "signature"),
    [((a, s), (m, t), at, signature) for a, s, m, t, at, signature in VECTORS.values()],
    ids=VECTORS.keys(),
)


@vectors
def test_reference_vectors(keys, request_line, timestamp, signature):
    access_key, secret_key = keys
    assert sign(secret_key, string_to_sign(*request_line, timestamp, access_key)) == signature


@vectors
def test_headers_carry_what_was_signed(keys, request_line, timestamp, signature):
    assert Signer(*keys).headers(*request_line, timestamp) == {
        "x-ncp-apigw-timestamp": str(timestamp),
        "x-ncp-iam-access-key": keys[0],
        "x-ncp-apigw-signature-v2": signature,
    }


def test_signed_text_is_three_lines_without_an_end():
    assert (
        string_to_sign("POST", f"{RAW}/messages", 1764031180000, ACCESS_KEY)
        == f"POST {RAW}/messages\n1764031180000\n{ACCESS_KEY}"
    )


def test_timestamp_is_whole_milliseconds():
    assert Signer("a", "s").timestamp(1764031180.5359) == 1764031180535


def test_signer_begins_on_our_own_clock():
    signer = Signer("a", "s")
    assert signer.offset == 0.0
    assert not signer.is_worth_signing_again(0.0)


@pytest.mark.parametrize("ahead", [600.0, -600.0])
def test_learnt_clock_is_signed_with(ahead):
    signer = Signer("a", "s")
    signer.learn(1764031180.0 + ahead, now=1764031180.0)
    assert signer.offset == ahead
    assert signer.timestamp(1764031190.0) == int((1764031190.0 + ahead) * 1000)


@pytest.mark.parametrize(
    ("known", "signed_with", "again"),
    [
        (0.0, 0.0, False),
        (60.0, 0.0, False),
        (-60.0, 0.0, False),
        (60.001, 0.0, True),
        (-60.001, 0.0, True),
        (600.0, 600.0, False),
        (600.0, 545.0, False),
        (0.0, 600.0, True),
    ],
)
def test_signing_again_is_worth_it_when_the_clock_known_now_differs(known, signed_with, again):
    signer = Signer("a", "s")
    signer.learn(1000.0 + known, now=1000.0)
    assert signer.is_worth_signing_again(signed_with) is again


def test_all_who_signed_before_the_lesson_sign_again_and_those_after_do_not():
    signer = Signer("a", "s")
    before = [signer.offset] * 32
    signer.learn(2000.0, now=1000.0)
    signer.learn(2001.0, now=1001.0)
    assert all(map(signer.is_worth_signing_again, before))
    assert not signer.is_worth_signing_again(signer.offset)


def test_a_clock_that_steps_back_is_learnt_again():
    signer = Signer("a", "s")
    signer.learn(1600.0, now=1000.0)
    stepped = signer.offset
    signer.learn(1700.0, now=1700.0)
    assert signer.is_worth_signing_again(stepped)
    assert signer.offset == 0.0


def test_tolerance_notices_every_skew_that_the_gateway_refuses():
    assert SIGNATURE_LIFETIME == 300.0
    assert SKEW_TOLERANCE < SIGNATURE_LIFETIME


def test_repr_shows_no_secret_and_not_the_whole_access_key():
    shown = repr(Signer(ACCESS_KEY, SECRET_KEY))
    assert SECRET_KEY not in shown
    assert ACCESS_KEY not in shown
