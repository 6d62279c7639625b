"""Uploaded pictures, and the rules by which they are taken.

Source: SENS API, "Upload attachment". Same name and same size are taken for the same file,
whatever the bytes: the first upload's picture is the one that goes out.
"""

import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import cast

import attrs

from sens_async.emulator import jpeg
from sens_async.emulator.answers import Refused

__all__ = ["FileStore", "StoredFile"]

MAX_NAME = 40
"""Characters, the extension counted."""
MAX_BYTES = 300_000
"""Of the JPEG before Base64. The documentation says 300 kbyte; the stricter reading is taken."""
MAX_WIDTH, MAX_HEIGHT = 1500, 1440


@attrs.define(kw_only=True)
class StoredFile:
    """A picture the emulator holds.

    Attributes:
        file_id: 32 hexadecimal digits.
        name: As it was uploaded.
        size: In bytes, before Base64.
        digest: SHA-256 of the bytes held, in hexadecimal.
        data: The bytes of the first upload.
        created: Seconds since the epoch.
        expires: Seconds since the epoch; another upload does not move it.
        uploads: How many uploads were answered with this file.
    """

    file_id: str
    name: str
    size: int
    digest: str
    data: bytes = attrs.field(repr=False)
    created: float
    expires: float
    uploads: int = 1


class FileStore:
    """The pictures of one service.

    Attributes:
        files: All that were stored, in order, expired ones included.

    With `fresh_ids`, a file that is recognised is answered with a new id for the same picture.
    """

    def __init__(
        self, new_id: Callable[[], str], lifetime: float, *, fresh_ids: bool = False
    ) -> None:
        self.files: list[StoredFile] = []
        self._new_id = new_id
        self._lifetime = lifetime
        self._fresh_ids = fresh_ids
        self._by_id: dict[str, StoredFile] = {}
        self._by_name: dict[tuple[str, int], StoredFile] = {}

    def clear(self) -> None:
        """Forget every picture."""
        self.files.clear()
        self._by_id.clear()
        self._by_name.clear()

    def upload(self, payload: object, now: float) -> StoredFile:
        """Take an upload, or recognise one.

        Raises:
            Refused: With 400, naming what is wrong.
        """
        name, data = _read(payload)
        known = self._by_name.get((name, len(data)))
        if known is not None and now < known.expires:
            known.uploads += 1
            if not self._fresh_ids:
                return known
            again = attrs.evolve(known, file_id=self._new_id())
            self._by_id[again.file_id] = known
            return again
        stored = self._new_file(name, data, now)
        self.files.append(stored)
        self._by_id[stored.file_id] = self._by_name[name, stored.size] = stored
        return stored

    def imagined(self, now: float) -> StoredFile:
        """A file that would have been stored now, and is not."""
        return self._new_file("", b"", now)

    def find(self, file_id: str, now: float) -> StoredFile:
        """The file of that id.

        Raises:
            Refused: With 400: it was never uploaded, or has expired.
        """
        stored = self._by_id.get(file_id)
        if stored is None:
            raise Refused("fileId is unknown")
        if now >= stored.expires:
            raise Refused("fileId has expired")
        return stored

    def name_of(self, file_id: str) -> str | None:
        """The name that a file was first uploaded by; None if there is no such file."""
        stored = self._by_id.get(file_id)
        return None if stored is None else stored.name

    def _new_file(self, name: str, data: bytes, now: float) -> StoredFile:
        return StoredFile(
            file_id=self._new_id(),
            name=name,
            size=len(data),
            digest=hashlib.sha256(data).hexdigest(),
            data=data,
            created=now,
            expires=now + self._lifetime,
        )


def _read(payload: object) -> tuple[str, bytes]:
    if not isinstance(payload, dict):
        raise Refused("the body has to be a JSON object")
    body = cast("Mapping[str, object]", payload)
    name, text = body.get("fileName"), body.get("fileBody")
    if not isinstance(name, str) or not isinstance(text, str):
        raise Refused("fileName and fileBody are required, both strings")
    if len(name) > MAX_NAME:
        raise Refused(f"fileName has {len(name)} characters, at most {MAX_NAME} are allowed")
    if not name.lower().endswith((".jpg", ".jpeg")):
        raise Refused("fileName has to end in .jpg or .jpeg")
    if text.startswith("data:"):
        raise Refused("fileBody has a data: prefix, which has to be removed")
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one, and so is text outside ASCII
        raise Refused("fileBody is not Base64") from None
    if len(data) > MAX_BYTES:
        raise Refused(f"the picture has {len(data)} bytes, at most {MAX_BYTES} are allowed")
    size = jpeg.dimensions(data)
    if size is None:
        raise Refused("the picture is not a JPEG")
    if size[0] > MAX_WIDTH or size[1] > MAX_HEIGHT:
        raise Refused(
            f"the picture is {size[0]} x {size[1]}, at most {MAX_WIDTH} x {MAX_HEIGHT} is allowed"
        )
    return name, data
