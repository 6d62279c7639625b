import asyncio
import base64
import io
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sens_async import pictures
from sens_async.core.attachments import MAX_SOURCE_BYTES, why_not
from sens_async.core.jpeg import jpeg_info
from sens_async.errors import InvalidAttachment

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
INSTALL = r"pip install 'sens-async\[images\]'"


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def quarters(size=(64, 48)) -> Image.Image:
    """Red, green / blue, white: shows which side is up."""
    picture = Image.new("RGB", size, WHITE)
    draw = ImageDraw.Draw(picture)
    (width, height), (x, y) = size, (size[0] // 2, size[1] // 2)
    draw.rectangle((0, 0, x - 1, y - 1), RED)
    draw.rectangle((x, 0, width, y - 1), GREEN)
    draw.rectangle((0, y, x - 1, height), BLUE)
    return picture


def noise(size, mode="RGB") -> Image.Image:
    """What compresses worst."""
    pixels = size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, size, random.Random(7).randbytes(pixels))


def photograph(picture: Image.Image, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Some Camera"
    exif[0x0112] = orientation
    return encoded(picture, "JPEG", exif=exif, quality=95)


def corners(data: bytes) -> list[tuple[int, ...]]:
    """The colours of the four quarters, rounded to full or no light."""
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    (width, height) = picture.size
    places = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    return [tuple(round(level / 255) * 255 for level in picture.getpixel(at)) for at in places]


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be of that size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\x00" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


def write_too_much(path: Path) -> None:
    path.touch()
    os.truncate(path, MAX_SOURCE_BYTES + 1)


class TestReading:
    async def test_a_path_a_string_bytes_and_a_data_url_are_the_same(self, tmp_path):
        data = encoded(quarters(), "JPEG")
        path = tmp_path / "안내 포스터.jpg"
        path.write_bytes(data)
        url = "data:image/jpeg;base64," + base64.b64encode(data).decode()

        assert [await pictures.read(each) for each in (path, str(path), data, url)] == [data] * 4

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda _: None, "cannot be read: no such file or directory"),
            (Path.mkdir, "it is a directory"),
            (os.mkfifo, "it is not a regular file"),
            (Path.touch, "it is empty"),
            (lambda path: path.symlink_to(path), "cannot be read: too many levels"),
            (write_too_much, "25000001 bytes, at most 25000000 are read"),
        ],
    )
    async def test_what_is_wrong_with_a_path_is_said_with_its_name(self, tmp_path, make, reason):
        path = tmp_path / "poster.png"
        make(path)

        with pytest.raises(InvalidAttachment, match=rf"poster\.png: {reason}"):
            await pictures.read(path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    async def test_a_file_without_permission(self, tmp_path):
        path = tmp_path / "poster.png"
        path.write_bytes(b"x")
        path.chmod(0)

        with pytest.raises(InvalidAttachment, match=r"poster\.png: cannot be read: permission"):
            await pictures.read(path)

    async def test_base64_given_for_a_path_is_not_repeated(self):
        text = base64.b64encode(encoded(quarters(), "JPEG")).decode()

        with pytest.raises(InvalidAttachment, match=r"^<a path of \d+ characters>: cannot be read"):
            await pictures.read(text)

    async def test_a_path_with_a_nul(self):
        with pytest.raises(InvalidAttachment, match=r"'a\\x00b': is not a path"):
            await pictures.read("a\0b")

    @pytest.mark.parametrize(
        ("data", "reason"), [(b"", "it is empty"), (bytes(MAX_SOURCE_BYTES + 1), "25000001 bytes")]
    )
    async def test_bytes_have_the_same_limits(self, data, reason):
        with pytest.raises(InvalidAttachment, match=f"the picture: {reason}"):
            await pictures.read(data)

    async def test_a_malformed_data_url(self):
        with pytest.raises(InvalidAttachment, match="not Base64"):
            await pictures.read("data:image/png,%89PNG")

    @pytest.mark.parametrize("image", [None, 5, ["a.jpg"], bytearray(b"x")])
    async def test_anything_else_is_a_type_error(self, image):
        with pytest.raises(TypeError, match=f"got {type(image).__name__}"):
            await pictures.read(image)

    async def test_the_event_loop_runs_on_meanwhile(self, tmp_path):
        path = tmp_path / "large.png"
        path.write_bytes(encoded(quarters((2000, 2000)), "PNG"))
        turns = 0

        async def work() -> bytes:
            return await pictures.fit(await pictures.read(path))

        task = asyncio.create_task(work())
        while not task.done():
            turns += 1
            await asyncio.sleep(0)

        assert why_not(task.result()) is None
        assert turns > 10


class TestWithoutDecoding:
    async def test_a_jpeg_that_fits_goes_unchanged(self):
        data = encoded(quarters(), "JPEG")

        assert await pictures.fit(data) is data

    async def test_exif_is_stripped_from_an_upright_photograph_without_loss(self):
        plain = encoded(quarters(), "JPEG", quality=95)
        data = await pictures.fit(photograph(quarters(), 1))

        assert not jpeg_info(data).has_exif
        assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(plain)).tobytes()


