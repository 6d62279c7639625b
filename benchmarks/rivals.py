"""What people write without the library: the ceiling, the other clients, and the naive ways.

Those that send batches are given them ready-made and unsigned, so none is slowed by anything but
its HTTP client. Those that send one recipient a request build and sign each, as they must.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import aiohttp
import httpx
import requests

from benchmarks.library import KEYS, PER_REQUEST, SENDER, TARGET
from benchmarks.messages import SHARED
from benchmarks.service import Claim
from sens_async.core.signing import Signer

__all__ = ["Threads", "bare", "gathered", "httpx_batches", "paced", "serial", "signed"]

JSON = {"Content-Type": "application/json"}
_SIGNER = Signer(KEYS.access_key, KEYS.secret_key)


def signature() -> dict[str, str]:
    """Sign a request that is about to be sent."""
    return _SIGNER.headers("POST", TARGET, _SIGNER.timestamp(time.time()))


def message_to(number: str) -> dict[str, str | list[dict[str, str]]]:
    """Give the request that sends `SHARED` to one recipient."""
    return {
        "type": "SMS",
        "contentType": "COMM",
        "countryCode": "82",
        "from": SENDER,
        "content": SHARED,
        "messages": [{"to": number}],
    }


async def bare(
    session: aiohttp.ClientSession, url: str, bodies: Sequence[bytes], in_flight: int
) -> Claim:
    """Post ready-made requests with aiohttp and nothing else: nothing built on it is faster."""
    source = iter(bodies)

    async def work() -> None:
        for body in source:
            async with session.post(url, data=body) as answer:
                await answer.read()

    await asyncio.gather(*(work() for _ in range(in_flight)))
    return _batches(bodies)


async def paced(
    session: aiohttp.ClientSession, url: str, bodies: Sequence[bytes], rate: float
) -> Claim:
    """Post ready-made requests with aiohttp, so many per second."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def post(body: bytes) -> None:
        async with session.post(url, data=body) as answer:
            await answer.read()

    async with asyncio.TaskGroup() as tasks:
        for place, body in enumerate(bodies):
            await asyncio.sleep(began + place / rate - loop.time())
            tasks.create_task(post(body))
    return _batches(bodies)


async def signed(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    """Sign and post one ready-made request with aiohttp."""
    async with session.post(url, data=body, headers=JSON | signature()) as answer:
        await answer.read()


async def gathered(session: aiohttp.ClientSession, url: str, numbers: Sequence[str]) -> Claim:
    """Post one request a recipient with aiohttp, all at once; the connector holds them back."""

    async def post(number: str) -> None:
        async with session.post(url, json=message_to(number), headers=signature()) as answer:
            await answer.read()

    await asyncio.gather(*map(post, numbers))
    return Claim(len(numbers), len(numbers))


async def httpx_batches(
    client: httpx.AsyncClient, url: str, bodies: Sequence[bytes], in_flight: int
) -> Claim:
    """Post ready-made requests with httpx."""
    source = iter(bodies)

    async def work() -> None:
        for body in source:
            await client.post(url, content=body, headers=JSON)

    await asyncio.gather(*(work() for _ in range(in_flight)))
    return _batches(bodies)


class Threads:
    """Posts ready-made requests with `requests`, a session and a thread for each in flight."""

    def __init__(self, in_flight: int) -> None:
        self._sessions = [requests.Session() for _ in range(in_flight)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()

    async def post(self, url: str, bodies: Sequence[bytes]) -> Claim:
        """Post them all."""
        source = iter(bodies)

        def work(session: requests.Session) -> None:
            for body in source:
                session.post(url, data=body, headers=JSON, timeout=60)

        def post_all() -> None:
            with ThreadPoolExecutor(len(self._sessions)) as pool:
                list(pool.map(work, self._sessions))

        await asyncio.to_thread(post_all)
        return _batches(bodies)


async def serial(session: requests.Session, url: str, numbers: Iterable[str]) -> Claim:
    """Post one request a recipient with `requests`, one after the other."""

    def post_all() -> int:
        sent = 0
        for number in numbers:
            session.post(url, json=message_to(number), headers=signature(), timeout=60)
            sent += 1
        return sent

    sent = await asyncio.to_thread(post_all)
    return Claim(sent, sent)


def _batches(bodies: Sequence[bytes]) -> Claim:
    return Claim(len(bodies), len(bodies) * PER_REQUEST)
