"""The pictures of one call, as the file ids they have at the moment."""

from collections.abc import Sequence

from sens_async.attachment_cache import Attachment, AttachmentCache
from sens_async.core.message import Message
from sens_async.pictures import Image

__all__ = ["Files"]


class Files:
    """Keeps a message's file ids usable for as long as it is being sent.

    Args:
        images: In order; none for a message without pictures.
        cache: Where they are kept.
        message: Whose reservation they must outlast.
    """

    __slots__ = ("_attachments", "_cache", "_fresh", "_images", "_needed_until", "_refused")

    def __init__(self, images: Sequence[Image], cache: AttachmentCache, message: Message) -> None:
        self._images = images
        self._cache = cache
        self._needed_until = message.reservation.at if message.reservation else None
        self._attachments: list[Attachment] = []
        self._refused: set[str] = set()
        self._fresh: set[str] = set()

    def __len__(self) -> int:
        return len(self._images)

    async def prepare(self) -> None:
        """Read the pictures and make them fit, if that is not done yet; uploads nothing.

        Raises:
            InvalidAttachment: One cannot be sent.
        """
        for image in self._images[len(self._attachments) :]:
            self._attachments.append(await self._cache.prepare(image))

    async def ids(self) -> Sequence[str]:
        """Give the file ids, uploading what has none that lasts or whose id was refused.

        Raises:
            SensError: A picture cannot be uploaded, or not for long enough.
        """
        await self.prepare()
        ids: list[str] = []
        for picture in self._attachments:
            file = await self._cache.file(picture, needed_until=self._needed_until)
            if file.file_id in self._refused:
                await self._cache.drop(picture, file.file_id)
                file = await self._cache.file(picture, needed_until=self._needed_until)
                self._fresh.add(file.file_id)
            ids.append(file.file_id)
        return ids

    def are_old(self, ids: Sequence[str]) -> bool:
        """Whether a refusal may lie in these ids: not if they are fresh after another refusal."""
        return any(file_id not in self._fresh for file_id in ids)

    def replace(self, ids: Sequence[str]) -> None:
        """Take note that a request with these ids was refused: upload once more before the next."""
        self._refused.update(file_id for file_id in ids if file_id not in self._fresh)
