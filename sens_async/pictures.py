"""From what callers call a picture to a JPEG that the service takes.

Reading and decoding run in worker threads, off the event loop. Pillow (the `[images]` extra) is
imported only for a picture that has to be decoded.
"""

import asyncio
import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sens_async.core import attachments
from sens_async.errors import InvalidAttachment
from sens_async.models import UploadedFile

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["Image", "Source", "fit", "read"]

Source = str | os.PathLike[str] | bytes
"""A path, the picture's bytes, or a `data:image/...;base64,...` URL."""

Image = Source | UploadedFile
"""What may stand for a picture in a message."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""What Pillow may try: formats whose decoders are well trodden, since pictures may come from
strangers. Of an animation the first frame is taken."""

_QUALITIES = (90, 84, 76, 68, 60)
"""JPEG qualities to try at each size, best first. Below the last, blocks are easier to see than
fewer pixels."""

_SHRINK = 0.85
"""What width and height are multiplied by when no quality is small enough."""

_LONGEST_LABEL = 255
"""Characters. A longer "path" is more likely data given by mistake, which is not to be repeated."""


async def read(image: Source) -> bytes:
    """Read a picture as it was given, of whatever format, in a worker thread.

    Raises:
        InvalidAttachment: The path cannot be read, the `data:` URL is malformed, or there is
            nothing or more than `attachments.MAX_SOURCE_BYTES` in it.
        TypeError: It is none of the kinds that a picture may be given as.
    """
    if isinstance(image, str | os.PathLike):
        data = await asyncio.to_thread(_read_text, os.fspath(image))
    elif isinstance(image, bytes):
        data = image
    else:
        kinds = "a path, bytes, a data: URL or an UploadedFile"
        raise TypeError(f"a picture must be {kinds}, got {type(image).__name__}")
    _check_size(len(data), label(image))
    return data


async def fit(data: bytes, name: str = "the picture") -> bytes:
    """Give a JPEG that the service takes, in a worker thread.

    A JPEG that fits goes unchanged, one that would fit without its EXIF goes without it; anything
    else is decoded, turned upright, put on white, scaled down and encoded anew. The same bytes
    always give the same JPEG (with the same release of Pillow), and so the same upload.

    Args:
        data: A picture as `read` gives it.
        name: How error texts call it.

    Raises:
        InvalidAttachment: It is no picture, is damaged or too large, or takes Pillow, which is
            not installed.
    """
    return await asyncio.to_thread(_fit, data, name)


def label(image: Source) -> str:
    """How error texts call a picture: by its path, never by its data."""
    if isinstance(image, bytes):
        return "the picture"
    path = os.fspath(image)
    if _is_data_url(path):
        return "the picture"
    return path if len(path) <= _LONGEST_LABEL else f"<a path of {len(path)} characters>"


def _is_data_url(text: str) -> bool:
    return text[:5].lower() == "data:"


def _read_text(text: str) -> bytes:
    if _is_data_url(text):
        return attachments.decode_data_url(text)
    if text.startswith(("http://", "https://")):
        raise InvalidAttachment("web addresses are not fetched; give a path, bytes or a data: URL")
    try:
        _check_size(_file_size(text), label(text))
        with Path(text).open("rb") as file:
            return file.read(attachments.MAX_SOURCE_BYTES + 1)
    except InvalidAttachment:
        raise
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise InvalidAttachment(f"{label(text)}: cannot be read: {reason}") from error
    except ValueError as error:  # a NUL, or characters that no file name has here
        raise InvalidAttachment(f"{label(text)!r}: is not a path") from error


def _file_size(path: str) -> int:
    found = Path(path).stat()
    if stat.S_ISDIR(found.st_mode):
        raise InvalidAttachment(f"{label(path)}: it is a directory")
    if not stat.S_ISREG(found.st_mode):  # reading a pipe or a device might never end
        raise InvalidAttachment(f"{label(path)}: it is not a regular file")
    return found.st_size


def _check_size(size_bytes: int, name: str) -> None:
    if size_bytes > attachments.MAX_SOURCE_BYTES:
        raise InvalidAttachment(
            f"{name}: {size_bytes} bytes, at most {attachments.MAX_SOURCE_BYTES} are read"
        )
    if not size_bytes:
        raise InvalidAttachment(f"{name}: it is empty")


def _fit(data: bytes, name: str) -> bytes:
    ready = attachments.as_it_is(data)
    if ready is not None:
        return ready
    try:
        import PIL  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        reason = attachments.why_not(data)
        raise InvalidAttachment(
            f"{name}: {reason}; to have pictures converted: pip install 'sens-async[images]'"
        ) from error
    try:
        return _encode(_decode(data))
    except PIL.UnidentifiedImageError as error:
        formats = "JPEG, PNG, WebP, GIF or BMP"
        reason = attachments.why_not(data)
        raise InvalidAttachment(f"{name}: no readable {formats} ({reason})") from error
    except InvalidAttachment as error:
        raise InvalidAttachment(f"{name}: {error}") from error.__cause__
    except Exception as error:
        # Pillow's decoders raise whatever their parsers stumble over.
        raise InvalidAttachment(f"{name}: cannot be decoded: {error}") from error


def _decode(data: bytes) -> "PIL.Image.Image":
    """Give the picture upright, in RGB on white, no larger than the service takes."""
    from PIL import Image as pillow  # noqa: N813, PLC0415
    from PIL import ImageOps  # noqa: PLC0415

    try:
        picture: PIL.Image.Image = pillow.open(io.BytesIO(data), formats=_FORMATS)
    except (pillow.DecompressionBombWarning, pillow.DecompressionBombError) as error:
        raise _too_many_pixels("too many") from error
    with picture:
        width, height = picture.size
        if width * height > attachments.MAX_PIXELS:
            raise _too_many_pixels(f"{width} x {height}")
        longest = max(attachments.MAX_WIDTH, attachments.MAX_HEIGHT)
        picture.draft(None, (longest, longest))  # lets a large JPEG be decoded at a fraction
        upright = _on_white(ImageOps.exif_transpose(picture))
    scale = min(1, attachments.MAX_WIDTH / upright.width, attachments.MAX_HEIGHT / upright.height)
    return _scaled(upright, scale)


def _too_many_pixels(size: str) -> InvalidAttachment:
    return InvalidAttachment(f"{size} pixels, at most {attachments.MAX_PIXELS} in all are decoded")


def _on_white(picture: "PIL.Image.Image") -> "PIL.Image.Image":
    """Give a new RGB picture, which has none of the old one's metadata."""
    from PIL import Image as pillow  # noqa: N813, PLC0415

    canvas = pillow.new("RGB", picture.size, "white")
    if picture.mode.startswith("I"):  # 16 bits of grey, which `convert` would clip to 8
        picture = picture.point(lambda level: level * (1 / 256)).convert("L")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        canvas.paste(picture, mask=picture.getchannel("A"))
    else:
        canvas.paste(picture.convert("RGB"))
    return canvas


def _scaled(picture: "PIL.Image.Image", scale: float) -> "PIL.Image.Image":
    from PIL import Image as pillow  # noqa: N813, PLC0415

    if scale >= 1:
        return picture
    width, height = int(picture.width * scale), int(picture.height * scale)
    return picture.resize((max(width, 1), max(height, 1)), pillow.Resampling.LANCZOS)


def _encode(picture: "PIL.Image.Image") -> bytes:
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality, optimize=True)
            if file.tell() <= attachments.MAX_BYTES:
                return file.getvalue()
        picture = _scaled(picture, _SHRINK)
