"""The list of messages: what a query asks for, and the page that answers it.

Source: SENS API, "List messages". A page is found by bisecting the accepted requests by time;
whole requests are passed over by what their recipients share, so that a page costs no look at
each of a million messages.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from urllib.parse import parse_qs

import attrs
import orjson

from sens_async.emulator.admissions import Admission, AdmissionLog, Batch
from sens_async.emulator.answers import KST, Refused
from sens_async.emulator.deliveries import Deliveries, Progress
from sens_async.emulator.options import DAY, EmulatorOptions
from sens_async.emulator.results import DELIVERED

__all__ = ["Criteria", "Page", "Row", "read_criteria", "select"]

REQUEST_SPAN = 30 * DAY
COMPLETE_SPAN = DAY
DEFAULT_PAGE, MAX_PAGE, BIG_PAGE = 20, 100, 1000
SLOWEST_MAGIC = 9999.0
"""Seconds; no magic number takes longer and still arrives."""

_CHOICES = {
    "type": ("SMS", "LMS", "MMS"),
    "contentType": ("COMM", "AD"),
    "status": ("READY", "PROCESSING", "COMPLETED"),
    "statusName": ("success", "fail"),
}
_DIGITS = ("countryCode", "from", "to")


@attrs.frozen(kw_only=True)
class Criteria:
    """A query, read and checked.

    Attributes:
        request_id: Or None for any.
        requested: First and last second of acceptance, or None for any.
        completed: First and last second of completion, or None for any.
        filters: Further parameters by their names in the query, as they have to be.
        page_size: Rows at most.
        after: Serial of the batch and position of the row before this page, or None.
        page_index: Of this page, from 0.
        fingerprint: Of the query without its page; a token holds only for its own.
    """

    request_id: str | None
    requested: tuple[float, float] | None
    completed: tuple[float, float] | None
    filters: Mapping[str, str]
    page_size: int
    after: tuple[int, int] | None = None
    page_index: int = 0
    fingerprint: str = ""

    def token(self, batch: Batch, position: int) -> str:
        """The token for the page behind a row."""
        content = [self.fingerprint, batch.serial, position, self.page_index + 1]
        return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


Row = tuple[Batch, Admission, Progress]


@attrs.frozen
class Page:
    """Rows of a list, and the token of the page behind them, if there is one."""

    rows: list[Row]
    next_token: str | None


def read_criteria(query: str, options: EmulatorOptions) -> Criteria:
    """Read a query string. Unknown parameters and empty ones are passed over.

    Raises:
        Refused: With 400, naming the parameter.
    """
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    request_id = fields.get("requestId")
    requested = _window(fields, "request", REQUEST_SPAN, "30 days")
    completed = _window(fields, "complete", COMPLETE_SPAN, "24 hours")
    if request_id is None and requested is None and completed is None:
        raise Refused(
            "one of requestId, requestStartTime with requestEndTime, or completeStartTime with"
            " completeEndTime is required"
        )
    filters = _filters(fields)
    page_size = _page_size(fields)
    if request_id is not None and options.page_size == "1000":
        page_size = BIG_PAGE
    about = repr((request_id, requested, completed, sorted(filters.items())))
    fingerprint = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    after, page_index = None, 0
    if "nextToken" in fields:
        after, page_index = _read_token(fields["nextToken"], fingerprint)
    return Criteria(
        request_id=request_id,
        requested=requested,
        completed=completed,
        filters=filters,
        page_size=page_size,
        after=after,
        page_index=page_index,
        fingerprint=fingerprint,
    )


def select(
    criteria: Criteria,
    log: AdmissionLog,
    deliveries: Deliveries,
    options: EmulatorOptions,
    now: float,
) -> Page:
    """The page that a query asks for, as things stand at a moment."""
    rows: list[Row] = []
    places: list[tuple[Batch, int]] = []
    for batch, positions in _candidates(criteria, log, deliveries, options, now):
        for position in positions:
            message = batch.admission(position)
            progress = deliveries.progress(batch, message, now)
            if not _matches(criteria, message, progress, options):
                continue
            if len(rows) == criteria.page_size:
                return Page(rows, criteria.token(*places[-1]))
            rows.append((batch, message, progress))
            places.append((batch, position))
    return Page(rows, None)


def _candidates(
    criteria: Criteria,
    log: AdmissionLog,
    deliveries: Deliveries,
    options: EmulatorOptions,
    now: float,
) -> Iterator[tuple[Batch, range]]:
    """The batches that may hold rows, in the list's order, with the positions to look at."""
    newest = options.list_order == "newest"
    batches = _batches(criteria, log, options, now)
    if newest:
        batches.reverse()
    oldest_listed = now - options.retention_days * DAY
    to = criteria.filters.get("to")
    fits = _envelope_filter(criteria)
    start = _resume(batches, criteria.after)
    for i in range(start, len(batches)):
        batch = batches[i]
        if batch.at <= oldest_listed or not fits(batch):
            continue
        if to is not None and to not in batch.envelope.numbers:
            continue
        visible_at = deliveries.visible_at(batch)
        if visible_at is None or now < visible_at:
            continue
        if not _may_match(criteria, batch, deliveries, now):
            continue
        first = 0
        if criteria.after is not None and batch.serial == criteria.after[0]:
            first = criteria.after[1] + 1
        yield batch, range(first, len(batch))


