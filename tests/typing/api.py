"""The public API, used in every supported way. Never run: it must pass `mypy --strict`."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import assert_type
from zoneinfo import ZoneInfo

from sens_async import (
    ApiError,
    BadRequest,
    BulkFailed,
    BulkReport,
    ConfigError,
    ContentTooLong,
    ContentType,
    Credentials,
    Delivery,
    DeliveryEnd,
    DeliveryStatus,
    InvalidQuery,
    MessageType,
    MissingField,
    Outcome,
    OutcomeBatch,
    OutcomeState,
    OutcomeStream,
    PendingDelivery,
    RateLimit,
    RateLimited,
    Receipt,
    Recipient,
    Reservation,
    ReservationNotCancellable,
    ReservationStatus,
    Resolution,
    ResultClass,
    ResultCode,
    RetryPolicy,
    SensError,
    SensSession,
    Settings,
    Timeouts,
    Tracking,
    UnencodableText,
    Unsubscribe,
    UploadedFile,
    measure,
)
from sens_async.attachment_store import AttachmentStore
from sens_async.campaign import Campaign, CampaignOutcome, CampaignStatus, Guarantee, Ledger
from sens_async.clock import Clock
from sens_async.core.requests import Request
from sens_async.core.responses import Response
from sens_async.flow.lanes import Lane
from sens_async.flow.limiter import Limiter
from sens_async.transport import Handover, Transport

SEOUL = ZoneInfo("Asia/Seoul")


def settings() -> Settings:
    return Settings(
        base_url="https://sens.apigw.gov-ntruss.com",
        rate_limit=RateLimit(requests=50, recipients=2000, per=1),
        max_in_flight=8,
        linger=0.0,
        timeouts=Timeouts(connect=3, total=20.0),
        retry=RetryPolicy(max_attempts=3, backoff=0.2, pause=1, max_wait=10.0, outage_pause=30),
        charset="ks_x_1001",
        unencodable="replace",
        on_too_long="truncate",
        check_ad_label=False,
        night_consent=True,
        allow_insecure=False,
    )


def sessions() -> Iterator[SensSession]:
    credentials = Credentials("access", "secret")
    assert_type(credentials.access_key, str)
    yield SensSession(credentials, service_id="ncp:sms:kr:1:demo")
    yield SensSession(
        Credentials(access_key="access", secret_key="secret"),
        service_id="ncp:sms:kr:1:demo",
        sender="02-1234-5678",
        settings=Settings(rate_limit=None),
    )
    yield SensSession.from_env()
    yield SensSession.from_env(service_id="svc", sender="0212345678", settings=settings())


class EveryOther:
    """A limiter of one's own."""

    async def acquire(self, recipients: int, lane: Lane) -> None: ...
    def pause(self, seconds: float) -> None: ...


class Store:
    """A store of one's own."""

    async def get(self, key: str) -> UploadedFile | None: ...
    async def put(self, key: str, file: UploadedFile) -> None: ...
    async def drop(self, key: str) -> None: ...
    def lease(self, key: str) -> AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()


class Wire:
    """A transport of one's own."""

    async def exchange(
        self, request: Request, headers: Mapping[str, str], handover: Handover
    ) -> Response:
        return Response(202)

    async def aclose(self) -> None: ...


