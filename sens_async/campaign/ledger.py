"""The ledger: campaigns in a database that outlives the process."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Literal, Self

from sqlalchemy import select

from sens_async.calls import Call, ContentTypeName, TypeName, check_skipping
from sens_async.campaign.campaign import Campaign, checked_guarantee
from sens_async.campaign.drafts import Draft, forget_drafts
from sens_async.campaign.engines import engine_of
from sens_async.campaign.errors import CampaignConflict, CampaignNotFound
from sens_async.campaign.fingerprint import Fingerprint
from sens_async.campaign.letter import Letter, checked_name, same_name
from sens_async.campaign.planning import Planner, stretches
from sens_async.campaign.schema import AnyRow, campaigns, pictures
from sens_async.campaign.states import Guarantee, GuaranteeName
from sens_async.campaign.storage import Storage
from sens_async.clock import Clock, SystemClock
from sens_async.core.message import KOREA
from sens_async.core.schedule import from_epoch
from sens_async.errors import InvalidMessage
from sens_async.intake import Source, check_source
from sens_async.models import ContentType, MessageType
from sens_async.pictures import Image
from sens_async.session import SensSession

__all__ = ["Ledger"]


class Ledger:
    """Campaigns in a database: a SQLite file of one process, or a PostgreSQL database of many.

    ```python
    async with Ledger.open("campaigns.db") as ledger, SensSession.from_env() as sens:
        campaign = await ledger.plan(sens, "autumn", recipients, "{name}님, …")
        status = await campaign.run(sens)  # after a crash: the same two lines go on
    ```

    Attributes:
        storage: The database.
        clock: What time it is.
        living: Names of this process's runs that go on.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.storage = storage
        self.clock = clock
        self.living: set[str] = set()
        self._at_work: list[tuple[SensSession, asyncio.Event]] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str | os.PathLike[str], *, clock: Clock | None = None
    ) -> AsyncIterator[Self]:
        """Open a ledger, or make one in an empty database.

        Reading (`list`, `campaign`, `Campaign.status`, `Campaign.report`) works beside a process
        that runs a campaign. Writing takes hold of a SQLite file until the ledger is closed.

        Closing waits for what runs with a session that is closed: it ends, and writes that down.
        With a session that is open it would go on; it is stopped, and raises `LedgerError`.

        Args:
            url: A path or `sqlite:///…`, on a local disk and readable by its owner alone; or
                `postgresql://user@host/database`, with the extra `postgres`.
            clock: None for the machine's.

        Raises:
            LedgerError: It cannot be opened, is no ledger, or is one of another version.
            LedgerBusy: It is to be made, and another process is about to.
        """
        clock = clock or SystemClock()
        storage = Storage(engine_of(url, clock))
        ledger = cls(storage, clock)
        try:
            await storage.open()
            try:
                yield ledger
            finally:  # also if the block fails: what is on the wire has an outcome to be written
                await ledger._ends()
        finally:
            await storage.aclose()

    @contextmanager
    def at_work(self, session: SensSession) -> Iterator[None]:
        """Let closing wait for this block, once its session is closed."""
        work = session, asyncio.Event()
        self._at_work.append(work)
        try:
            yield
        finally:
            self._at_work.remove(work)
            work[1].set()

    async def _ends(self) -> None:
        for session, ended in tuple(self._at_work):
            if session.outbox.is_closed:
                await ended.wait()

    async def plan(  # noqa: D417 - the rest is explained once, at `SensSession.send`
        self,
        session: SensSession,
        name: str,
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
        duplicates: Literal["skip", "send"] = "skip",
        skip_unsubscribed: bool = False,
        skip_known_keys: bool = False,
        guarantee: Guarantee | GuaranteeName = Guarantee.AT_MOST_ONCE,
        watch: Callable[[int], None] | None = None,
    ) -> Campaign:
        """Write a campaign down; nothing is sent before `Campaign.run`.

        Texts are rendered and checked now, with the session's settings, and pictures are kept with
        the campaign. Planning again under the same name with the same input gives the same
        campaign; a plan that was interrupted is none, and is begun anew.

        Args:
            session: Whose service, sender and settings it is for.
            name: Tells the campaign from all others of the ledger, identical ones too.
            recipients: See `SensSession.send_many`: any iterable or async iterable, read lazily
                and once.
            content, subject, type, images, content_type, country_code, sender, reserve_at: See
                `SensSession.send`; an `UploadedFile` is no picture here, since it expires.
            duplicates: See `SensSession.send_many`; over the whole campaign.
            skip_unsubscribed: See `SensSession.send_many`; the list is read now.
            skip_known_keys: Whether to leave out recipients under whose `key` another campaign of
                the ledger has sent, may have sent, or is going to send.
            guarantee: What to do about messages that may have been accepted:
                `"at_most_once"` looks them up and never sends them again; `"effectively_once"`
                sends them again when SENS did not list them after settling; `"at_least_once"`
                looks once and sends them again at once, three times in all at most, and somebody
                may get them as often.
            watch: Called now and then with the number of recipients taken so far.

        Returns:
            The campaign; everybody in the list is in it, also who is refused or left out.

        Raises:
            ConfigError: There is no such guarantee.
            CampaignConflict: There is a campaign of that name with other input, and in what it
                differs; or another process plans it at this moment; or a plan that was made at the
                same time has taken one of the keys that were free.
            TypeError: `recipients` is a single recipient, text or a mapping.
            InvalidMessage: The call itself is wrong; nothing was planned.
            LedgerError: The ledger failed; nothing was planned.
            Exception: Whatever the source raised; nothing was planned.
        """
        check_source(recipients)
        name = checked_name(name)
        if duplicates not in {"skip", "send"}:
            raise InvalidMessage(f"duplicates must be 'skip' or 'send', got {duplicates!r}")
        call = Call(content, subject, type, images, content_type, country_code, sender, reserve_at)
        check_skipping(call, skip_unsubscribed)
        rules = session.settings.rules
        row = await self._find(name)
        is_there = row is not None and row.is_planned
        # Only a reservation is for a time that is known now; what was planned may be over.
        now = session.clock.time() if reserve_at is not None and not is_there else None
        message = call.compile(rules, session.sender, now)
        prepared = [await session.attachments.prepare(image) for image in call.images]
        if any(not one.data for one in prepared):
            raise InvalidMessage("a campaign keeps its pictures: give them, not an UploadedFile")
        skips = {"unsubscribed": skip_unsubscribed, "known_keys": skip_known_keys}
        letter = Letter.of(
            call,
            message,
            service_id=session.service_id,
            guarantee=checked_guarantee(guarantee),
            duplicates=duplicates,
            skips=[word for word, is_on in skips.items() if is_on],
            pictures=[one.digest for one in prepared],
        )
        if row is not None and is_there:
            return await self._same(row, letter, recipients, watch)
        opted_out = await session.unsubscribes.numbers() if skip_unsubscribed else frozenset()
        data = [one.data for one in prepared]
        chunking = session.chunker.open(message, skip_duplicates=duplicates == "skip")
        chunking.leave_out(opted_out)
        async with Draft.begin(self.storage, name, letter, data, self.clock) as draft:
            planner = Planner(draft, session.service_id, chunking, skips_known_keys=skip_known_keys)
            async with aclosing(stretches(recipients)) as taken:
                async for stretch in taken:
                    await planner.take(stretch)
                    if watch is not None:
                        watch(planner.fingerprint.taken)
            await planner.finish()
        session.outbox.warn(chunking)
        return await self.campaign(name)

    async def campaign(self, name: str) -> Campaign:
        """Give a campaign by its name.

        Raises:
            CampaignNotFound: There is none, or its plan was interrupted.
            LedgerError: The ledger cannot be read.
        """
        row = await self._find(name)
        if row is None or not row.is_planned:
            why = f"is not in the ledger {self.storage.engine.name}"
            if row is not None:
                why = "was never planned to its end: plan it again"
            raise CampaignNotFound(f"campaign {name!r} {why}")
        return (await self._read([row]))[0]

    async def list(self) -> Sequence[Campaign]:
        """Give all campaigns, the newest first.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        planned = select(campaigns).where(campaigns.c.is_planned).order_by(campaigns.c.id.desc())
        async with self.storage.reading() as connection:
            rows = (await connection.execute(planned)).all()
        return await self._read(rows)

    async def purge(self, older_than: timedelta = timedelta(days=90)) -> Sequence[str]:
        """Purge every campaign that is over and was planned longer ago; see `Campaign.purge`.

        Plans that were interrupted longer ago are removed.

        Returns:
            The names of those that were purged.

        Raises:
            LedgerError: The ledger failed.
        """
        latest = from_epoch(self.clock.time()) - older_than
        purged = []
        for campaign in await self.list():
            if campaign.purged_at is not None or campaign.planned_at > latest:
                continue
            try:
                await campaign.purge()
            except CampaignConflict:
                continue
            purged.append(campaign.name)
        await forget_drafts(self.storage, latest.timestamp())
        return purged

    async def images_of(self, campaign_id: int) -> Sequence[bytes]:
        """Give a campaign's pictures, in order."""
        kept = (
            select(pictures.c.data)
            .where(pictures.c.campaign_id == campaign_id)
            .order_by(pictures.c.place)
        )
        async with self.storage.reading() as connection:
            return [data for (data,) in await connection.execute(kept) if data is not None]

    async def _find(self, name: str) -> AnyRow | None:
        async with self.storage.reading() as connection:
            named = select(campaigns).where(campaigns.c.name == same_name(name))
            found = await connection.execute(named)
            return found.one_or_none()

    async def _read(self, rows: Sequence[AnyRow]) -> Sequence[Campaign]:
        ids = [row.id for row in rows]
        kept = (
            select(pictures.c.campaign_id, pictures.c.digest)
            .where(pictures.c.campaign_id.between(min(ids, default=0), max(ids, default=0)))
            .order_by(pictures.c.campaign_id, pictures.c.place)
        )
        digests: defaultdict[int, list[str]] = defaultdict(list)
        async with self.storage.reading() as connection:
            for number, digest in await connection.execute(kept):
                digests[number].append(digest)
        return [self._campaign(row, digests[row.id]) for row in rows]

    def _campaign(self, row: AnyRow, digests: Sequence[str]) -> Campaign:
        purged_at = row.purged_at
        return Campaign(
            name=row.name,
            recipients=row.recipients,
            planned_at=from_epoch(row.planned_at),
            purged_at=None if purged_at is None else from_epoch(purged_at),
            id=row.id,
            letter=Letter.read(row._asdict(), digests),
            ledger=self,
        )

    async def _same(
        self,
        row: AnyRow,
        letter: Letter,
        recipients: Source,
        watch: Callable[[int], None] | None,
    ) -> Campaign:
        """Give a campaign that was planned before, if this is its input."""
        campaign = (await self._read([row]))[0]
        if campaign.purged_at is not None:
            raise CampaignConflict(
                f"campaign {campaign.name!r} was run and purged. Choose another name"
            )
        differences = campaign.letter.differences(letter)
        fingerprint = Fingerprint()
        async with aclosing(stretches(recipients)) as taken:
            async for stretch in taken:
                fingerprint.add(stretch)
                if watch is not None:
                    watch(fingerprint.taken)
        if (where := fingerprint.difference(row.fingerprint, row.recipients)) is not None:
            differences.append(where)
        if differences:
            raise CampaignConflict(
                f"campaign {campaign.name!r} was planned with other input: "
                + "; ".join(differences)
                + ". Choose another name, or run it as it was planned"
            )
        return campaign
