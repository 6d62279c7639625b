"""A client of its own for the emulator's tests: it signs and renders by hand."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import aiohttp
import orjson
import pytest
from virtual_time import VirtualClock
from yarl import URL

from sens_async.emulator import Emulator, EmulatorOptions


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)


class Client:
    """One emulator and a plain HTTP client for it."""

    def __init__(self, emulator: Emulator, http: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.http = http

    def headers(self, target: str, *, method: str = "POST", skew: float = 0.0) -> dict[str, str]:
        """The three signature headers, stamped `skew` seconds from the emulator's clock."""
        stamp = str(round((self.emulator.clock.time() + skew) * 1000))
        text = f"{method} {target}\n{stamp}\n{self.emulator.access_key}"
        mac = hmac.new(self.emulator.secret_key.encode(), text.encode(), hashlib.sha256)
        return {
            "x-ncp-apigw-timestamp": stamp,
            "x-ncp-iam-access-key": self.emulator.access_key,
            "x-ncp-apigw-signature-v2": base64.b64encode(mac.digest()).decode(),
            "Content-Type": "application/json",
        }

    def target(self, endpoint: str) -> str:
        return f"/sms/v2/services/{self.emulator.service_id}/{endpoint}"

    async def post(self, target: str, body: object, headers=None, patience: float = 10.0) -> Reply:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.call("POST", target, data, headers or self.headers(target), patience)

    async def call(self, method, target, data=b"", headers=None, patience: float = 10.0) -> Reply:
        url = URL(self.emulator.url + target, encoded=True)
        async with self.http.request(
            method,
            url,
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=patience),
        ) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def send(self, *numbers: str, patience: float = 10.0, **fields) -> Reply:
        return await self.post(
            self.target("messages"), message(*numbers, **fields), patience=patience
        )

    async def upload(self, name: str, data: bytes) -> Reply:
        body = {"fileName": name, "fileBody": base64.b64encode(data).decode()}
        return await self.post(self.target("files"), body)


def message(*numbers: str, **fields) -> dict[str, object]:
    """A send's body; `sender` stands for `from`."""
    body = {
        "type": "SMS",
        "from": fields.pop("sender", "0200000000"),
        "content": "안녕하세요",
        "messages": [{"to": number} for number in numbers or ["01000000001"]],
    }
    return {**body, **fields}


def jpeg(width: int = 640, height: int = 480, *, size: int = 0, fill: bytes = b"\x00") -> bytes:
    """The head of a baseline JPEG, filled up to `size` bytes."""
    frame = b"\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x01\x01\x11\x00"
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    head = start + b"\xff\xc0" + (len(frame) + 2).to_bytes(2) + frame
    return head + fill * (size - len(head))


@pytest.fixture(name="message")
def message_fixture():
    return message


@pytest.fixture(name="jpeg")
def jpeg_fixture():
    return jpeg


@pytest.fixture
async def start(clock: VirtualClock) -> AsyncIterator[Callable[..., object]]:
    """Start an emulator with the given options; answers a client of it."""
    async with AsyncExitStack() as stack:

        async def start(seed: int = 0, **options) -> Client:
            emulator = Emulator(clock=clock, seed=seed, options=EmulatorOptions(**options))
            await stack.enter_async_context(emulator)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Client(emulator, http)

        yield start


@pytest.fixture
async def client(start) -> Client:
    """A client of an emulator with default options."""
    return await start()


@pytest.fixture
async def emulator(client: Client) -> Emulator:
    """The emulator of `client`."""
    return client.emulator
