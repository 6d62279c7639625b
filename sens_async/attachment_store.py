"""Where the ids of uploaded pictures are kept: in memory, or in a store of the user's own."""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from sens_async.models import UploadedFile

__all__ = ["AttachmentStore", "MemoryStore", "Recent", "TolerantStore"]

logger = logging.getLogger("sens_async")

V = TypeVar("V")


class AttachmentStore(Protocol):
    """Where uploaded files are remembered, perhaps for several processes.

    A key is opaque text. What is stored may be forgotten at any time.
    """

    async def get(self, key: str) -> UploadedFile | None:
        """Give what was put under `key`, or None."""
        ...

    async def put(self, key: str, file: UploadedFile) -> None:
        """Remember a file, in place of what was there."""
        ...

    async def drop(self, key: str) -> None:
        """Forget what is under `key`, if anything is."""
        ...

    def lease(self, key: str) -> AbstractAsyncContextManager[None]:
        """Keep other processes from uploading under `key` meanwhile; waits for its turn."""
        ...


class Recent(Generic[V]):
    """The `size` values used last."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> V | None:
        """Give what is kept under a key, which makes it recent."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: str, value: V) -> None:
        """Keep a value, and let go of the one not asked for longest if there are too many."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def drop(self, key: str) -> None:
        """Let go of a key, if it is kept."""
        self._values.pop(key, None)


class MemoryStore:
    """Remembers the files used last, in this process.

    Args:
        max_files: How many.
    """

    def __init__(self, max_files: int = 1000) -> None:
        self._files: Recent[UploadedFile] = Recent(max_files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"<MemoryStore files={len(self)}>"

    async def get(self, key: str) -> UploadedFile | None:
        """Give what was put under `key`, or None."""
        return self._files.get(key)

    async def put(self, key: str, file: UploadedFile) -> None:
        """Remember a file, in place of what was there and perhaps of the one used longest ago."""
        self._files.put(key, file)

    async def drop(self, key: str) -> None:
        """Forget what is under `key`, if anything is."""
        self._files.drop(key)

    def lease(self, key: str) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        """Do nothing: within a process, uploads of one picture are shared anyway."""
        return nullcontext()


class TolerantStore:
    """Somebody's store, which is logged and taken to hold nothing when it fails."""

    def __init__(self, store: AttachmentStore) -> None:
        self._store = store

    async def get(self, key: str) -> UploadedFile | None:
        """Give the store's file; None, and a warning, for a failure or what is no file."""
        with _logged("look up"):
            file = await self._store.get(key)
            if file is None or _is_file(file):
                return file
            logger.warning("the attachment store gave %s for a file", type(file).__name__)
        return None

    async def put(self, key: str, file: UploadedFile) -> None:
        """Keep a file if the store can."""
        with _logged("remember"):
            await self._store.put(key, file)

    async def drop(self, key: str) -> None:
        """Forget a file if the store can."""
        with _logged("forget"):
            await self._store.drop(key)

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncIterator[None]:
        """Hold the store's lease if it gives one."""
        stack = AsyncExitStack()
        with _logged("lease"):
            await stack.enter_async_context(self._store.lease(key))
        try:
            yield
        finally:
            with _logged("end the lease of"):
                await stack.aclose()


def _is_file(file: object) -> bool:
    """Whether a store gave what it was given: a file id, and an expiry with a time zone."""
    if not isinstance(file, UploadedFile):
        return False
    file_id: object = file.file_id
    expires_at: object = file.expires_at
    if not isinstance(file_id, str) or not isinstance(expires_at, datetime):
        return False
    return expires_at.tzinfo is not None and expires_at.year > 1


@contextmanager
def _logged(verb: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        logger.warning("the attachment store failed to %s a file", verb, exc_info=True)
