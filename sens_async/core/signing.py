"""Signature v2 of the API gateway, and the gateway's clock.

Signed are method, request target, timestamp and access key, never the body (Naver Cloud
Platform: "Ncloud API" common guide). The target is signed byte for byte as it goes on the wire,
so whoever builds a request hands the same string here and to the transport.

The gateway refuses a timestamp five minutes or more away from its own clock. A machine whose
clock is off learns by how much from the `Date` header of that refusal.
"""

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import NoReturn

__all__ = ["SIGNATURE_LIFETIME", "SKEW_TOLERANCE", "Signer", "sign", "string_to_sign"]

SIGNATURE_LIFETIME = 300.0
"""Seconds after which the gateway refuses a timestamp (SENS API: overview, request headers)."""

SKEW_TOLERANCE = 60.0
"""Seconds by which the clock correction must change before a refused request is signed again.

Well under `SIGNATURE_LIFETIME`, so that a clock that caused the refusal always shows, and well
over the whole-second resolution and travel time of a `Date` header.
"""

_ABSURD = 10 * 365 * 86_400.0
"""Seconds by which no clock is off; a `Date` that says so is not believed."""


def string_to_sign(method: str, target: str, timestamp_ms: int, access_key: str) -> str:
    r"""Give the text that is signed: `{method} {target}\n{timestamp}\n{access key}`.

    Args:
        method: In upper case.
        target: Path and query exactly as on the wire, without scheme and host.
        timestamp_ms: Milliseconds since the epoch; the same number goes into the header.
        access_key: The access key id.
    """
    return f"{method} {target}\n{timestamp_ms}\n{access_key}"


def sign(secret_key: str, text: str) -> str:
    """Give the Base64 of the HMAC-SHA256 of `text`."""
    return b64encode(hmac.digest(secret_key.encode(), text.encode(), sha256)).decode("ascii")


class Signer:
    """Signs requests with one pair of keys, on the gateway's clock.

    Attributes:
        offset: Seconds by which the gateway's clock is known to be ahead of ours; 0.0 until
            something else has been learnt.
        lag: Seconds by which the gateway's clock was behind where `offset` puts it, when last
            seen. A lag of less than five minutes refuses no signature, so it corrects nothing;
            but it says how old a signature is by the clock that decides.
    """

    __slots__ = ("_access_key", "_keyed", "lag", "offset")

    def __init__(self, access_key: str, secret_key: str) -> None:
        self._access_key = access_key
        self._keyed = hmac.new(secret_key.encode(), digestmod=sha256)
        self.offset = 0.0
        self.lag = 0.0

    def timestamp(self, now: float) -> int:
        """Give the gateway's time in milliseconds.

        Args:
            now: Our time, in seconds since the epoch.
        """
        return int((now + self.offset) * 1000)

    def headers(self, method: str, target: str, timestamp_ms: int) -> dict[str, str]:
        """Give the three headers that authenticate one request.

        Args:
            method: In upper case.
            target: Path and query exactly as on the wire.
            timestamp_ms: See `timestamp`; valid for `SIGNATURE_LIFETIME`.
        """
        text = string_to_sign(method, target, timestamp_ms, self._access_key)
        mac = self._keyed.copy()
        mac.update(text.encode())
        return {
            "x-ncp-apigw-timestamp": str(timestamp_ms),
            "x-ncp-iam-access-key": self._access_key,
            "x-ncp-apigw-signature-v2": b64encode(mac.digest()).decode("ascii"),
        }

    def learn(self, gateway_time: float, now: float) -> None:
        """Take the gateway's clock from a refusal of the signature.

        Args:
            gateway_time: The answer's `Date`, in seconds since the epoch.
            now: Our time when the answer came, in seconds since the epoch.
        """
        offset = gateway_time - now
        if abs(offset) < _ABSURD:
            self.offset = offset
            self.lag = 0.0

    def observe(self, gateway_time: float, now: float) -> None:
        """Compare the clocks by an answer that was signed well.

        Args:
            gateway_time: The answer's `Date`, in seconds since the epoch.
            now: Our time when the answer came, in seconds since the epoch.
        """
        lag = now + self.offset - gateway_time
        if abs(lag) < SIGNATURE_LIFETIME:  # else it is not the clock that took the signature
            self.lag = lag

    def is_worth_signing_again(self, signed_offset: float) -> bool:
        """Whether what is known now of the gateway's clock makes a new signature differ.

        Args:
            signed_offset: The `offset` that the refused attempt was signed with.
        """
        return abs(self.offset - signed_offset) > SKEW_TOLERANCE

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer holds a secret key and is not pickled")

    def __repr__(self) -> str:
        return f"<Signer {self._access_key[:4]}…, clock {self.offset:+.0f} s>"
