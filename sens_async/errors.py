"""Everything the library raises, and the one question it answers: may a message have gone out?

    SensError
    ├── ConfigError (ValueError)         wrong or missing settings, when they are built
    ├── SessionClosed                    the session was closed before this was sent
    ├── InvalidQuery (ValueError)        a question that SENS cannot be asked
    ├── InvalidMessage (ValueError)      refused here, before any request
    │   ├── InvalidRecipient             not a phone number that can be sent to
    │   ├── ContentTooLong               more bytes than the message type takes
    │   ├── UnencodableText              a character the service's charset does not hold
    │   ├── InvalidTemplate              braces that do not pair
    │   ├── MissingField                 a template names a field the recipient lacks
    │   ├── InvalidAttachment            a picture that cannot be sent
    │   ├── InvalidSchedule              a reservation time that cannot be kept
    │   ├── AdRuleViolated               an advertisement without its label, or at night
    │   ├── DuplicateRecipient           the same number with the same text, skipped
    │   └── Unsubscribed                 the number has opted out, skipped
    ├── SendTimeout (TimeoutError)       certainly not sent: the deadline passed while waiting
    ├── TransportError                   no complete answer was read
    │   ├── ConnectFailed                certainly not sent
    │   ├── RequestTimeout (TimeoutError)
    │   └── ConnectionLost
    ├── UnreadableResponse               an answer that does not say what became of the message
    ├── ApiError                         the service answered with a failure
    │   ├── BadRequest
    │   ├── AuthenticationFailed
    │   ├── PermissionDenied
    │   ├── NotFound
    │   ├── ReservationNotCancellable
    │   ├── RateLimited
    │   ├── QuotaExceeded
    │   └── ServiceUnavailable
    ├── RunStopped                       not sent because the run ended; `__cause__` says why
    ├── NotFoundAfterSettling            asked for long enough, and SENS knows of no such request
    └── BulkFailed (ExceptionGroup)      one error per distinct cause of a run's failures

Every error takes one positional message and keyword attributes that all have defaults, so that
it survives `pickle` and `copy` with its attributes: task queues and process pools need both.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

if TYPE_CHECKING:
    from sens_async.outcomes import Outcome

__all__ = [
    "AdRuleViolated",
    "ApiError",
    "AuthenticationFailed",
    "BadRequest",
    "BulkFailed",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "ContentTooLong",
    "DuplicateRecipient",
    "InvalidAttachment",
    "InvalidMessage",
    "InvalidQuery",
    "InvalidRecipient",
    "InvalidSchedule",
    "InvalidTemplate",
    "MissingField",
    "NotFound",
    "NotFoundAfterSettling",
    "PermissionDenied",
    "QuotaExceeded",
    "RateLimited",
    "RequestTimeout",
    "ReservationNotCancellable",
    "RunStopped",
    "SendTimeout",
    "SensError",
    "ServiceUnavailable",
    "SessionClosed",
    "TransportError",
    "UnencodableText",
    "UnreadableResponse",
    "Unsubscribed",
]


E = TypeVar("E", bound=BaseException)


class SensError(Exception):
    """The base of every error of the library.

    Attributes:
        may_have_been_sent: Whether SENS may have accepted the message. When True, giving the
            same message again may send and bill it twice.
        is_retryable: Whether the same call may simply be made again. Implies that nothing was
            sent.
        outcome: For an error of a send, what became of its recipient; else None.
    """

    _retryable_by_default: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        may_have_been_sent: bool = False,
        is_retryable: bool | None = None,
        outcome: "Outcome | None" = None,
    ) -> None:
        super().__init__(message)
        if is_retryable is None:
            is_retryable = self._retryable_by_default and not may_have_been_sent
        elif is_retryable and may_have_been_sent:
            raise ValueError("an error after which a message may have been sent is not retryable")
        self.may_have_been_sent = may_have_been_sent
        self.is_retryable = is_retryable
        self.outcome = outcome


class ConfigError(SensError, ValueError):
    """A setting, a credential or the environment is wrong or missing."""


class SessionClosed(SensError):
    """The session is closed, or was closed before this message's turn came."""

    _retryable_by_default = True


