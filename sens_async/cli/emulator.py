"""`sens emulator`: SENS on this machine, until Ctrl-C."""

import asyncio
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sens_async.cli.console import make_console

if TYPE_CHECKING:
    from rich.console import Console

    from sens_async.emulator import Emulator

__all__ = ["emulator"]

_LOOK_EVERY = 0.5
_CODES = {
    "3003": "no telephone number",
    "3022": "a character outside EUC-KR",
    "3023": "sender not registered",
    "S007": "picture expired before the reserved time",
}


class _Unregistered(StrEnum):
    ACCEPT = "accept"
    REFUSE = "refuse"


def emulator(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for a free one.")] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when it is ready.")
    ] = False,
    access_key: Annotated[
        str, typer.Option(help="It knows this key; it prints its default.", show_default=False)
    ] = "EMULATORACCESSKEY0001",
    secret_key: Annotated[
        str, typer.Option(help="Requests are signed with this; likewise.", show_default=False)
    ] = "emulator-secret-key-not-a-secret-0001",  # noqa: S107 - it says so
    service_id: Annotated[
        str, typer.Option(help="Its one service; likewise.", show_default=False)
    ] = "ncp:sms:kr:000000000001:emulator",
    sender: Annotated[str, typer.Option(help="The registered calling number.")] = "0200000000",
    unregistered_sender: Annotated[
        _Unregistered,
        typer.Option(help="What to do with another: accept, and fail at delivery, or refuse."),
    ] = _Unregistered.ACCEPT,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Such as 'requests 3-5: 503', '1%: drop after accept', 'late delay=30'.",
        ),
    ] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.0,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Requests let through a second; else all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of faults by probability.")] = 0,
    tls: Annotated[
        bool, typer.Option("--tls", help="Stand in for SENS as a proxy, with a CA of its own.")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="Where its CA goes; else into a temporary folder. Implies --tls."
        ),
    ] = None,
) -> None:
    """Run SENS on loopback: signatures checked, nothing sent. 로컬 SENS 에뮬레이터."""
    # aiohttp is heavy; help must not wait for it.
    from sens_async.emulator import Emulator, EmulatorOptions, parse_fault  # noqa: PLC0415

    try:
        faults = [parse_fault(line) for line in fault or ()]
        server = Emulator(
            port=port,
            access_key=access_key,
            secret_key=secret_key,
            service_id=service_id,
            sender=sender,
            options=EmulatorOptions(
                latency=latency,
                rate=rate,
                unregistered_sender="accept" if unregistered_sender == "accept" else "refuse",
            ),
            seed=seed,
            tls=tls or ca_file is not None,
            ca_file=ca_file,
        )
    except (ValueError, ImportError) as error:
        raise typer.BadParameter(str(error)) from error
    for one in faults:
        server.add_fault(one)
    try:
        asyncio.run(_serve(server, as_json=json))
    except OSError as error:
        if error.filename is not None:
            text = f"the CA cannot be written: {error.strerror}: {error.filename}"
            raise typer.BadParameter(text) from error
        raise typer.BadParameter(f"port {port} cannot be used: {error.strerror}") from error


async def _serve(server: "Emulator", *, as_json: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C cancels, which ends it as well
            loop.add_signal_handler(number, ended.set)
    async with server:
        if as_json:
            sys.stdout.write(server.ready_line() + "\n")
            sys.stdout.flush()
        else:
            _greet(server)
        with suppress(asyncio.CancelledError):
            await (ended.wait() if as_json else _watch(server, ended))
        if not as_json:
            accepted = server.admissions.total
            make_console().print(f"\n[soft]{accepted:,} messages were accepted 접수[/]")


async def _watch(server: "Emulator", ended: asyncio.Event) -> None:
    """Until the end, say which accepted messages would never arrive: the answers do not."""
    seen = 0
    while not ended.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _LOOK_EVERY)
        batches = server.admissions.batches
        new = batches[seen:] if seen <= len(batches) else batches  # a reset empties the log
        seen = len(batches)
        failures: Counter[str] = Counter()
        for batch in new:
            if batch.failure or batch.envelope.bad_numbers or batch.envelope.unencodable:
                failures.update(message.failure for message in batch if message.failure)
        for code, number in failures.items():
            why = _CODES.get(code, "")
            make_console().print(
                f"[soft]{number:,} accepted would fail at delivery 전송 실패: {code} {why}[/]"
            )


def _greet(server: "Emulator") -> None:
    console = make_console()
    console.print(f"[brand]SENS emulator[/] [soft]에뮬레이터[/]  {server.url}\n")
    variables = {
        "SENS_BASE_URL": server.url,
        "SENS_ACCESS_KEY": server.access_key,
        "SENS_SECRET_KEY": server.secret_key,
        "SENS_SERVICE_ID": server.service_id,
        "SENS_SENDER": server.sender,
    }
    _print_exports(console, variables)
    if server.tls:
        console.print("\n[soft]for clients whose host is fixed 주소가 고정된 클라이언트용[/]")
        _print_exports(console, server.proxy_environment())
    console.print(f"\n[soft]accepted so far: {server.url}/_emulator/admissions[/]", soft_wrap=True)
    console.print("[soft]Ctrl-C ends it 종료[/]")


def _print_exports(console: "Console", variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        console.print(f"export {name}={shlex.quote(value)}", soft_wrap=True, markup=False)