class TestWithoutPillow:
    @pytest.fixture(autouse=True)
    def no_pillow(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "PIL", None)
        monkeypatch.setitem(sys.modules, "PIL.Image", None)

    async def test_what_needs_no_decoding_is_taken(self):
        plain, upright = JPEG, UPRIGHT

        assert await pictures.fit(plain) is plain
        assert why_not(await pictures.fit(upright)) is None

    async def test_a_png_is_refused_with_the_command_that_helps(self):
        with pytest.raises(
            InvalidAttachment, match=rf"^a\.png: not a JPEG: it begins like a PNG; .*{INSTALL}"
        ):
            await pictures.fit(png_header(4, 4), "a.png")

    async def test_so_is_a_jpeg_that_is_too_large(self):
        with pytest.raises(InvalidAttachment, match=rf"2000 x 10 pixels, .*{INSTALL}"):
            await pictures.fit(WIDE)

    async def test_so_is_a_photograph_on_its_side(self):
        with pytest.raises(InvalidAttachment, match=rf"lies on its side.*{INSTALL}"):
            await pictures.fit(SIDEWAYS)


class TestConverting:
    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("PNG", {}),
            ("WEBP", {"lossless": True}),
            ("GIF", {}),
            ("BMP", {}),
            ("JPEG", {"progressive": True, "icc_profile": b"profile" * 50_000}),
        ],
    )
    async def test_takes_the_usual_formats(self, kind, options):
        data = await pictures.fit(encoded(quarters(), kind, **options))

        assert why_not(data) is None
        assert corners(data) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM", "TGA"])
    async def test_other_formats_are_not_even_tried(self, kind):
        with pytest.raises(InvalidAttachment, match="no readable JPEG, PNG, WebP, GIF or BMP"):
            await pictures.fit(encoded(quarters(), kind))

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
    async def test_of_an_animation_the_first_frame(self, kind):
        options = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), BLUE)]}
        data = await pictures.fit(encoded(quarters(), kind, **options))

        assert corners(data) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.parametrize("orientation", range(2, 9))
    async def test_a_photograph_is_turned_upright(self, orientation):
        stored = quarters().transpose(
            {
                2: Image.Transpose.FLIP_LEFT_RIGHT,
                3: Image.Transpose.ROTATE_180,
                4: Image.Transpose.FLIP_TOP_BOTTOM,
                5: Image.Transpose.TRANSPOSE,
                6: Image.Transpose.ROTATE_90,
                7: Image.Transpose.TRANSVERSE,
                8: Image.Transpose.ROTATE_270,
            }[orientation]
        )
        data = await pictures.fit(photograph(stored, orientation))

        assert corners(data) == [RED, GREEN, BLUE, WHITE]
        assert jpeg_info(data).width == 64
        assert not jpeg_info(data).has_exif

    async def test_the_size_limits_hold_for_the_upright_picture(self):
        stored = quarters((3000, 2000)).transpose(Image.Transpose.ROTATE_90)
        info = jpeg_info(await pictures.fit(photograph(stored, 6)))

        assert (info.width, info.height) == (1500, 1000)

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((3000, 1000), (1500, 500)),
            ((1000, 2880), (500, 1440)),
            ((1440, 1500), (1382, 1440)),
            ((20_000, 3), (1500, 1)),
            ((700, 600), (700, 600)),
        ],
    )
    async def test_is_scaled_down_and_never_up(self, size, expected):
        info = jpeg_info(await pictures.fit(encoded(Image.new("RGB", size, RED), "PNG")))

        assert (info.width, info.height) == expected

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
    async def test_transparency_becomes_white(self, mode):
        picture = Image.new("RGBA", (64, 48), (0, 0, 0, 0)).convert(mode)
        data = await pictures.fit(
            encoded(picture, "PNG", **({"transparency": 0} if mode == "P" else {}))
        )

        assert corners(data) == [WHITE] * 4

    async def test_what_is_half_transparent_is_mixed_with_white(self):
        picture = Image.new("RGBA", (64, 48), (0, 0, 0, 128))
        data = await pictures.fit(encoded(picture, "PNG"))

        assert Image.open(io.BytesIO(data)).getpixel((9, 9)) == pytest.approx((127,) * 3, abs=2)

    async def test_a_palette_with_one_transparent_colour(self):
        picture = quarters().quantize(8)
        red = picture.getpixel((0, 0))
        data = await pictures.fit(encoded(picture, "GIF", transparency=red))

        assert corners(data) == [WHITE, GREEN, BLUE, WHITE]

    async def test_sixteen_bits_of_grey_are_not_clipped(self):
        picture = Image.new("I;16", (64, 48), 0x8000)
        data = await pictures.fit(encoded(picture, "PNG"))

        assert Image.open(io.BytesIO(data)).getpixel((9, 9)) == pytest.approx((128,) * 3, abs=2)

    @pytest.mark.parametrize("mode", ["1", "L"])
    async def test_black_and_white(self, mode):
        data = await pictures.fit(encoded(Image.new("L", (64, 48), 255).convert(mode), "PNG"))

        assert corners(data) == [WHITE] * 4

    async def test_cmyk(self):
        picture = quarters((2000, 1000)).convert("CMYK")
        data = await pictures.fit(encoded(picture, "JPEG"))

        assert corners(data) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.parametrize("size", [(1500, 1440), (4000, 3000)])
    async def test_even_noise_comes_to_fit(self, size):
        data = await pictures.fit(encoded(noise(size, "L"), "BMP"))

        assert why_not(data) is None
        assert len(data) > 150_000

    async def test_quality_goes_before_size(self):
        soft = noise((100, 96)).resize((1500, 1440), Image.Resampling.BICUBIC)
        data = await pictures.fit(encoded(soft, "BMP"))

        info = jpeg_info(data)
        assert (info.width, info.height) == (1500, 1440)
        assert len(encoded(soft, "JPEG", quality=90, optimize=True)) > 300_000

    async def test_the_same_picture_gives_the_same_bytes(self):
        source = encoded(noise((1600, 1200)), "PNG")

        assert await pictures.fit(source) == await pictures.fit(source)

    async def test_nothing_of_the_metadata_stays(self):
        secret = b"37.5665 N 126.9780 E"
        options = {"comment": secret, "icc_profile": secret, "quality": 95, "xmp": secret}
        data = await pictures.fit(encoded(quarters((2000, 1000)), "JPEG", **options))

        assert secret not in data

    async def test_a_jpeg_that_pillow_reads_in_spite_of_damage_is_mended(self):
        whole = encoded(quarters(), "JPEG")
        after_app0 = 4 + whole[5]
        damaged = whole[:after_app0] + b"\x00" + whole[after_app0:]

        assert "no marker at byte 20" in why_not(damaged)
        assert corners(await pictures.fit(damaged)) == [RED, GREEN, BLUE, WHITE]