def _batches(
    criteria: Criteria, log: AdmissionLog, options: EmulatorOptions, now: float
) -> list[Batch]:
    """The batches that the query's id or windows leave over, oldest first."""
    if criteria.request_id is not None:
        batch = log.request(criteria.request_id)
        return [] if batch is None else [batch]
    first, last = now - options.retention_days * DAY, now
    if criteria.requested is not None:
        first, last = max(first, criteria.requested[0]), min(last, criteria.requested[1] + 1)
    if criteria.completed is None:
        return log.between(first, last)
    start, end = criteria.completed[0], criteria.completed[1] + 1
    slowest = max(options.completion_delay[1], SLOWEST_MAGIC)
    found = log.between(max(first, start - slowest), min(last, end))
    plain = [batch for batch in found if batch.leaves_at is None]
    reserved = [
        batch
        for batch in log.reserved()
        if first <= batch.at <= last and start - slowest <= (batch.leaves_at or 0.0) <= end
    ]
    return (
        sorted(plain + reserved, key=lambda batch: (batch.at, batch.serial)) if reserved else plain
    )


def _resume(batches: list[Batch], after: tuple[int, int] | None) -> int:
    """Where the batch stands that a page before this one ended in."""
    if after is None:
        return 0
    return next((i for i, batch in enumerate(batches) if batch.serial == after[0]), len(batches))


def _envelope_filter(criteria: Criteria) -> Callable[[Batch], bool]:
    """A test of what all recipients of a batch share."""
    filters = criteria.filters
    names = {
        "type": "type",
        "contentType": "content_type",
        "countryCode": "country_code",
        "from": "sender",
    }
    wanted = [(name, filters[field]) for field, name in names.items() if field in filters]
    return lambda batch: all(getattr(batch.envelope, name) == value for name, value in wanted)


def _may_match(criteria: Criteria, batch: Batch, deliveries: Deliveries, now: float) -> bool:
    """Whether a message of a batch can be in the state that is asked for."""
    status, name = criteria.filters.get("status"), criteria.filters.get("statusName")
    if status is None and name is None and criteria.completed is None:
        return True
    possible = deliveries.statuses(batch, now)
    if status is not None and status not in possible:
        return False
    if name is not None and "COMPLETED" not in possible:
        return False
    if name == "fail" and not deliveries.may_fail(batch):
        return False
    if criteria.completed is None:
        return True
    first, last = deliveries.completion(batch)
    return "COMPLETED" in possible and (
        first < criteria.completed[1] + 1 and criteria.completed[0] <= last
    )


def _matches(
    criteria: Criteria, message: Admission, progress: Progress, options: EmulatorOptions
) -> bool:
    filters = criteria.filters
    if filters.get("to", message.number) != message.number:
        return False
    if filters.get("messageId", message.message_id) != message.message_id:
        return False
    if filters.get("status", progress.status) != progress.status:
        return False
    if "statusName" in filters:
        if progress.code is None:
            return False
        if (progress.code == DELIVERED) != (filters["statusName"] == "success"):
            return False
    exclusive = options.list_end == "exclusive"
    return _within(message.at, criteria.requested, exclusive=exclusive) and _within(
        progress.completed_at, criteria.completed, exclusive=exclusive
    )


def _within(at: float | None, window: tuple[float, float] | None, *, exclusive: bool) -> bool:
    """Whether a moment lies in a window of whole seconds."""
    if window is None:
        return True
    if at is None:
        return False
    second = at // 1
    return window[0] <= second and (second < window[1] if exclusive else second <= window[1])


def _window(
    fields: Mapping[str, str], name: str, span: float, words: str
) -> tuple[float, float] | None:
    """First and last second of a window; None if the query has none."""
    start, end = f"{name}StartTime", f"{name}EndTime"
    if start not in fields and end not in fields:
        return None
    for field in (start, end):
        if field not in fields:
            raise Refused(f"{field} is required where the other one is given")
    first, last = _moment(fields, start), _moment(fields, end)
    if last < first:
        raise Refused(f"{end} is before {start}")
    if last - first > span:
        raise Refused(f"{start} to {end} is more than {words}")
    return first, last


def _moment(fields: Mapping[str, str], name: str) -> float:
    try:
        moment = datetime.strptime(fields[name], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - set below
    except ValueError:
        raise Refused(f"{name} has to be a time as YYYY-MM-DD HH:mm:ss") from None
    return moment.replace(tzinfo=KST).timestamp()


def _filters(fields: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, choices in _CHOICES.items():
        value = fields.get(name)
        if value is None:
            continue
        if value not in choices:
            raise Refused(f"{name} has to be one of {', '.join(choices)}")
        found[name] = value
    for name in _DIGITS:
        value = fields.get(name)
        if value is None:
            continue
        if not (value.isascii() and value.isdigit()):
            raise Refused(f"{name} has to be digits only")
        found[name] = value
    if "messageId" in fields:
        found["messageId"] = fields["messageId"]
    return found


def _page_size(fields: Mapping[str, str]) -> int:
    text = fields.get("pageSize")
    if text is None:
        return DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= MAX_PAGE):
        raise Refused(f"pageSize has to be 1 to {MAX_PAGE}")
    return int(text)


def _read_token(token: str, fingerprint: str) -> tuple[tuple[int, int], int]:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        content = orjson.loads(raw)
        known, serial, position, page_index = content
    except (binascii.Error, ValueError, TypeError):
        raise Refused("nextToken cannot be read") from None
    numbers = (serial, position, page_index)
    if known != fingerprint or not all(isinstance(number, int) for number in numbers):
        raise Refused("nextToken belongs to another query")
    return (serial, position), page_index