class InvalidQuery(SensError, ValueError):
    """A question that SENS cannot be asked: a time without zone, an empty id, no window."""


class InvalidMessage(SensError, ValueError):
    """Refused here, before any request; the message or recipient wants mending."""


class InvalidRecipient(InvalidMessage):
    """What was given is not a phone number that can be sent to."""


class ContentTooLong(InvalidMessage):
    """The text takes more bytes than its message type holds.

    Attributes:
        field: `"content"` or `"subject"`.
        size_bytes: What the rendered text takes in the service's charset.
        limit_bytes: What the message type holds.
    """

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "content",
        size_bytes: int = 0,
        limit_bytes: int = 0,
        outcome: "Outcome | None" = None,
    ) -> None:
        super().__init__(message, outcome=outcome)
        self.field = field
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class UnencodableText(InvalidMessage):
    """The text holds a character that the service's charset does not.

    Attributes:
        field: `"content"` or `"subject"`.
        character: The first such character.
        position: Its index in the text as it was given (after rendering).
        suggestion: What to write instead, or None where nothing comes close.
    """

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "content",
        character: str = "",
        position: int = 0,
        suggestion: str | None = None,
        outcome: "Outcome | None" = None,
    ) -> None:
        super().__init__(message, outcome=outcome)
        self.field = field
        self.character = character
        self.position = position
        self.suggestion = suggestion


class InvalidTemplate(InvalidMessage):
    """The braces of a template do not pair, or enclose no name.

    Attributes:
        position: Index of the offending brace in the template.
    """

    def __init__(
        self, message: str = "", *, position: int = 0, outcome: "Outcome | None" = None
    ) -> None:
        super().__init__(message, outcome=outcome)
        self.position = position


class MissingField(InvalidMessage):
    """The template names a field that the recipient lacks, or that is None.

    Attributes:
        name: The field's name.
    """

    def __init__(
        self, message: str = "", *, name: str = "", outcome: "Outcome | None" = None
    ) -> None:
        super().__init__(message, outcome=outcome)
        self.name = name


class InvalidAttachment(InvalidMessage):
    """A picture that the service would not take, or a message that cannot carry one."""


class InvalidSchedule(InvalidMessage):
    """A reservation time that is too near, has no time zone, or outlives its pictures."""


class AdRuleViolated(InvalidMessage):
    """An advertisement without `(광고)`, or one that would go out at night without consent."""


class DuplicateRecipient(InvalidMessage):
    """The same number was given the same text earlier in this run."""


class Unsubscribed(InvalidMessage):
    """The recipient has opted out of advertisements."""


class SendTimeout(SensError, TimeoutError):
    """The deadline passed before the first byte was sent: certainly not sent."""

    _retryable_by_default = True


class TransportError(SensError):
    """No complete answer was read."""


class ConnectFailed(TransportError):
    """No connection could be made: certainly not sent."""

    _retryable_by_default = True


class RequestTimeout(TransportError, TimeoutError):
    """The request was on the wire and no answer came in time."""


class ConnectionLost(TransportError):
    """The connection ended before a complete answer."""


class UnreadableResponse(SensError):
    """An answer from which it cannot be told whether the message was accepted.

    Attributes:
        status: The HTTP status.
        body_excerpt: The beginning of the body, for diagnosis.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        body_excerpt: str = "",
        may_have_been_sent: bool = False,
        is_retryable: bool | None = None,
        outcome: "Outcome | None" = None,
    ) -> None:
        super().__init__(
            message,
            may_have_been_sent=may_have_been_sent,
            is_retryable=is_retryable,
            outcome=outcome,
        )
        self.status = status
        self.body_excerpt = body_excerpt


class ApiError(SensError):
    """SENS, or the API gateway before it, answered with a failure.

    Attributes:
        status: The HTTP status.
        code: The gateway's `errorCode` or the service's own, as text; None where there is none.
        request_id: The request the answer speaks of, or None.
        body_excerpt: The beginning of the body, for diagnosis.
        retry_after: Seconds the answer asks to wait, or None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        body_excerpt: str = "",
        retry_after: float | None = None,
        may_have_been_sent: bool = False,
        is_retryable: bool | None = None,
        outcome: "Outcome | None" = None,
    ) -> None:
        super().__init__(
            message,
            may_have_been_sent=may_have_been_sent,
            is_retryable=is_retryable,
            outcome=outcome,
        )
        self.status = status
        self.code = code
        self.request_id = request_id
        self.body_excerpt = body_excerpt
        self.retry_after = retry_after