class TestBadPictures:
    @pytest.mark.parametrize("size", [(5001, 5000), (10_000, 10_000), (60_000, 60_000)])
    async def test_a_bomb_is_refused_before_it_is_decoded(self, size):
        with pytest.raises(InvalidAttachment, match="pixels, at most 25000000 in all are decoded"):
            await pictures.fit(png_header(*size))

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "JPEG"])
    async def test_a_file_cut_in_half(self, kind):
        whole = encoded(noise((300, 300)).convert("P" if kind == "GIF" else "RGB"), kind)

        with pytest.raises(InvalidAttachment, match=r"^a\.img: (cannot be decoded|no readable)"):
            await pictures.fit(whole[: len(whole) // 2], "a.img")

    async def test_a_jpeg_with_whole_markers_and_no_tables(self):
        with pytest.raises(InvalidAttachment, match="the picture: cannot be decoded: "):
            await pictures.fit(WIDE.replace(b"\xff\xdb", b"\xff\xfe"))

    async def test_the_reason_says_what_it_is(self):
        with pytest.raises(InvalidAttachment, match=r"\(not a JPEG: it begins like a PDF\)$"):
            await pictures.fit(b"%PDF-1.7 ...")

    async def test_the_error_does_not_hold_the_data(self):
        with pytest.raises(InvalidAttachment) as caught:
            await pictures.fit(b"SECRET" * 100)

        assert "SECRET" not in str(caught.value)

    @given(st.data())
    def test_damage_raises_nothing_else(self, data):
        kind = data.draw(st.sampled_from(["PNG", "WEBP", "GIF", "BMP", "JPEG"]))
        broken = bytearray(encoded(quarters((20, 20)), kind))
        for _ in range(data.draw(st.integers(1, 6))):
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
        try:
            fitted = pictures._fit(bytes(broken), "the picture")
        except InvalidAttachment:
            pass
        else:
            assert why_not(fitted) is None


def test_how_error_texts_call_a_picture():
    assert pictures.label(Path("posters/a.jpg")) == "posters/a.jpg"
    assert pictures.label("data:image/png;base64,AAAA") == "the picture"
    assert pictures.label(b"bytes") == "the picture"


def test_pillow_is_not_imported_before_it_is_needed():
    code = "import sys, sens_async.attachment_cache; sys.exit('PIL' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


JPEG = encoded(quarters(), "JPEG")
UPRIGHT = photograph(quarters(), 1)
SIDEWAYS = photograph(quarters(), 6)
WIDE = encoded(Image.new("RGB", (2000, 10)), "JPEG")
