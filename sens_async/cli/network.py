"""Reaching a host step by step: its name, a connection, TLS, and one signed question."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic

import aiohttp
import attrs
import orjson
from yarl import URL

from sens_async.core.responses import Response

__all__ = ["Answered", "Reached", "SystemNetwork", "Unreachable"]

_PATIENCE = 5.0
"""Seconds for each step."""
_LONGEST = 100_000
"""Bytes of an answer that are read."""


@attrs.frozen
class Reached:
    """A step that went well.

    Attributes:
        step: `dns`, `tcp` or `tls`.
        text: How it went.
        seconds: How long it took.
    """

    step: str
    text: str
    seconds: float | None = None


@attrs.frozen
class Unreachable:
    """A step that did not, and ends the way there.

    Attributes:
        step: `dns`, `tcp`, `tls` or `http`.
        text: What happened.
        seconds: How long it took.
        advice: What may be the cause.
    """

    step: str
    text: str
    seconds: float | None = None
    advice: Sequence[str] = ()


@attrs.frozen
class Answered:
    """A complete answer.

    Attributes:
        response: As the library reads it, always with its `Date`.
        details: What a gateway says beyond that, or "".
        seconds: How long it took.
    """

    response: Response
    details: str
    seconds: float


class SystemNetwork:
    """The network of this machine; it uses no proxy, as the library does not."""

    async def reach(self, url: URL) -> AsyncIterator[Reached | Unreachable]:
        """Find the host, connect and agree on TLS, and tell of each step."""
        host, port = url.host or "", url.port or 443
        loop, began = asyncio.get_running_loop(), monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError) as error:
            text = f"{host} not found: {_said(error)}"
            advice = ("no network, no name server, or a firewall",)
            yield Unreachable("dns", text, monotonic() - began, advice)
            return
        addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
        yield Reached("dns", f"{host} is {_some(addresses)}", monotonic() - began)
        began = monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            text = f"port {port} not reached: {_said(error)}"
            advice = ("a firewall lets nobody out, or nobody listens there",)
            yield Unreachable("tcp", text, monotonic() - began, advice)
            return
        try:
            yield Reached("tcp", f"connected to port {port}", monotonic() - began)
            if url.scheme == "https":
                yield await _agree(writer, host)
            else:
                yield Reached("tls", "none: plain http")
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def ask(self, url: URL, headers: Mapping[str, str]) -> Answered | Unreachable:
        """Make one GET, its target byte for byte as given."""
        began = monotonic()
        timeout = aiohttp.ClientTimeout(total=3 * _PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.get(url, headers=headers, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(_LONGEST)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            text = f"no answer: {_said(error)}"
            return Unreachable("http", text, monotonic() - began)
        response = Response(
            answer.status,
            body,
            answer.headers.get("Date"),
            answer.headers.get("Retry-After"),
            answer.headers.get("Location"),
        )
        return Answered(response, _details(body), monotonic() - began)


async def _agree(writer: asyncio.StreamWriter, host: str) -> Reached | Unreachable:
    began = monotonic()
    try:
        async with asyncio.timeout(_PATIENCE):
            await writer.start_tls(ssl.create_default_context(), server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        text = f"the certificate of {host} is not trusted: {error.verify_message}"
        advice = (
            "a company's proxy reads along: add its certificate to this machine's",
            "this machine's certificates are old, or its date is wrong",
        )
        return Unreachable("tls", text, monotonic() - began, advice)
    except (OSError, TimeoutError) as error:
        return Unreachable("tls", f"no TLS with {host}: {_said(error)}", monotonic() - began)
    secured = writer.get_extra_info("ssl_object")
    version = secured.version() if secured is not None else "TLS"
    return Reached("tls", f"{version}, certificate trusted", monotonic() - began)


def _some(addresses: Sequence[str]) -> str:
    rest = f" and {len(addresses) - 2} more" if len(addresses) > 2 else ""
    return ", ".join(addresses[:2]) + rest


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {_PATIENCE:g} s"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__


def _details(body: bytes) -> str:
    """Give what the gateway says beyond code and message."""
    try:
        details = orjson.loads(body)["error"]["details"]
    except (ValueError, TypeError, KeyError):
        return ""
    return " ".join(str(details).split())