class BadRequest(ApiError):
    """The service refused the request's content."""


class AuthenticationFailed(ApiError):
    """The keys, the signature or this machine's clock are wrong."""


class PermissionDenied(ApiError):
    """The keys have no right to this service, or the channel is switched off."""


class NotFound(ApiError):
    """The service, or what was asked for, does not exist."""


class ReservationNotCancellable(ApiError):
    """The reservation is not waiting any more.

    Attributes:
        state: What the service calls the reservation's state, for example `"DONE"`.
    """

    def __init__(
        self,
        message: str = "",
        *,
        state: str = "",
        status: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        body_excerpt: str = "",
        retry_after: float | None = None,
        may_have_been_sent: bool = False,
        is_retryable: bool | None = None,
        outcome: "Outcome | None" = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            code=code,
            request_id=request_id,
            body_excerpt=body_excerpt,
            retry_after=retry_after,
            may_have_been_sent=may_have_been_sent,
            is_retryable=is_retryable,
            outcome=outcome,
        )
        self.state = state


class RateLimited(ApiError):
    """Too many requests just now."""

    _retryable_by_default = True


class QuotaExceeded(ApiError):
    """The account's sending quota is used up; waiting seconds does not help."""


class ServiceUnavailable(ApiError):
    """A failure on the service's side (5xx)."""


class RunStopped(SensError):
    """Not sent because the run ended first; `__cause__` says why it did."""

    _retryable_by_default = True


class NotFoundAfterSettling(SensError):
    """SENS has no such request, and the time within which it could have taken it is over.

    That rests on what SENS documents: that it refuses a signature five minutes old, and that it
    lists what it has accepted.
    """


class BulkFailed(SensError, ExceptionGroup[SensError]):
    """Some recipients of a run were not accepted: one error per distinct cause.

    Attributes:
        counts: How many recipients each error of `exceptions` stands for, in the same order.
    """

    counts: tuple[int, ...]

    def __new__(
        cls, message: str, exceptions: Sequence[SensError], *, counts: Sequence[int] = ()
    ) -> Self:
        """Make the group; `counts` defaults to one recipient per error."""
        group = super().__new__(cls, message, exceptions)
        group.counts = tuple(counts) or (1,) * len(exceptions)
        return group

    def __init__(
        self,
        message: str,
        exceptions: Sequence[SensError],
        *,
        counts: Sequence[int] = (),  # noqa: ARG002 - taken by `__new__`
    ) -> None:
        Exception.__init__(self, message, exceptions)
        self.may_have_been_sent = any(error.may_have_been_sent for error in exceptions)
        self.is_retryable = all(error.is_retryable for error in exceptions)
        self.outcome = None

    def derive(self, excs: Sequence[SensError], /) -> Self:  # type: ignore[override]
        """Keep each error's count when the group is split (`except*`)."""
        counted: Mapping[int, int] = {
            id(error): count for error, count in zip(self.exceptions, self.counts, strict=True)
        }
        return type(self)(self.message, excs, counts=[counted.get(id(e), 1) for e in excs])


def without_traceback(error: SensError) -> SensError:
    """Let go of the frames an error was raised in; outcomes keep errors for a whole run."""
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None:
            chain.append(link.__cause__)
            link.__traceback__ = link.__context__ = None
    return error


def copy_of(error: E) -> E:
    """Give each of several waiters an error of its own: raising one would pile up tracebacks."""
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001 - whatever its constructor does to foreign arguments
        return error
    twin.__cause__ = error.__cause__
    twin.__context__ = error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    return twin.with_traceback(error.__traceback__)
