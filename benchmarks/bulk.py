"""How close does a run come to bare aiohttp, in recipients per second of CPU and of time?

Bare aiohttp posts the very bytes that the library would, already built, with as many requests in
flight: nothing on aiohttp can be faster. Variants take turns in shuffled rounds; ratios are taken
within a round, and their medians are printed.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp

from sens_async import Credentials, Recipient, SensSession, Settings
from sens_async.core.chunking import Chunker
from sens_async.core.message import Message, Rules

SHARED = "안녕하세요. 주문하신 상품이 오늘 도착할 예정입니다."
TEMPLATE = "{name}님, 주문 {order} 상품이 {day} 도착할 예정입니다. 감사합니다."
IN_FLIGHT = 32

Variant = Callable[[], Awaitable[int]]


def people(count: int) -> tuple[list[str], list[Recipient]]:
    """Give the same recipients twice: as numbers, and with three fields each."""
    numbers = [f"010{n:08}" for n in range(count)]
    named = [
        Recipient(number, fields={"name": "홍길동", "order": f"A-{n:06}", "day": "내일"})
        for n, number in enumerate(numbers)
    ]
    return numbers, named


def bodies(recipients: list, content: str) -> list[bytes]:
    """Give the requests that the library would make."""
    message = Message.compile(content, sender="0200000000", rules=Rules())
    chunking = Chunker(Rules()).open(message)
    batches = [
        batch
        for start in range(0, len(recipients), 100)
        for batch in chunking.feed(recipients[start : start + 100], 0.0).batches
    ]
    return [batch.body() for batch in batches + chunking.flush()]


async def bare(client: aiohttp.ClientSession, url: str, requests: list[bytes]) -> int:
    """Post ready-made bodies with workers on a shared iterator."""
    source = iter(requests)

    async def work() -> None:
        for body in source:
            async with client.post(url, data=body) as answer:
                await answer.read()

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return len(requests) * 100


async def many(sens: SensSession, recipients: list, content: str) -> int:
    """Send with `send_many` and look at the counts."""
    report = await sens.send_many(recipients, content)
    assert report.counts == {"ACCEPTED": len(recipients)}, report
    return len(recipients)


async def stream(sens: SensSession, recipients: list, content: str) -> int:
    """Send with `send_stream`, a batch of outcomes at a time."""
    count = 0
    async with sens.send_stream(recipients, content) as outcomes:
        async for batch in outcomes.batches():
            count += len(batch)
    assert count == len(recipients)
    return count


async def measure(url: str, count: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Give (recipients per CPU second, recipients per second) of each variant and round."""
    numbers, named = people(count)
    shared, personal = bodies(numbers, SHARED), bodies(named, TEMPLATE)
    path = f"{url}/sms/v2/services/benchmark/messages"
    settings = Settings(base_url=url, rate_limit=None, max_in_flight=IN_FLIGHT)
    keys = Credentials("BENCHMARK", "benchmark")
    results: dict[str, list[tuple[float, float]]] = {}
    async with (
        aiohttp.ClientSession() as client,
        SensSession(keys, service_id="benchmark", sender="0200000000", settings=settings) as sens,
    ):
        variants: dict[str, Variant] = {
            "bare shared": lambda: bare(client, path, shared),
            "bare personal": lambda: bare(client, path, personal),
            "send_many shared": lambda: many(sens, numbers, SHARED),
            "send_many personal": lambda: many(sens, named, TEMPLATE),
            "send_stream shared": lambda: stream(sens, numbers, SHARED),
            "send_stream personal": lambda: stream(sens, named, TEMPLATE),
        }
        order = list(variants)
        for turn in range(rounds + 1):
            random.shuffle(order)
            for name in order:
                gc.collect()
                cpu, wall = time.process_time(), time.perf_counter()
                done = await variants[name]()
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                if turn:  # the first round warms up
                    results.setdefault(name, []).append((done / cpu, done / wall))
    return results


def show(results: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Print a row a variant: medians, and the median of the ratios within each round."""
    table = {}
    print(f"{'variant':22} {'per CPU s':>12} {'ratio':>6} {'per s':>12} {'ratio':>6}")
    for name, rows in results.items():
        base = results["bare personal" if "personal" in name else "bare shared"]
        pairs = list(zip(rows, base, strict=True))
        row = {
            "per_cpu_second": statistics.median(cpu for cpu, _ in rows),
            "cpu_ratio": statistics.median(a[0] / b[0] for a, b in pairs),
            "per_second": statistics.median(wall for _, wall in rows),
            "wall_ratio": statistics.median(a[1] / b[1] for a, b in pairs),
        }
        table[name] = row
        print(
            f"{name:22} {row['per_cpu_second']:>12,.0f} {row['cpu_ratio']:>6.2f} "
            f"{row['per_second']:>12,.0f} {row['wall_ratio']:>6.2f}"
        )
    return table


def main() -> None:
    """Run against a stub in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, too")
    options = parser.parse_args()
    command = [sys.executable, "-m", "benchmarks.stub"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        try:
            assert stub.stdout is not None
            url = f"http://127.0.0.1:{stub.stdout.readline().strip()}"
            table = show(asyncio.run(measure(url, options.recipients, options.rounds)))
        finally:
            stub.terminate()
    if options.json:
        print(json.dumps(table))


if __name__ == "__main__":
    main()