class Watch:
    """A clock of one's own."""

    def time(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


def parts_of_ones_own() -> SensSession:
    limiter: Limiter = EveryOther()
    store: AttachmentStore = Store()
    transport: Transport = Wire()
    clock: Clock = Watch()
    return SensSession(
        Credentials("access", "secret"),
        service_id="svc",
        limiter=limiter,
        attachment_store=store,
        transport=transport,
        clock=clock,
    )


async def singly(sens: SensSession, file: UploadedFile) -> None:
    receipt = await sens.send("010-1234-5678", "안녕하세요")
    assert_type(receipt, Receipt)
    assert_type(receipt.request_id, str)
    assert_type(receipt.requested_at, datetime | None)
    assert_type(receipt.number, str)
    assert_type(receipt.type, MessageType)
    assert_type(receipt.reserve_at, datetime | None)
    assert_type(receipt.attempts, int)
    await sens.send(Recipient("01012345678", fields={"이름": "김민수"}), "{이름}님")
    await sens.send(Recipient("01012345678", content="직접"))
    await sens.send(
        "01012345678",
        "안녕하세요",
        subject="안내",
        type="MMS",
        images=["poster.jpg", Path("poster.jpg"), b"\xff\xd8", "data:image/jpeg;base64,", file],
        content_type="AD",
        country_code="82",
        sender="15881234",
        reserve_at=datetime(2030, 1, 1, 9, 0, tzinfo=SEOUL),
        timeout=10,
    )
    await sens.send("4155552671", "hello", type=MessageType.SMS, country_code="1")
    await sens.send("01012345678", "(광고)", content_type=ContentType.AD, timeout=1.5)
    assert_type(await sens.upload("poster.jpg"), UploadedFile)
    await sens.upload(b"\xff\xd8")
    await sens.upload(Path("poster.jpg"))
    assert_type(file.file_id, str)
    assert_type(file.expires_at, datetime)


async def numbers() -> AsyncIterator[str]:
    yield "01012345678"


async def people() -> AsyncIterator[Recipient]:
    yield Recipient("01012345678", subject="제목", key="order-1")


async def anybody() -> AsyncIterator[str | Recipient]:
    yield "01012345678"
    yield Recipient("01012345678")


async def many(sens: SensSession) -> None:
    report = await sens.send_many(["01012345678"], "안녕하세요")
    assert_type(report, BulkReport)
    strings: Sequence[str] = ("01012345678",)
    recipients: list[Recipient] = [Recipient("01012345678")]
    await sens.send_many(strings, "안녕하세요")
    await sens.send_many(recipients, "안녕하세요")
    await sens.send_many((number for number in strings), "안녕하세요")
    await sens.send_many({"01012345678"}, "안녕하세요")
    await sens.send_many(numbers(), "안녕하세요")
    await sens.send_many(people())
    await sens.send_many(anybody(), "안녕하세요", duplicates="send", report=BulkReport())
    await sens.send_many(
        recipients,
        "{이름}님",
        subject="{이름}님께",
        type=None,
        images=[],
        content_type="COMM",
        country_code="82",
        sender=None,
        reserve_at=None,
        timeout=None,
        duplicates="skip",
        report=None,
    )


async def reading_back(sens: SensSession, receipt: Receipt) -> None:
    at = datetime(2025, 11, 25, tzinfo=SEOUL)
    async for delivery in sens.messages(since=at, status_name="fail", type="LMS"):
        assert_type(delivery, Delivery)
    sens.messages(
        completed_since=at,
        completed_until=at,
        message_id="m",
        type=MessageType.SMS,
        content_type="AD",
        country_code="82",
        status="COMPLETED",
        sender="15881234",
        to="010-1234-5678",
    )
    sens.messages(request_id="r", status=DeliveryStatus.READY, content_type=ContentType.COMM)
    assert_type(sens.deliveries("r"), AsyncIterator[Delivery])
    resolution = await sens.resolve(BulkReport(), settle=600, wait=False)
    assert_type(resolution, Resolution)
    assert_type(resolution.report, BulkReport | None)
    assert_type(resolution.settles_at, datetime | None)
    await sens.resolve(resolution.outcomes)
    await sens.resolve([SensError("lost"), *resolution.outcomes])
    await sens.resolve(SensError("lost"))
    assert_type(sens.deliveries(receipt), AsyncIterator[Delivery])
    delivery = await sens.message("m")
    assert_type(delivery, Delivery)
    assert_type(delivery.message_id, str | None)
    assert_type(delivery.number, str)
    assert_type(delivery.type, MessageType | str | None)
    assert_type(delivery.status, DeliveryStatus | str | None)
    assert_type(delivery.requested_at, datetime | None)
    assert_type(delivery.file_ids, tuple[str, ...])
    assert_type(delivery.key, str | None)
    assert_type(delivery.index, int | None)
    assert_type(delivery.is_final, bool)
    assert_type(delivery.is_delivered, bool)
    assert_type(delivery.is_failed, bool)
    assert_type(delivery.result, ResultCode | None)
    if delivery.result is not None:
        assert_type(delivery.result.kind, ResultClass)
        assert_type(delivery.result.english, str)
        assert_type(delivery.result.korean, str)


async def following(sens: SensSession, receipt: Receipt, report: BulkReport) -> None:
    tracking = sens.track(report, timeout=600)
    assert_type(tracking, Tracking)
    async for delivery in tracking:
        assert_type(delivery, Delivery)
        assert_type(delivery.end, DeliveryEnd | None)
    async for delivery in sens.track(receipt):
        assert_type(delivery, Delivery)
    sens.track("r", timeout=1.5)
    assert_type(tracking.counts, Counter[DeliveryEnd])
    assert_type(tracking.counts[DeliveryEnd.DELIVERED], int)
    assert_type(tracking.pending, Sequence[PendingDelivery])
    assert_type(tracking.reservations, dict[str, Reservation])
    assert_type(tracking.last_error, SensError | None)
    for pending in tracking.pending:
        assert_type(pending.request_id, str)
        assert_type(pending.number, str | None)
        assert_type(pending.key, str | None)
        assert_type(pending.index, int | None)
        assert_type(pending.status, DeliveryStatus | str | None)
    assert_type(report.batches, Sequence[OutcomeBatch])


async def reservations(sens: SensSession, receipt: Receipt) -> None:
    found = await sens.reservations.get(receipt.request_id)
    assert_type(found, Reservation)
    assert_type(found.status, ReservationStatus | str)
    assert_type(found.reserve_at, datetime | None)
    assert_type(found.zone, str | None)
    assert_type(found.is_final, bool)
    assert_type(found.is_cancellable, bool)
    try:
        await sens.reservations.cancel(found.reserve_id)
    except ReservationNotCancellable as error:
        assert_type(error.state, str)
    except InvalidQuery:
        raise


async def opt_outs(sens: SensSession) -> None:
    async for entry in sens.unsubscribes.list("010-1234-5678", since=datetime.now(tz=SEOUL)):
        assert_type(entry, Unsubscribe)
        assert_type(entry.number, str)
        assert_type(entry.registered_at, datetime | None)
        assert_type(entry.how, str | None)
        assert_type(entry.is_manual, bool)
    await sens.unsubscribes.add(["010-1234-5678"])
    await sens.unsubscribes.remove(number for number in ("010-1234-5678",))
    assert_type(await sens.unsubscribes.numbers(), frozenset[str])
    report = await sens.send_many(
        ["01012345678"], "(광고)", content_type="AD", skip_unsubscribed=True
    )
    assert_type(report, BulkReport)
    async with sens.send_stream(
        numbers(), "(광고)", content_type="AD", skip_unsubscribed=True
    ) as outcomes:
        assert_type(outcomes, OutcomeStream)


def zones() -> Iterator[Settings]:
    for name in ("public", "gov", "fin"):
        yield Settings(base_url=name)


def reading(report: BulkReport) -> None:
    assert_type(report.outcomes, Sequence[Outcome])
    for view in (
        report.accepted,
        report.rejected,
        report.skipped,
        report.not_sent,
        report.unknown,
    ):
        assert_type(view, Sequence[Outcome])
    assert_type(report.outcomes[0], Outcome)
    assert_type(report.counts[OutcomeState.ACCEPTED], int)
    assert_type(report.counts_by_type[MessageType.SMS], int)
    assert_type(report.request_ids, list[str])
    assert_type(report.stopped_by, SensError | None)
    assert_type(report.elapsed, float)
    assert_type(len(report), int)
    assert_type(report.recipients("NOT_SENT", OutcomeState.UNKNOWN), list[object])
    report.raise_for_failures()


def of_one(outcome: Outcome) -> None:
    assert_type(outcome.index, int)
    assert_type(outcome.recipient, object)
    assert_type(outcome.key, str | None)
    assert_type(outcome.number, str | None)
    assert_type(outcome.state, OutcomeState)
    assert_type(outcome.type, MessageType | None)
    assert_type(outcome.request_id, str | None)
    assert_type(outcome.error, SensError | None)
    assert_type(outcome.attempts, int)
    assert_type(outcome.attempted_at, datetime | None)
    if outcome.state == "UNKNOWN" and outcome.error is not None:
        assert_type(outcome.error.may_have_been_sent, bool)


async def streaming(sens: SensSession) -> None:
    async with sens.send_stream(numbers(), "안녕하세요", duplicates="send") as outcomes:
        assert_type(outcomes, OutcomeStream)
        async for outcome in outcomes:
            assert_type(outcome, Outcome)
            if outcome.state is OutcomeState.REJECTED:
                outcomes.stop()
        assert_type(outcomes.counts[OutcomeState.NOT_SENT], int)
        assert_type(outcomes.stopped_by, SensError | None)
    async with sens.send_stream(people()) as outcomes:
        async for batch in outcomes.batches():
            assert_type(batch, OutcomeBatch)
            assert_type(batch.state, OutcomeState)
            assert_type(batch[0], Outcome)
            assert_type(batch[1:], list[Outcome])
    stream = sens.send_stream(["01012345678"], "안녕하세요", subject="안내", images=[b"\xff\xd8"])
    await stream.aclose()


async def failing(sens: SensSession) -> None:
    try:
        await sens.send("01012345678", "안녕하세요")
    except ContentTooLong as error:
        assert_type(error.size_bytes, int)
        assert_type(error.limit_bytes, int)
        assert_type(error.field, str)
    except UnencodableText as error:
        assert_type(error.character, str)
        assert_type(error.position, int)
        assert_type(error.suggestion, str | None)
    except MissingField as error:
        assert_type(error.name, str)
    except RateLimited as error:
        assert_type(error.retry_after, float | None)
    except ApiError as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.request_id, str | None)
        assert_type(error.body_excerpt, str)
    except (ConfigError, ValueError):
        raise
    except SensError as error:
        assert_type(error.may_have_been_sent, bool)
        assert_type(error.is_retryable, bool)
        assert_type(error.outcome, Outcome | None)


