"""The service that is measured against: the stub in a process of its own, and what it saw."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import attrs

__all__ = ["Claim", "Counts", "Mismatch", "Service"]


class Mismatch(Exception):
    """The stub saw something else than the client says it sent: no figure of it can be trusted."""


@attrs.frozen
class Claim:
    """What a client says it has sent.

    Attributes:
        requests: That were answered.
        recipients: Named in them.
    """

    requests: int
    recipients: int

    def __add__(self, other: "Claim") -> "Claim":
        return Claim(self.requests + other.requests, self.recipients + other.recipients)


@attrs.frozen
class Counts:
    """What the stub saw; see `stub.Tally`.

    Attributes:
        requests: That came in full.
        recipients: Named in them.
        connections: Whose first request came.
        most_in_flight: The most requests that were unanswered at a time.
        cpu: Seconds of CPU the stub took.
    """

    requests: int
    recipients: int
    connections: int
    most_in_flight: int
    cpu: float


class Service:
    """A running stub.

    Args:
        urls: Where it answers, by latency in milliseconds.
    """

    def __init__(self, urls: Mapping[int, str]) -> None:
        self._urls = urls

    @classmethod
    @contextmanager
    def started(cls, latencies: Sequence[int]) -> "Iterator[Service]":
        """Run a stub for as long as the block lasts.

        Args:
            latencies: In milliseconds; each can be asked for by `url`.
        """
        command = [sys.executable, "-m", "benchmarks.stub", *map(str, latencies)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as stub:
            assert stub.stdout is not None
            urls = [f"http://127.0.0.1:{port}" for port in stub.stdout.readline().split()]
            yield cls(dict(zip(latencies, urls, strict=True)))

    def url(self, latency_ms: int = 0) -> str:
        """Where requests are answered after that many milliseconds."""
        return self._urls[latency_ms]

    def take(self) -> Counts:
        """Give what came since the last time, and begin to count anew."""
        with closing(HTTPConnection(urlsplit(next(iter(self._urls.values()))).netloc)) as stub:
            stub.request("GET", "/")
            return Counts(**json.load(stub.getresponse()))

    def confirm(self, claim: Claim) -> Counts:
        """Give what came since the last time, if it is what a client says it sent.

        Raises:
            Mismatch: It is not.
        """
        counts = self.take()
        if (counts.requests, counts.recipients) != (claim.requests, claim.recipients):
            raise Mismatch(
                f"the client claims {claim.requests:,} requests to {claim.recipients:,} "
                f"recipients, the stub saw {counts.requests:,} to {counts.recipients:,}"
            )
        return counts
