"""Who takes part, and how each is set to work on one cell."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial

import aiohttp
import attrs
import httpx
import requests

from benchmarks.library import TARGET, many, open_session, streamed
from benchmarks.messages import SHARED, TEMPLATE, Stock
from benchmarks.meter import Client
from benchmarks.rivals import Threads, bare, gathered, httpx_batches, serial

__all__ = ["BARE_OF", "PERSONALISED", "Entrant", "Load", "lineup"]


class Entrant(StrEnum):
    """A client that takes part."""

    BARE = "bare aiohttp"
    BARE_PERSONAL = "bare aiohttp, personalised"
    MANY = "send_many"
    MANY_PERSONAL = "send_many, personalised"
    STREAM = "send_stream"
    STREAM_PERSONAL = "send_stream, personalised"
    HTTPX = "httpx, batches"
    THREADS = "requests in threads, batches"
    GATHER = "aiohttp gather, one each"
    SERIAL = "requests in a loop, one each"


PERSONALISED = {Entrant.BARE_PERSONAL, Entrant.MANY_PERSONAL, Entrant.STREAM_PERSONAL}
"""Those who send a text of its own to each recipient."""

BARE_OF = {
    entrant: Entrant.BARE_PERSONAL if entrant in PERSONALISED else Entrant.BARE
    for entrant in Entrant
}
"""Bare aiohttp with the same text, which each is compared with."""


@attrs.frozen
class Load:
    """What clients send in one go: the slow ones less, so that nobody waits long for them.

    Attributes:
        stock: For sens-async and bare aiohttp.
        httpx_requests: For httpx.
        thread_requests: For `requests` in threads.
        gathered: Recipients for the naive `gather`.
        serial: Recipients for the serial loop.
    """

    stock: Stock
    httpx_requests: int = 100
    thread_requests: int = 400
    gathered: int = 1_000
    serial: int = 100


@asynccontextmanager
async def lineup(
    url: str, in_flight: int, load: Load, entrants: Collection[Entrant]
) -> AsyncIterator[dict[Entrant, Client]]:
    """Open clients that keep connections of their own from turn to turn, and close them at last.

    Args:
        url: Of the stub, at the latency of the cell.
        in_flight: Requests that each may have unanswered at a time.
        load: What each sends in one turn.
        entrants: Who is wanted.
    """
    stock, at = load.stock, url + TARGET
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as crowded,
        open_session(url, max_in_flight=in_flight) as sens,
        httpx.AsyncClient(limits=limits, timeout=60.0) as client,
    ):
        with Threads(in_flight) as threads, requests.Session() as loop:
            everybody: dict[Entrant, Client] = {
                Entrant.BARE: partial(bare, session, at, stock.shared, in_flight),
                Entrant.BARE_PERSONAL: partial(bare, session, at, stock.personal, in_flight),
                Entrant.MANY: partial(many, sens, stock.numbers, SHARED),
                Entrant.MANY_PERSONAL: partial(many, sens, stock.people, TEMPLATE),
                Entrant.STREAM: partial(streamed, sens, stock.numbers, SHARED),
                Entrant.STREAM_PERSONAL: partial(streamed, sens, stock.people, TEMPLATE),
                Entrant.HTTPX: partial(
                    httpx_batches, client, at, stock.shared[: load.httpx_requests], in_flight
                ),
                Entrant.THREADS: partial(threads.post, at, stock.shared[: load.thread_requests]),
                Entrant.GATHER: partial(gathered, crowded, at, stock.numbers[: load.gathered]),
                Entrant.SERIAL: partial(serial, loop, at, stock.numbers[: load.serial]),
            }
            yield {entrant: everybody[entrant] for entrant in entrants}