def grouped(report: BulkReport) -> None:
    try:
        report.raise_for_failures()
    except BulkFailed as failed:
        assert_type(failed.counts, tuple[int, ...])
        for error in failed.exceptions:
            assert isinstance(error, SensError)
    try:
        report.raise_for_failures()
    except* BadRequest as group:
        for refused in group.exceptions:
            repr(refused)


def measuring() -> None:
    measured = measure("안녕", subject="안내", images=1, charset="cp949")
    assert_type(measured.size_bytes, int)
    assert_type(measured.subject_bytes, int)
    assert_type(measured.type, MessageType | None)
    assert_type(measured.limit_bytes, int)
    assert_type(measured.fits, bool)
    assert_type(measured.text, str)
    assert_type(measured.cp949_only, tuple[str, ...])
    for one in measured.unencodable:
        assert_type(one.character, str)
        assert_type(one.position, int)
        assert_type(one.suggestion, str | None)


async def lifetime(sens: SensSession) -> None:
    async with sens as same:
        assert_type(same, SensSession)
    await sens.aclose()
    await sens.aclose(timeout=5)
    assert_type(sens.service_id, str)
    assert_type(sens.sender, str | None)
    assert_type(sens.settings, Settings)
    for part in (sens.signer, sens.queue, sens.chunker, sens.attachments):
        repr(part)


def errors() -> Iterator[SensError]:
    yield SensError("message")
    yield ApiError("message", status=500, code="900", may_have_been_sent=True)
    yield BulkFailed("message", [BadRequest("no")], counts=[3])


def look(status: CampaignStatus) -> None:
    assert_type(status.counts, Counter[OutcomeState])


async def campaigns(sens: SensSession) -> None:
    async with Ledger.open("campaigns.db") as ledger:
        assert_type(ledger, Ledger)
        campaign = await ledger.plan(sens, "one", ["010"], "안녕", guarantee="effectively_once")
        assert_type(campaign, Campaign)
        assert_type(campaign.guarantee, Guarantee)
        status = await campaign.run(sens, watch=look)
        assert_type(status, CampaignStatus)
        assert_type(status.is_finished, bool)
        assert_type(status.stopped_by, SensError | None)
        async for outcome in campaign.report():
            assert_type(outcome, CampaignOutcome)
            assert_type(outcome.state, OutcomeState)
        assert_type(await ledger.list(), Sequence[Campaign])
