"""The ledger's tables: one schema for every engine."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    TypeDecorator,
    literal_column,
    text,
)

from sens_async.campaign.ids import PLACE_BITS
from sens_async.campaign.states import OPEN

__all__ = [
    "SCHEMA_VERSION",
    "AnyRow",
    "batches",
    "campaign_id",
    "campaigns",
    "keys",
    "ledgers",
    "metadata",
    "people",
    "pictures",
]

SCHEMA_VERSION = 1

AnyRow = Row[*tuple[Any, ...]]
"""A row as it comes from the database: its columns are what the tables below say."""

metadata = MetaData()


class _Words(TypeDecorator[str]):
    """Text as bytes: PostgreSQL takes no NUL as text, and no database half a surrogate pair."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> bytes | None:  # noqa: ARG002
        return None if value is None else value.encode(errors="surrogatepass")

    def process_result_value(self, value: bytes | None, dialect: object) -> str | None:  # noqa: ARG002
        return None if value is None else value.decode(errors="surrogatepass")


ledgers = Table(
    "sens_ledger",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)
"""One row: which version this is, and what keys are hashed with."""

campaigns = Table(
    "sens_campaign",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("is_planned", Boolean, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("service_id", Text, nullable=False),
    Column("guarantee", String(20), nullable=False),
    Column("planned_at", Double, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("content", _Words),
    Column("subject", _Words),
    Column("text", _Words),
    Column("title", _Words),
    Column("type", String(3)),
    Column("content_type", String(4), nullable=False),
    Column("country_code", String(4), nullable=False),
    Column("sender", Text, nullable=False),
    Column("reserve_at", Text),
    Column("reserve_zone", Text),
    Column("duplicates", String(4), nullable=False),
    Column("skips", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("purged_at", Double),
    sqlite_autoincrement=True,
)
"""What is sent. `text` and `title` are content and subject as they go out, if to everybody alike.

An id is never given again: a batch's id is made of it.
"""

pictures = Table(
    "sens_picture",
    metadata,
    Column("campaign_id", ForeignKey(campaigns.c.id), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("data", LargeBinary),
)

batches = Table(
    "sens_batch",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("type", String(3)),
    Column("has_subject", Boolean, nullable=False, default=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("owner", Text),
    Column("fence", Integer, nullable=False, default=0),
    Column("lease_until", Double),
    Column("attempts", Integer, nullable=False, default=0),
    Column("intent_ms", BigInteger),
    Column("file_ids", Text),
    Column("request_id", Text),
    Column("requested_at", Double),
    Column("error", Text),
    Column("is_doubtful", Boolean, nullable=False, default=False),
    Column("results", LargeBinary),
    Column("ended", Integer, nullable=False, default=0),
)
"""Some recipients: of one request, or refused or left out when planned. Who they are is elsewhere,
since a row that changes three times must be small.

`id` is the campaign's id and the place in the input of the first recipient; `intent_ms` the
signature time of the last request, in milliseconds since the epoch; `is_doubtful` says that
somebody may have got the message twice; `results` and `ended` are what tracking has learnt.
"""

campaign_id = batches.c.id.bitwise_rshift(literal_column(str(PLACE_BITS)))
"""Of a batch."""

Index("sens_batch_by_state", batches.c.state, batches.c.id)
Index("sens_batch_by_digest", batches.c.digest)
Index("sens_batch_by_intent", batches.c.intent_ms)

_is_open = text("state IN ({})".format(", ".join(f"'{state}'" for state in OPEN)))
Index(
    "sens_batch_open",
    batches.c.digest,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)
# Literal, since an engine uses a partial index only where it sees the same words.

people = Table(
    "sens_people",
    metadata,
    Column("batch_id", batches.c.id.type, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
)
"""Who is in a batch; see `sens_async.campaign.packing`."""

keys = Table(
    "sens_key",
    metadata,
    Column("digest", String(20), primary_key=True),
    Column("batch_id", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)
"""Under which of the caller's keys somebody is in a batch; a key is hashed."""

Index("sens_key_by_batch", keys.c.batch_id)
