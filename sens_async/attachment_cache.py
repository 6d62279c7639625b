"""Uploaded pictures, used again until the service forgets them.

The key is the service and SHA-256 of the JPEG. The service takes a file of the same *name and
size* for the same file and may answer with the one it has, old expiry and all; so a picture's
name is derived from its bytes, and a file that is refused or expires too early is replaced under
a salted name. Losing the cache costs an upload, nothing else: a store that fails is logged and
taken to hold nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

import attrs

from sens_async import pictures
from sens_async.attachment_store import AttachmentStore, MemoryStore, Recent, TolerantStore
from sens_async.clock import Clock
from sens_async.core import attachments
from sens_async.core.schedule import KST, from_epoch
from sens_async.errors import InvalidAttachment, InvalidSchedule
from sens_async.flow.single_flight import SingleFlight
from sens_async.models import UploadedFile
from sens_async.pictures import Image

__all__ = ["Attachment", "AttachmentCache"]

_KEPT_PICTURES = 16
"""Converted pictures that are kept, of at most 300 kB each, so that a picture sent again and
again is decoded once."""

_KEPT_REFUSALS = 1000
"""Refused pictures whose next upload is known to need another name."""


@attrs.frozen
class Attachment:
    """A picture that is ready to be sent, made by `AttachmentCache.prepare`.

    Attributes:
        digest: SHA-256 of the JPEG in hexadecimal; "" for a caller's own file that lacks it.
        data: The JPEG; empty for a file that the caller uploaded.
        given: The caller's file, or None.
    """

    digest: str
    data: bytes = attrs.field(default=b"", eq=False, repr=lambda data: f"<{len(data)} bytes>")
    given: UploadedFile | None = None

    @property
    def is_replaceable(self) -> bool:
        """Whether it can be uploaded again when its file expires or is refused."""
        return self.given is None


class AttachmentCache:
    """Gives file ids, uploading what has none that lasts.

    Args:
        service_id: Part of every key: another service does not know this one's files.
        upload: Uploads a JPEG under a name; safe to repeat, and does its own retries.
        clock: For expiry.
        store: Shared with other processes or sessions, and not closed here. It is asked only
            for what this cache does not hold itself. None for none.
    """

    def __init__(
        self,
        *,
        service_id: str,
        upload: Callable[[str, bytes], Awaitable[UploadedFile]],
        clock: Clock,
        store: AttachmentStore | None = None,
    ) -> None:
        self._service_id = service_id
        self._upload = upload
        self._clock = clock
        self._memory = MemoryStore()
        self._shared: AttachmentStore = MemoryStore(0) if store is None else TolerantStore(store)
        self._refused: Recent[str] = Recent(_KEPT_REFUSALS)
        self._prepared: Recent[Attachment] = Recent(_KEPT_PICTURES)
        self._conversions: SingleFlight[tuple[str, str], Attachment] = SingleFlight("conversion")
        self._uploads: SingleFlight[str, UploadedFile] = SingleFlight("upload")
        self._decoding = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<AttachmentCache {self._service_id} files={len(self._memory)}>"

    async def get(self, image: Image, *, needed_until: datetime | None = None) -> UploadedFile:
        """Prepare a picture and give its file: `prepare` and `file` in one."""
        return await self.file(await self.prepare(image), needed_until=needed_until)

    async def prepare(self, image: Image) -> Attachment:
        """Read a picture and make it a JPEG that the service takes; uploads nothing.

        Raises:
            InvalidAttachment: It cannot be read, or not made to fit.
            SessionClosed: The cache was closed before that was done.
            TypeError: It is none of the kinds that a picture may be given as.
        """
        if isinstance(image, UploadedFile):
            return Attachment(image.digest, given=image)
        source = await pictures.read(image)
        key = await asyncio.to_thread(attachments.digest, source)
        if (known := self._prepared.get(key)) is not None:
            return known
        name = pictures.label(image)
        return await self._conversions.do((key, name), partial(self._convert, key, source, name))

    async def file(
        self, attachment: Attachment, *, needed_until: datetime | None = None
    ) -> UploadedFile:
        """Give the uploaded file of a picture, uploading it if there is none that lasts.

        Args:
            attachment: From `prepare`.
            needed_until: When the message goes out, an aware datetime; None for now.

        Raises:
            InvalidSchedule: The service keeps the picture for less long than that.
            InvalidAttachment: The caller's own file has expired.
            SessionClosed: The cache was closed before the picture was uploaded.
            SensError: What uploading raised.

        Cancellation: an upload that others wait for goes on.
        """
        now = from_epoch(self._clock.time())
        if attachment.given is not None:
            return _still_valid(attachment.given, now, needed_until)
        file = await self._find(self._key(attachment))
        if file is None or not _lasts(file, now, needed_until):
            file = await self._renew(attachment, file, now, needed_until)
        return file

    async def drop(self, attachment: Attachment, file_id: str) -> None:
        """Forget a file that the service refused; the next upload takes another name.

        Nothing happens to a file that has replaced it already, so that many requests refused for
        one file have it uploaded once. What the caller uploaded is not replaced.

        Args:
            attachment: The picture.
            file_id: The file that was refused.
        """
        key = self._key(attachment)
        is_replaced = False
        for store in (self._memory, self._shared):
            file = await store.get(key)
            if file is not None and file.file_id == file_id:
                await store.drop(key)
            elif file is not None:
                is_replaced = True
        if not is_replaced:
            self._refused.put(key, file_id)

    async def aclose(self) -> None:
        """Cancel what is being converted and uploaded; who waits for it gets `SessionClosed`."""
        await self._conversions.aclose()
        await self._uploads.aclose()

    async def _convert(self, key: str, source: bytes, name: str) -> Attachment:
        async with self._decoding:  # one at a time: each may take a few hundred MB
            data = await pictures.fit(source, name)
        attachment = Attachment(attachments.digest(data), data)
        self._prepared.put(key, attachment)
        return attachment

    async def _find(self, key: str, *, stale: UploadedFile | None = None) -> UploadedFile | None:
        """Give a file that is neither refused nor `stale`, from here or from the shared store."""
        refused = self._refused.get(key)
        for store in (self._memory, self._shared):
            file = await store.get(key)
            if file is not None and file != stale and file.file_id != refused:
                await self._memory.put(key, file)
                return file
        return None

    async def _renew(
        self,
        attachment: Attachment,
        file: UploadedFile | None,
        now: datetime,
        needed_until: datetime | None,
    ) -> UploadedFile:
        salted = attachments.upload_name(attachment.digest, attachments.salt_at(now))
        if file is None or file.name != salted:  # else it is as new as can be
            names = [attachments.upload_name(attachment.digest), salted]
            if self._refused.get(self._key(attachment)) is not None:
                names = [salted]
            for name in names:
                upload = partial(self._upload_as, name, attachment, stale=file)
                file = await self._uploads.do(name, upload)
                if _lasts(file, now, needed_until):
                    return file
        assert file is not None
        if needed_until is not None and file.expires_at <= needed_until:
            raise _expires_too_early(file, needed_until)
        return file

    async def _upload_as(
        self, name: str, attachment: Attachment, *, stale: UploadedFile | None
    ) -> UploadedFile:
        key = self._key(attachment)
        async with self._shared.lease(key):
            # Another process may have uploaded it while this one waited for its turn.
            file = await self._find(key, stale=stale)
            if file is not None:
                return file
            file = attrs.evolve(
                await self._upload(name, attachment.data),
                name=name,
                size_bytes=len(attachment.data),
                digest=attachment.digest,
            )
            self._refused.drop(key)
            await self._memory.put(key, file)
            await self._shared.put(key, file)
            return file

    def _key(self, attachment: Attachment) -> str:
        return f"{self._service_id}/{attachment.digest}"


def _lasts(file: UploadedFile, now: datetime, needed_until: datetime | None) -> bool:
    return attachments.is_fresh(file, now, needed_until or now, attachments.EXPIRY_MARGIN)


def _still_valid(file: UploadedFile, now: datetime, needed_until: datetime | None) -> UploadedFile:
    """Check a file that the caller uploaded: it cannot be replaced."""
    if file.expires_at.tzinfo is None:
        raise InvalidAttachment(f"expires_at of the uploaded file {file.file_id} has no time zone")
    if file.expires_at <= now:
        raise InvalidAttachment(
            f"the uploaded file {file.file_id} expired at {_korean(file.expires_at)}; "
            "upload its picture again"
        )
    if needed_until is not None and file.expires_at <= needed_until:
        raise _expires_too_early(file, needed_until)
    return file


def _expires_too_early(file: UploadedFile, needed_until: datetime) -> InvalidSchedule:
    return InvalidSchedule(
        f"the message would go out at {_korean(needed_until)}, but the service keeps its picture "
        f"only until {_korean(file.expires_at)}"
    )


def _korean(time: datetime) -> str:
    return f"{time.astimezone(KST):%Y-%m-%d %H:%M:%S} KST"
