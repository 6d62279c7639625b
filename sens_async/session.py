"""The session: it owns the parts, their lifetime, and the verbs."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import attrs

from sens_async.attachment_cache import AttachmentCache
from sens_async.attachment_store import AttachmentStore
from sens_async.attempt import Gateway
from sens_async.calls import (
    Call,
    ContentTypeName,
    StatusName,
    StatusWord,
    TypeName,
    check_skipping,
    check_timeout,
)
from sens_async.clock import Clock, SystemClock
from sens_async.config import Credentials, Environment, Settings
from sens_async.core.attachments import digest
from sens_async.core.chunking import Chunker
from sens_async.core.message import KOREA
from sens_async.core.phone import normalize_sender
from sens_async.core.requests import Request, Service, upload_body
from sens_async.core.responses import read_upload
from sens_async.core.signing import Signer
from sens_async.dispatch import Dispatcher
from sens_async.errors import ConfigError, SessionClosed
from sens_async.flow.limiter import GcraLimiter, Limiter
from sens_async.flow.queue import RequestQueue
from sens_async.flow.sleepers import Sleepers
from sens_async.intake import Source
from sens_async.models import ContentType, MessageType, Receipt, Recipient, UploadedFile
from sens_async.outbox import Outbox
from sens_async.pictures import Image
from sens_async.report import BulkReport
from sens_async.stream import OutcomeStream, finish
from sens_async.transport import AiohttpTransport, Transport

if TYPE_CHECKING:  # a program that only sends does not wait for their import
    from sens_async.deliveries import Delivery, DeliveryStatus
    from sens_async.readback import Readback
    from sens_async.reservations import Reservations
    from sens_async.resolution import Resolution, Unsettled
    from sens_async.resolving import Resolver
    from sens_async.tracker import Tracker
    from sens_async.tracking import Tracking
    from sens_async.unsubscribes import Unsubscribes

__all__ = ["SensSession"]


class SensSession:
    """Sends messages through one SENS service; the one object an application needs.

    It owns a `signer`, a rate-limited request `queue`, a `chunker` and a cache of `attachments`.
    It opens nothing before its first request, belongs to the event loop it is first used in, and
    is closed by `async with` or `aclose`. There is no state outside it: one session for each
    tenant.

    ```python
    async with SensSession.from_env() as sens:
        receipt = await sens.send("010-1234-5678", "안녕하세요")
        report = await sens.send_many(recipients, "{name}님, 주문이 도착했습니다")
    ```

    Attributes:
        service_id: Of the SMS service.
        sender: The registered number that messages come from, digits, or None.
        settings: As given.
        signer: Signs requests, and knows how far this machine's clock is off.
        queue: Lets requests through.
        chunker: The rules by which lists are split.
        attachments: Uploaded pictures by their content.
        clock: What time it is.
        outbox: What is under way; durable campaigns run through it.
        sleepers: Who waits before asking again; closing wakes them.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        service_id: str,
        sender: str | None = None,
        settings: Settings | None = None,
        limiter: Limiter | None = None,
        attachment_store: AttachmentStore | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Put a session together; no event loop is needed yet.

        Args:
            credentials: The keys.
            service_id: `ncp:sms:kr:…`, from the console.
            sender: The default calling number; it must be registered with SENS.
            settings: None for the defaults.
            limiter: A limiter of one's own, perhaps shared; None for one that keeps
                `settings.rate_limit`. It is not closed by the session.
            attachment_store: Where file ids are kept, perhaps shared; None for memory.
            transport: None for aiohttp. A given one is not closed by the session.
            clock: None for the machine's.

        Raises:
            ConfigError: Naming what is wrong.
        """
        if not isinstance(credentials, Credentials):
            raise ConfigError(f"credentials must be Credentials, got {type(credentials).__name__}")
        settings = Settings() if settings is None else settings
        if not isinstance(settings, Settings):
            raise ConfigError(f"settings must be Settings, got {type(settings).__name__}")
        service = Service(service_id)
        self.service_id = service.service_id
        self.sender = None if sender is None else normalize_sender(sender)
        self.settings = settings
        self.clock = clock or SystemClock()
        self.sleepers = Sleepers(self.clock)
        self.signer = Signer(credentials.access_key, credentials.secret_key)
        self.chunker = Chunker(settings.rules)
        self._own_limiter: GcraLimiter | None = None
        if limiter is None:
            limiter = self._own_limiter = GcraLimiter(settings.rate_limit, self.clock)
        self.queue = RequestQueue(limiter, max_in_flight=settings.slots)
        self._own_transport: AiohttpTransport | None = None
        if transport is None:
            transport = self._own_transport = AiohttpTransport(
                settings.url, timeouts=settings.timeouts, connections=self.queue.capacity
            )
        self._service = service
        self._dispatcher = Dispatcher(
            Gateway(service, self.signer, transport, self.clock),
            self.queue,
            settings.retry,
            random.random,
        )
        self.attachments = AttachmentCache(
            service_id=self.service_id,
            upload=self._upload,
            clock=self.clock,
            store=attachment_store,
        )
        self.outbox = Outbox(
            self._dispatcher,
            self.chunker,
            self.attachments,
            linger=settings.linger,
            sender=self.sender,
            opted_out=self.unsubscribes.numbers,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    def from_env(
        cls,
        *,
        service_id: str | None = None,
        sender: str | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """Make a session from environment variables.

        `SENS_ACCESS_KEY` (else `NCLOUD_ACCESS_KEY`), `SENS_SECRET_KEY` (else
        `NCLOUD_SECRET_KEY`), `SENS_SERVICE_ID`, `SENS_SENDER` and `SENS_BASE_URL`. The base URL
        is that of `settings` if it has one, else the variable's, else the public host.

        Args:
            service_id: Stands in for the variable.
            sender: Stands in for the variable.
            settings: None for the defaults.

        Raises:
            ConfigError: Naming everything that is missing.
        """
        found = Environment.read(os.environ, service_id=service_id)
        settings = settings or Settings()
        if settings.base_url is None and found.base_url is not None:
            settings = attrs.evolve(settings, base_url=found.base_url)
        return cls(
            found.credentials,
            service_id=found.service_id,
            sender=sender or found.sender,
            settings=settings,
        )

    @cached_property
    def reservations(self) -> "Reservations":
        """Looks reservations up, and cancels them."""
        from sens_async.reservations import Reservations  # noqa: PLC0415 - see the imports

        return Reservations(self._dispatcher, self._service, check=self._check_usable)

    @cached_property
    def unsubscribes(self) -> "Unsubscribes":
        """Reads and changes the list of who has opted out of advertisements."""
        from sens_async.unsubscribes import Unsubscribes  # noqa: PLC0415 - see the imports

        return Unsubscribes(self._dispatcher, self._service, check=self._check_usable)

    @cached_property
    def _readback(self) -> "Readback":
        from sens_async.readback import Readback  # noqa: PLC0415 - see the imports

        return Readback(self._dispatcher, self._service, check=self._check_usable)

    @cached_property
    def _resolver(self) -> "Resolver":
        from sens_async.resolving import Resolver  # noqa: PLC0415 - see the imports

        return Resolver(self._readback, self._dispatcher, sleepers=self.sleepers)

    @cached_property
    def _tracker(self) -> "Tracker":
        from sens_async.tracker import Tracker  # noqa: PLC0415 - see the imports

        return Tracker(
            self._dispatcher,
            self._service,
            check=self._check_usable,
            random=random.random,
            sleepers=self.sleepers,
        )

    # -- verbs

    async def send(
        self,
        to: str | Recipient,
        content: str | None = None,
        *,
        subject: str | None = None,
        type: MessageType | TypeName | None = None,  # noqa: A002 - the service's word
        images: Sequence[Image] = (),
        content_type: ContentType | ContentTypeName = ContentType.COMM,
        country_code: str = KOREA,
        sender: str | None = None,
        reserve_at: datetime | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - it tells before from after sending
    ) -> Receipt:
        """Send one message to one person; overtakes runs that wait.

        Args:
            to: A phone number in any usual spelling, or a `Recipient` with fields or a text of
                its own.
            content: A template: `{name}` or `#{name}` is a field of the recipient, `{{` and `}}`
                are braces. May be None if the recipient has its own.
            subject: A template, too; it makes the message an LMS. At most 40 bytes.
            type: None to choose from bytes, subject and images; a given type is checked, never
                changed.
            images: Paths, bytes, `data:` URLs or `UploadedFile`s; they make it an MMS.
            content_type: `AD` for advertisements.
            country_code: Digits; other than "82" takes SMS only.
            sender: None for the session's.
            reserve_at: An aware datetime at least ten minutes ahead, rounded up to the minute;
                None for now.
            timeout: Seconds for everything: waiting, retries and the exchange. None for no limit
                but that of the exchange.

        Returns:
            What SENS accepted. Whether it arrives is learnt later.

        Raises:
            InvalidMessage: Nothing was sent; the message or the recipient wants mending.
            SendTimeout: `timeout` passed before the first byte: certainly not sent.
            SensError: Any other failure; `may_have_been_sent` tells, and `outcome` holds it.
            SessionClosed: The session is closed, or was before the message's turn.

        Cancellation: a message that still waits is withdrawn. One on the wire is finished in the
        background and its outcome logged.
        """
        self._check_usable()
        check_timeout(timeout)
        call = Call(content, subject, type, images, content_type, country_code, sender, reserve_at)
        return await self.outbox.single(call, to).receipt(timeout)

    async def send_many(  # noqa: D417 - the rest is explained once, at `send`
        self,
        recipients: Source,
        content: str | None = None,
        *,
        subject: str | None = None,
        type: MessageType | TypeName | None = None,  # noqa: A002 - the service's word
        images: Sequence[Image] = (),
        content_type: ContentType | ContentTypeName = ContentType.COMM,
        country_code: str = KOREA,
        sender: str | None = None,
        reserve_at: datetime | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - a run that is over time still reports
        duplicates: Literal["skip", "send"] = "skip",
        skip_unsubscribed: bool = False,
        report: BulkReport | None = None,
    ) -> BulkReport:
        """Send to any number of people, in concurrent requests of at most 100.

        Args:
            recipients: Any iterable or async iterable of numbers and `Recipient`s, read lazily,
                once. A wrong item is that item's `REJECTED`.
            content, subject, type, images, content_type, country_code, sender, reserve_at: See
                `send`; the time is checked again for each request.
            timeout: Seconds after which the run stops; None for never.
            duplicates: "skip" to send the same text to the same number once, at 60 to
                85 bytes of memory a recipient, twice that with personalised texts; "send" to
                send it again.
            skip_unsubscribed: Whether numbers that have opted out are left out of an
                advertisement: they are `SKIPPED` as `Unsubscribed`. The list is read once, before
                anything is sent; only with `content_type="AD"`.
            report: An empty report to fill while the run goes on. It is complete whatever
                exception leaves this call.

        Returns:
            One outcome for each recipient.

        Raises:
            TypeError: `recipients` is a single recipient, text or a mapping.
            ValueError: `report` was given to another run before.
            InvalidMessage: The call itself is wrong; nothing was sent.
            SensError: The list of who has opted out was wanted and could not be read; nothing
                was sent.
            Exception: Whatever the source raised, after what was in flight has ended.

        Cancellation: no more is taken from the source, what waits is `NOT_SENT`, what is on the
        wire finishes within `timeouts.total`; cancelled again, that is `UNKNOWN` at once.
        """
        self._check_usable()
        check_timeout(timeout)
        call = Call(content, subject, type, images, content_type, country_code, sender, reserve_at)
        report = BulkReport() if report is None else report
        if not isinstance(report, BulkReport):
            raise TypeError(f"report must be a BulkReport, got {type(report).__name__}")
        check_skipping(call, skip_unsubscribed)
        run = self.outbox.run(call, recipients, duplicates, report.add, takes_all=True)
        began = self.clock.monotonic()
        with report.timed(lambda: self.clock.monotonic() - began):
            try:
                starting = self.outbox.start(run, timeout, skip_unsubscribed=skip_unsubscribed)
                await finish(run, await starting)
            finally:
                report.stopped_by = run.stopped_by
        if run.failure is not None:
            raise run.failure
        return report

    def send_stream(  # noqa: D417 - the rest is explained once, at `send`
        self,
        recipients: Source,
        content: str | None = None,
        *,
        subject: str | None = None,
        type: MessageType | TypeName | None = None,  # noqa: A002 - the service's word
        images: Sequence[Image] = (),
        content_type: ContentType | ContentTypeName = ContentType.COMM,
        country_code: str = KOREA,
        sender: str | None = None,
        reserve_at: datetime | None = None,
        timeout: float | None = None,
        duplicates: Literal["skip", "send"] = "skip",
        skip_unsubscribed: bool = False,
    ) -> OutcomeStream:
        """Send to any number of people in flat memory, and iterate over outcomes as they come.

        ```python
        async with sens.send_stream(recipients, "…", duplicates="send") as outcomes:
            async for outcome in outcomes:
                ...
        ```

        Args:
            recipients: See `send_many`.
            content, subject, type, images, content_type, country_code, sender, reserve_at: See
                `send`; the time is checked again for each request.
            timeout: See `send_many`.
            duplicates: See `send_many`; only "send" keeps memory flat.
            skip_unsubscribed: See `send_many`; the list is read when the stream begins.

        Returns:
            The stream; nothing is sent before it is entered or iterated.

        Raises:
            TypeError: See `send_many`.
            InvalidMessage: The call itself is wrong; nothing was sent.
        """
        self._check_usable()
        check_timeout(timeout)
        call = Call(content, subject, type, images, content_type, country_code, sender, reserve_at)
        check_skipping(call, skip_unsubscribed)
        stream = OutcomeStream(max_unread=2 * self.queue.max_in_flight)
        run = self.outbox.run(call, recipients, duplicates, stream.add, room=stream.room)

        async def start() -> asyncio.Task[None]:
            self._check_usable()
            return await self.outbox.start(run, timeout, skip_unsubscribed=skip_unsubscribed)

        stream.follow(run, start)
        return stream

    async def upload(self, image: Image) -> UploadedFile:
        """Upload a picture, or find it already uploaded; for messages to come.

        Args:
            image: A path, bytes, or a `data:` URL. With the `[images]` extra any usual picture;
                without, a JPEG of at most 1500 x 1440 and 300,000 bytes.

        Raises:
            InvalidAttachment: It is no picture that can be sent.
            SensError: It could not be uploaded.
        """
        self._check_usable()
        return await self.attachments.get(image)

    def messages(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        completed_since: datetime | None = None,
        completed_until: datetime | None = None,
        request_id: str | None = None,
        message_id: str | None = None,
        type: MessageType | TypeName | None = None,  # noqa: A002 - the service's word
        content_type: ContentType | ContentTypeName | None = None,
        country_code: str | None = None,
        status: "DeliveryStatus | StatusWord | None" = None,
        status_name: StatusName | None = None,
        sender: str | None = None,
        to: str | None = None,
    ) -> "AsyncIterator[Delivery]":
        """Look for accepted messages; the service knows those of the last 90 days.

        ```python
        async for delivery in sens.messages(since=yesterday, status_name="fail"):
            print(delivery.number, delivery.result)
        ```

        One of `since`, `completed_since` and `request_id` must be given. A window longer than the
        service takes (30 days by request, 24 hours by completion) is asked for in pieces, the
        earliest first; further back than 90 days is allowed and finds nothing.

        Args:
            since: Only messages requested at or after this; aware, taken by the second.
            until: Only messages requested at or before this; None for now. The service compares
                seconds, and does not say whether it counts a window's last one: a message of the
                second after may come, too.
            completed_since: As `since`, by the time of the report.
            completed_until: As `until`, by the time of the report.
            request_id: Only messages of this request.
            message_id: Only this message.
            type: Only messages sent as this.
            content_type: Only these.
            country_code: Only messages to this country; digits.
            status: Only messages that are this far.
            status_name: Only completed ones that were delivered, or failed.
            sender: Only messages from this number.
            to: Only messages to this number; a Korean one unless `country_code` is given.

        Returns:
            An iterator that asks for a page of 100 when it needs one, and may be left at any
            time. Nothing found is an empty iteration. The order is the service's.

        Raises:
            InvalidQuery: What is asked for cannot be asked; naming it.
            SensError: While iterating: a page could not be read. What came before is good.
        """
        from sens_async.core.search import search  # noqa: PLC0415 - see the imports

        self._check_usable()
        listings = search(
            self.signer.timestamp(self.clock.time()) / 1000,  # as the gateway's clock has it
            since=since,
            until=until,
            completed_since=completed_since,
            completed_until=completed_until,
            request_id=request_id,
            message_id=message_id,
            type=type,
            content_type=content_type,
            country_code=country_code,
            status=status,
            status_name=status_name,
            sender=sender,
            to=to,
        )
        return self._readback.rows_of(listings)

    async def message(self, message_id: str) -> "Delivery":
        """Look one message up.

        Args:
            message_id: `Delivery.message_id`. A request id is not one: see `deliveries`.

        Raises:
            InvalidQuery: The id is empty or no str.
            NotFound: The service knows no message of this id, or not yet.
            SensError: It could not be read.
        """
        self._check_usable()
        return await self._readback.message(message_id)

    def deliveries(self, of: str | Receipt) -> "AsyncIterator[Delivery]":
        """Look up the messages of one request, as they are now.

        Args:
            of: A request id, for all of its messages; or the receipt of a `send`, for that
                recipient's only: with `linger`, others may have shared the request.

        Returns:
            See `messages`. A request that the service does not list yet (it was accepted a moment
            ago, or is reserved) is an empty iteration, not an error.

        Raises:
            InvalidQuery: The id is empty or no str.
            SensError: While iterating: a page could not be read.
        """
        self._check_usable()
        return self._readback.deliveries(of)

    async def resolve(
        self, what: "Unsettled", *, settle: float = 600.0, wait: bool = True
    ) -> "Resolution":
        """Find out, by asking SENS, whether unknown outcomes were accepted.

        ```python
        report = await sens.send_many(recipients, "…")
        if report.counts[OutcomeState.UNKNOWN]:
            report = (await sens.resolve(report)).report
        ```

        What SENS lists is `ACCEPTED`, with its request id. What it does not list stays `UNKNOWN`
        until it cannot come any more; then it is `NOT_SENT`, with `NotFoundAfterSettling`, and
        safe to give again. What cannot be told for certain, or could not be read, stays
        `UNKNOWN`. Of identical requests only the number that was found is known.

        Give the whole report where there is one: accepted requests in it are not taken for
        unknown ones, and show whether asking works.

        Args:
            what: A report, outcomes, or the error of a `send`; also a list of outcomes and
                errors, and what was pickled and comes from another process. Outcomes that are
                not unknown are passed over.
            settle: Seconds after the signature, or after the reserved time, until absence is
                believed. The default covers a signature's validity of 5 minutes, clocks that
                differ, and 2 minutes until everything accepted is listed. Less may call accepted
                messages `NOT_SENT`.
            wait: Whether to go on asking until everything is settled; else once. Either waits for
                the answers of sends that are on the wire to whoever was found: what is listed
                may be theirs.

        Returns:
            One outcome for each unknown one given. `settles_at` says when to ask again.

        Raises:
            TypeError: `what` is none of these.
            ValueError: `settle` is below 0 or longer than SENS lists messages (89 days), or an
                error says no more than that something may have been sent.
            SessionClosed: The session is closed, or was meanwhile.

        Cancellation: nothing is changed by asking, and nothing is kept.
        """
        self._check_usable()
        return await self._resolver.resolve(what, settle=settle, wait=wait)

    def track(self, of: str | Receipt | BulkReport, *, timeout: float | None = None) -> "Tracking":
        """Follow accepted messages until it is known what became of them.

        ```python
        tracking = sens.track(report, timeout=600)
        async for delivery in tracking:
            print(delivery.key, delivery.status, delivery.result)
        print(tracking.counts, len(tracking.pending))
        ```

        SENS calls nobody back, so it is asked: one list call for a request of up to 100
        recipients, only for those with somebody pending, each second at first and while much
        moves, then more and more seldom, at last once a minute. These calls count against the
        rate limit, take turns with runs, and let single sends go first. A question that fails is
        asked again when its turn comes. Nothing is asked while nobody iterates.

        Args:
            of: The report of a run, for all who are accepted by now; the receipt of a `send`, for
                that recipient, also where others share the request; or a request id, for whoever
                its list names. How many those are is not known: they count as all when the list
                has stayed as it is for ten seconds.
            timeout: Seconds from the first iteration after which it ends, whoever is pending.
                None for as long as it takes: then a request ends without a result when SENS has
                not listed it for an hour, or when nothing new was heard of it for a day.

        Returns:
            An iterator over deliveries, one each time a message gets farther, the final one
            once; those of a report have the recipient's `key` and `index`. What was reserved is
            waited for: it is looked up now and then, and shortly after its time. Messages
            whose reservation ends without sending them are counted as such in `counts`, without
            a delivery, since there is none.

        Raises:
            InvalidQuery: `of` is none of these, or an empty id.
            InvalidMessage: `timeout` is no number of seconds above 0.
            SensError: While iterating, where asking again would not help: the keys are wrong, or
                have no right to the service.
            SessionClosed: While iterating: the session was closed.

        Cancellation: what was learnt is kept; iterating again goes on.
        """
        self._check_usable()
        check_timeout(timeout)
        return self._tracker.track(of, timeout)

    async def aclose(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Finish what is on the wire, and close.

        What only waits is not sent: it gets `SessionClosed`, or `NOT_SENT` in a run.

        Args:
            timeout: Seconds to wait for what is on the wire, which is then given up and
                unknown; None for as long as `timeouts.total` allows it.

        Cancellation: gives up at once what is on the wire, and closes.
        """
        if self._closing is None:
            self._check_place()
            check_timeout(timeout, allows_zero=True)
            closing = self._close(timeout, asyncio.current_task())
            self._closing = asyncio.create_task(closing, name="sens-async closing")
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            self.outbox.abandon()
            await asyncio.wait({self._closing})
            raise

    async def __aenter__(self) -> Self:
        self._check_usable()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "open" if self._loop else "idle"
        return (
            f"<SensSession {self.service_id} {state}, in_flight={self.queue.in_flight}, "
            f"waiting={self.queue.waiting}>"
        )

    async def _upload(self, name: str, data: bytes) -> UploadedFile:
        request = Request("POST", self._service.files, upload_body(name, data))
        answer = await self._dispatcher.ask(request, read_upload)
        return UploadedFile(
            file_id=answer.file_id,
            expires_at=answer.expire_time,
            name=name,
            size_bytes=len(data),
            digest=digest(data),
        )

    # -- lifetime

    def _check_usable(self) -> None:
        """Take hold of the event loop, and refuse use where the session cannot work."""
        if self._closing is not None:
            raise SessionClosed("the session is closed")
        self._check_place()

    def _check_place(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(
                "this session was made in another process; connections do not survive a fork: "
                "make a session in each process"
            )
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError(
                "this session belongs to another event loop; make a session in each loop"
            )

    async def _close(
        self,
        timeout: float | None,  # noqa: ASYNC109 - see `aclose`
        caller: asyncio.Task[object] | None,
    ) -> None:
        self.queue.close()
        self.sleepers.wake()
        patience = self.settings.timeouts.total if timeout is None else timeout
        await self.outbox.close(timeout, patience, caller)
        await self.attachments.aclose()
        if self._own_limiter is not None:
            await self._own_limiter.aclose()
        if self._own_transport is not None:
            await self._own_transport.aclose()
