"""The emulator's life: a server on loopback, and the handles of a test on what happens in it."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import attrs
import orjson
from aiohttp import web

from sens_async.clock import Clock, SystemClock
from sens_async.emulator.admissions import AdmissionLog
from sens_async.emulator.app import LoggedRequest, Site, make_app
from sens_async.emulator.clock import MovableClock
from sens_async.emulator.control import make_control
from sens_async.emulator.door import Door
from sens_async.emulator.faults import Fault, FaultKind, FaultOptions, FaultPlan, make_fault
from sens_async.emulator.files import StoredFile
from sens_async.emulator.gateway import Gateway
from sens_async.emulator.inbox import Inbox
from sens_async.emulator.options import EmulatorOptions, ReservationEnd
from sens_async.emulator.reservations import Reservation
from sens_async.emulator.staging import seeded
from sens_async.emulator.state import State
from sens_async.emulator.trust import Trust
from sens_async.emulator.unsubscribes import RegisterType, Unsubscribes

if TYPE_CHECKING:
    from sens_async.session import SensSession

__all__ = ["Emulator"]

LOOPBACK = "127.0.0.1"
SHUTDOWN_TIMEOUT = 0.1
"""Seconds that a request still being read or answered is waited for when the emulator closes."""


class Emulator:
    """SENS on loopback: an async context manager, or `start` and `aclose`.

    It holds messages and pictures in memory, sends nothing, and speaks plain HTTP to this machine
    only. It lives on the event loop it was started on and may not be shared with another.

    Args:
        access_key: The access key it knows.
        secret_key: The secret key requests have to be signed with.
        service_id: Its one service.
        sender: The registered calling number, unless `options.senders` names others.
        host: Has to be `127.0.0.1`.
        port: 0 for a free one.
        options: Choices where the service's behaviour is open.
        clock: What it takes for the time: of signatures, deliveries, reservations, rates, faults.
            The attribute `clock` is this one, as far as `advance` has moved it.
        seed: Of its ids and of faults with a probability: the same seed, the same run.
        tls: Whether clients may use it as their proxy to `https://sens.apigw.ntruss.com`, by
            CONNECT and TLS with a certificate that it makes when it starts. It is a proxy to no
            other host. Needs the extra `emulator`.
        ca_file: Where to write the certificate that such clients have to trust, with mode 0600;
            one that an emulator left there is replaced. None for a temporary folder, which is
            removed at the end. No key is ever written there.

    Raises:
        ValueError: `host` is not loopback, or there is a `ca_file` without `tls`.
        ImportError: `tls` needs a library that is not installed.
    """

    def __init__(
        self,
        *,
        access_key: str = "EMULATORACCESSKEY0001",
        secret_key: str = "emulator-secret-key-not-a-secret-0001",  # noqa: S107 - it says so
        service_id: str = "ncp:sms:kr:000000000001:emulator",
        sender: str = "0200000000",
        host: str = LOOPBACK,
        port: int = 0,
        options: EmulatorOptions = EmulatorOptions(),  # noqa: B008 - frozen
        clock: Clock = SystemClock(),  # noqa: B008 - has no state
        seed: int = 0,
        tls: bool = False,
        ca_file: str | PathLike[str] | None = None,
    ) -> None:
        if host != LOOPBACK:
            raise ValueError(f"host is {host!r}, the emulator binds {LOOPBACK} only")
        if ca_file is not None and not tls:
            raise ValueError("a ca_file is of use with tls only")
        self.access_key = access_key
        self.secret_key = secret_key
        self.service_id = service_id
        self.sender = sender
        self.options = options
        self.clock = MovableClock(clock)
        self.tls = tls
        self._port = port
        self._state = State(sender=sender, options=options, seed=seed)
        gateway = Gateway(
            access_key=access_key, secret_key=secret_key, service_id=service_id, state=self._state
        )
        self._inbox = Inbox(self._state, self.clock)
        self._faults = FaultPlan(seed)
        self._site = Site(gateway, self._faults, self.clock)
        self._runner: web.AppRunner | None = None
        self._door: Door | None = None
        self._url: str | None = None
        self._trust = Trust(ca_file) if tls else None

    def __repr__(self) -> str:
        return f"<Emulator {self._url or 'not running'} {self.service_id}>"

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._url is None:
            raise RuntimeError("the emulator is not running")
        return self._url

    @property
    def ca_file(self) -> Path:
        """The certificate that clients of the proxy have to trust, as PEM.

        Raises:
            RuntimeError: The emulator is not running, or without TLS.
        """
        if self._trust is None:
            raise RuntimeError("the emulator is without TLS: Emulator(tls=True)")
        if self._trust.file is None:
            raise RuntimeError("the emulator is not running")
        return self._trust.file

    def proxy_environment(self) -> dict[str, str]:
        """Variables that send the common clients here in place of SENS, whatever their language.

        Raises:
            RuntimeError: The emulator is not running, or without TLS.
        """
        file = str(self.ca_file)
        return {
            "HTTPS_PROXY": self.url,
            "NODE_EXTRA_CA_CERTS": file,
            "SSL_CERT_FILE": file,
            "REQUESTS_CA_BUNDLE": file,
            "CURL_CA_BUNDLE": file,
        }

    @property
    def admissions(self) -> AdmissionLog:
        """Every accepted message: number -> its `Admission`s, in order."""
        return self._state.admissions

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request to an endpoint of the service, in the order they came."""
        return self._site.requests

    @property
    def uploads(self) -> list[StoredFile]:
        """Every stored picture, in order."""
        return self._state.files.files

    @property
    def refuse_numbers(self) -> set[str]:
        """A request that holds one of these numbers is answered 400 as a whole."""
        return self._state.refuse_numbers

    @refuse_numbers.setter
    def refuse_numbers(self, numbers: set[str]) -> None:
        self._state.refuse_numbers = numbers

    @property
    def inbox(self) -> Inbox:
        """Every message that has gone out, the newest first, and what became of it."""
        return self._inbox

    @property
    def results(self) -> dict[str, str]:
        """Number -> the code its messages end with; may be filled. `"0"` is delivered.

        `sens_async.emulator.results` has numbers that need no such order.
        """
        return self._state.deliveries.results

    @property
    def reservations(self) -> list[Reservation]:
        """Every reserved send as it stands now, in the order of acceptance."""
        return list(self._state.reservations.at(self.clock.time()))

    @property
    def unsubscribes(self) -> Unsubscribes:
        """The opt-out list: iterate over it, or ask whether a number is in it."""
        return self._state.unsubscribes

    def unsubscribe(self, *numbers: str, kind: RegisterType = "M") -> None:
        """Put numbers on the opt-out list: by hand (`M`), or as by a call of their owners (`C`).

        What goes out to them from now on as `AD` fails; see `EmulatorOptions.opt_out_code`.
        """
        self._state.unsubscribes.add(numbers, self.clock.time(), kind)

    def end_reservation(self, reserve_id: str, status: ReservationEnd) -> None:
        """Decide how a waiting reservation ends at its time: with anything but DONE, unsent.

        Raises:
            KeyError: There is no such reservation.
            ValueError: It does not wait any more, or there is no such end.
        """
        self._state.reservations.order(reserve_id, status, self.clock.time())

    def seed(self, send: Mapping[str, object], *, ago: float = 0.0) -> str:
        """Accept a send without a request, as if it had come some time ago.

        Args:
            send: The body of the request, as the service documents it.
            ago: Seconds.

        Returns:
            The request id.

        Raises:
            ValueError: The send would be refused, or `ago` is less than 0.
        """
        return seeded(self._state, dict(send), self.clock.time(), ago)

    def advance(self, seconds: float) -> None:
        """Let time pass at once: messages arrive, reservations go out, files expire.

        Sessions of `session` follow. What already sleeps (latency, a late fault, a session that
        paces itself) is not woken by it.

        Raises:
            ValueError: `seconds` is less than 0.
        """
        self.clock.advance(seconds)

    def fail(self, kind: FaultKind | str | int, **options: Unpack[FaultOptions]) -> Fault:
        """Order a fault.

        Args:
            kind: A `FaultKind`, its name, or a status such as 503.
            **options: See `Fault`.

        Returns:
            The fault. Of several that match a request, the first ordered wins.

        Raises:
            ValueError: There is no such kind, or an option is out of its range.
        """
        fault = make_fault(kind, **options)
        self._faults.add(fault)
        return fault

    def add_fault(self, fault: Fault) -> None:
        """Order a fault that is already made, as by `parse_fault`."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Call all faults off. Requests stay counted, and those that hang go on hanging."""
        self._faults.clear()

    def reset(self) -> None:
        """Forget all that happened and all that was ordered, and put the clock right.

        That is admissions, requests, pictures, opt-outs, faults, results, refused numbers.
        Requests that hang or are late are dropped. Ids do not begin anew.
        """
        self._site.reset()

    def ready_line(self) -> str:
        """One line of JSON with what a client has to be told; `proxy` and `ca_file` with TLS only.

        Raises:
            RuntimeError: The emulator is not running.
        """
        facts = {
            "url": self.url,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "service_id": self.service_id,
            "sender": self.sender,
        }
        if self._trust is not None:
            facts |= {"proxy": self.url, "ca_file": str(self.ca_file)}
        return orjson.dumps(facts).decode()

    def session(self, **overrides: Any) -> "SensSession":
        """A client session pointed at this emulator, on its clock; the caller closes it.

        Args:
            **overrides: Arguments of `SensSession` in place of these; `credentials` too.
                `settings` without a `base_url` are given the emulator's.
        """
        # A server, as `sens emulator` runs it, needs no client.
        from sens_async.config import Credentials, Settings  # noqa: PLC0415
        from sens_async.session import SensSession  # noqa: PLC0415

        settings = overrides.pop("settings", None) or Settings(base_url=self.url)
        if settings.base_url is None:
            settings = attrs.evolve(settings, base_url=self.url)
        arguments = {
            "credentials": Credentials(self.access_key, self.secret_key),
            "service_id": self.service_id,
            "sender": self.sender,
            "clock": self.clock,
            **overrides,
        }
        return SensSession(arguments.pop("credentials"), settings=settings, **arguments)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            RuntimeError: It is running already.
            OSError: The port is taken, or the certificate's file cannot be written.
        """
        if self._runner is not None:
            raise RuntimeError("the emulator is running already")
        control = make_control(self._site, service_id=self.service_id)
        runner = web.AppRunner(
            make_app(self._site, control),
            access_log=None,
            shutdown_timeout=SHUTDOWN_TIMEOUT,
        )
        await runner.setup()
        assert runner.server is not None
        door = Door(runner.server, None if self._trust is None else self._trust.begin())
        try:
            port = await door.open(LOOPBACK, self._port)
            if self._trust is not None:
                self._trust.publish()
        except BaseException:
            await self._close(runner, door)
            raise
        self._runner, self._door = runner, door
        self._url = f"http://{LOOPBACK}:{port}"

    async def aclose(self) -> None:
        """Stop listening and end every request. What was late is not accepted any more.

        What was recorded stays readable.
        """
        runner, self._runner = self._runner, None
        door, self._door = self._door, None
        self._url = None
        if runner is None or door is None:
            return
        await self._site.aclose()
        await self._close(runner, door)

    async def _close(self, runner: web.AppRunner, door: Door) -> None:
        await door.close()
        await runner.cleanup()
        door.abort_tunnels()
        if self._trust is not None:
            self._trust.end()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
