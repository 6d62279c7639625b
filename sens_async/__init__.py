"""The asyncio client for Naver Cloud SENS: SMS, LMS and MMS, singly and in bulk."""

from sens_async.config import Credentials, RateLimit, RetryPolicy, Settings, Timeouts
from sens_async.core.content import measure
from sens_async.core.result_codes import ResultClass, ResultCode
from sens_async.deliveries import Delivery, DeliveryEnd, DeliveryStatus, PendingDelivery
from sens_async.errors import (
    AdRuleViolated,
    ApiError,
    AuthenticationFailed,
    BadRequest,
    BulkFailed,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    ContentTooLong,
    DuplicateRecipient,
    InvalidAttachment,
    InvalidMessage,
    InvalidQuery,
    InvalidRecipient,
    InvalidSchedule,
    InvalidTemplate,
    MissingField,
    NotFound,
    NotFoundAfterSettling,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTimeout,
    ReservationNotCancellable,
    RunStopped,
    SendTimeout,
    SensError,
    ServiceUnavailable,
    SessionClosed,
    TransportError,
    UnencodableText,
    UnreadableResponse,
    Unsubscribed,
)
from sens_async.models import (
    ContentType,
    MessageType,
    OutcomeState,
    Receipt,
    Recipient,
    Reservation,
    ReservationStatus,
    Unsubscribe,
    UploadedFile,
)
from sens_async.outcomes import Outcome, OutcomeBatch
from sens_async.report import BulkReport
from sens_async.resolution import Resolution
from sens_async.session import SensSession
from sens_async.stream import OutcomeStream
from sens_async.tracking import Tracking

__all__ = [
    "AdRuleViolated",
    "ApiError",
    "AuthenticationFailed",
    "BadRequest",
    "BulkFailed",
    "BulkReport",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "ContentTooLong",
    "ContentType",
    "Credentials",
    "Delivery",
    "DeliveryEnd",
    "DeliveryStatus",
    "DuplicateRecipient",
    "InvalidAttachment",
    "InvalidMessage",
    "InvalidQuery",
    "InvalidRecipient",
    "InvalidSchedule",
    "InvalidTemplate",
    "MessageType",
    "MissingField",
    "NotFound",
    "NotFoundAfterSettling",
    "Outcome",
    "OutcomeBatch",
    "OutcomeState",
    "OutcomeStream",
    "PendingDelivery",
    "PermissionDenied",
    "QuotaExceeded",
    "RateLimit",
    "RateLimited",
    "Receipt",
    "Recipient",
    "RequestTimeout",
    "Reservation",
    "ReservationNotCancellable",
    "ReservationStatus",
    "Resolution",
    "ResultClass",
    "ResultCode",
    "RetryPolicy",
    "RunStopped",
    "SendTimeout",
    "SensError",
    "SensSession",
    "ServiceUnavailable",
    "SessionClosed",
    "Settings",
    "Timeouts",
    "Tracking",
    "TransportError",
    "UnencodableText",
    "UnreadableResponse",
    "Unsubscribe",
    "Unsubscribed",
    "UploadedFile",
    "measure",
]


def __getattr__(name: str) -> str:
    """Look the version up when somebody asks; reading metadata slows every import."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("sens-async")
    raise AttributeError(f"module 'sens_async' has no attribute {name!r}")
