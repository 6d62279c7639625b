"""What aioresponses needs so that its answers look like aiohttp's own."""

from collections.abc import Callable
from unittest.mock import Mock

import aiohttp
from aioresponses import CallbackResult


class Response(aiohttp.ClientResponse):
    """aiohttp 3.14 made `stream_writer` a required argument, which aioresponses does not give."""

    def __init__(self, *args, **kwargs) -> None:
        kwargs.setdefault("stream_writer", Mock(output_size=0))
        super().__init__(*args, **kwargs)


class Sink:
    """A connection that takes every byte and keeps it.

    Attributes:
        data: What was written.
    """

    def __init__(self) -> None:
        self.data = b""

    async def write(self, data: bytes) -> None:
        self.data += data


def answer(status: int = 200, body: bytes | str = b"", **headers: str) -> Callable:
    """A callback for aioresponses that takes the request's body, as a server does."""

    async def callback(url, *, data=None, **_) -> CallbackResult:
        if data is not None:
            await data.write(Sink())
        return CallbackResult(
            status=status,
            body=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            response_class=Response,
        )

    return callback
