import base64
import io
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sens_async.core.attachments import (
    MAX_NAME,
    MAX_SALT,
    MAX_SOURCE_BYTES,
    as_it_is,
    decode_data_url,
    digest,
    is_fresh,
    salt_at,
    upload_name,
    why_not,
)
from sens_async.core.jpeg import JpegInfo, jpeg_info
from sens_async.errors import InvalidAttachment
from sens_async.models import UploadedFile

NOW = datetime(2025, 11, 25, 0, 39, 40, tzinfo=UTC)


def jpeg(size=(40, 30), *, orientation=None, mode="RGB", **options) -> bytes:
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0110] = "Some Camera"
        exif[0x0112] = orientation
        options["exif"] = exif
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    segment = b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload
    return data[:2] + segment + data[2:]


def exif(byte_order: str, kind: int, value: int) -> bytes:
    """EXIF with an orientation of TIFF type `kind` (3 is SHORT, 4 is LONG)."""
    mark = b"II*\x00" if byte_order == "<" else b"MM\x00*"
    number = struct.pack(f"{byte_order}{'I' if kind == 4 else 'H'}", value).ljust(4, b"\x00")
    entry = struct.pack(f"{byte_order}HHI", 0x0112, kind, 1) + number
    return b"Exif\x00\x00" + mark + struct.pack(f"{byte_order}IH", 8, 1) + entry


def padded(data: bytes, size_bytes: int) -> bytes:
    """A JPEG of exactly `size_bytes`, by comments that leave the picture as it is."""
    while (missing := size_bytes - len(data)) > 60_000:
        data = with_segment(data, 0xFE, b" " * 50_000)
    return with_segment(data, 0xFE, b" " * (missing - 4))


class TestJpegInfo:
    @given(
        st.integers(1, 2000),
        st.integers(1, 60),
        st.booleans(),
        st.sampled_from(["L", "RGB", "CMYK"]),
    )
    def test_reads_the_size_of_what_pillow_writes(self, width, height, progressive, mode):
        data = jpeg((width, height), mode=mode, progressive=progressive)

        assert jpeg_info(data) == JpegInfo(width, height)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_reads_the_orientation_that_pillow_writes(self, orientation):
        assert jpeg_info(jpeg(orientation=orientation)) == JpegInfo(40, 30, True, orientation)

    @pytest.mark.parametrize("byte_order", ["<", ">"])
    @pytest.mark.parametrize("kind", [3, 4])
    def test_reads_the_orientation_in_either_byte_order(self, byte_order, kind):
        data = with_segment(jpeg(), 0xE1, exif(byte_order, kind, 6))

        assert jpeg_info(data).orientation == 6

    @pytest.mark.parametrize("value", [0, 9, 65535])
    def test_an_orientation_that_does_not_exist_is_upright(self, value):
        assert jpeg_info(with_segment(jpeg(), 0xE1, exif("<", 3, value))).orientation == 1

    @given(st.binary(max_size=80))
    def test_broken_exif_is_exif_and_upright_or_turned(self, tiff):
        for beginning in (b"", b"II*\x00", b"MM\x00*"):
            info = jpeg_info(with_segment(jpeg(), 0xE1, b"Exif\x00\x00" + beginning + tiff))

            assert info.has_exif
            assert 1 <= info.orientation <= 8

    def test_xmp_counts_as_exif(self):
        data = with_segment(jpeg(), 0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta/>")

        assert jpeg_info(data) == JpegInfo(40, 30, has_exif=True)

    def test_fill_bytes_and_restart_markers_are_allowed(self):
        data = jpeg((400, 400), restart_marker_blocks=4)
        data = data[:2] + b"\xff\xff\xff" + data[2:-2] + b"\xff" + data[-2:]

        assert jpeg_info(data) == JpegInfo(400, 400)

    def test_what_follows_the_end_is_ignored(self):
        assert jpeg_info(jpeg() + jpeg((9, 9), orientation=3)) == JpegInfo(40, 30)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "it is empty"),
            (b"\x89PNG\r\n\x1a\n", "it begins like a PNG"),
            (b"GIF89a", "it begins like a GIF"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "it begins like a WebP"),
            (b"\x00\x00\x00\x18ftypheic", "it begins like a HEIC, an AVIF or a video"),
            (b"<!doctype html>", "it begins like markup"),
            (b"\x00\x01\x02\x03\x04", "it begins with 00 01 02 03$"),
        ],
    )
    def test_says_what_it_is_instead_of_a_jpeg(self, data, reason):
        with pytest.raises(InvalidAttachment, match=f"not a JPEG: {reason}"):
            jpeg_info(data)

    @given(st.data())
    def test_a_jpeg_cut_off_anywhere_is_refused(self, data):
        whole = jpeg(orientation=1)
        part = whole[: data.draw(st.integers(0, len(whole) - 1))]

        with pytest.raises(InvalidAttachment, match=r"not a JPEG|cut off"):
            jpeg_info(part)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"\xff\xd8\xff\xd9", "it holds no picture"),
            (b"\xff\xd8\x00\x00\x00", "no marker at byte 2"),
            (b"\xff\xd8\xff\x00\x00", "no marker at byte 2"),
            (b"\xff\xd8\xff\xe0\x00\x01", "a segment of 1 bytes at byte 2"),
            (b"\xff\xd8\xff\xc0\x00\x07\x08\x00\x00\x00\x05\xff\xd9", "its header gives no size"),
            (b"\xff\xd8\xff\xc0\x00\x03\x08\xff\xd9", "its header gives no size"),
        ],
    )
    def test_damage_is_named(self, data, reason):
        with pytest.raises(InvalidAttachment, match=f"a damaged JPEG: {reason}"):
            jpeg_info(data)

    @given(st.binary(max_size=200), st.integers(0, 400))
    def test_garbage_raises_nothing_else(self, garbage, at):
        whole = jpeg(orientation=6)
        for data in (garbage, b"\xff\xd8" + garbage, whole[:at] + garbage + whole[at:]):
            try:
                info = jpeg_info(data)
            except InvalidAttachment:
                pass
            else:
                assert info.width > 0
                assert info.height > 0
            as_it_is(data)


class TestWhetherItFits:
    def test_one_within_all_limits_goes_unchanged(self):
        data = jpeg((1500, 1440))

        assert why_not(data) is None
        assert as_it_is(data) is data

    @pytest.mark.parametrize("size", [(1501, 10), (10, 1441), (1440, 1500)])
    def test_too_many_pixels(self, size):
        data = jpeg(size)

        assert why_not(data) == f"{size[0]} x {size[1]} pixels, at most 1500 x 1440 are allowed"
        assert as_it_is(data) is None

    def test_the_largest_file(self):
        data = padded(jpeg(), 300_000)

        assert len(data) == 300_000
        assert why_not(data) is None

    def test_one_byte_too_many(self):
        data = padded(jpeg(), 300_001)

        assert why_not(data) == "300001 bytes, at most 300000 are allowed"
        assert as_it_is(data) is None

    def test_what_is_no_jpeg(self):
        assert why_not(b"GIF89a") == "not a JPEG: it begins like a GIF"
        assert as_it_is(b"GIF89a") is None

    def test_exif_is_taken_out_of_an_upright_photograph(self):
        plain = jpeg(progressive=True)
        xmp = with_segment(plain, 0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta/>")
        photograph = with_segment(xmp, 0xE1, exif(">", 3, 1))

        assert (
            why_not(photograph) == "it carries EXIF or XMP data, which may tell where it was taken"
        )
        assert as_it_is(photograph) == plain

    def test_what_follows_the_end_goes_with_the_exif(self):
        photograph = jpeg(orientation=1)

        assert as_it_is(photograph + jpeg((9, 9), orientation=1)) == as_it_is(photograph)

    def test_one_that_fits_once_its_exif_is_gone(self):
        data = with_segment(padded(jpeg(), 290_000), 0xE1, b"Exif\x00\x00" + b"\x00" * 20_000)

        assert len(as_it_is(data)) == 290_000

    def test_one_that_lies_on_its_side_has_to_be_decoded(self):
        data = jpeg(orientation=6)

        assert "has to be turned" in why_not(data)
        assert as_it_is(data) is None


class TestUploadName:
    def test_stands_for_the_bytes(self):
        empty = "e3b0c44298fc1c149afbf4c8996fb924"  # of SHA-256 of nothing

        assert upload_name(digest(b"")) == f"{empty}.jpg"
        assert upload_name(digest(b""), 36) == f"{empty}-10.jpg"
        assert upload_name(digest(b"a")) != upload_name(digest(b"b"))

    @given(st.integers(0, MAX_SALT), st.integers(0, MAX_SALT))
    def test_is_short_enough_and_each_salt_has_its_own(self, one, other):
        names = [upload_name(digest(b""), salt) for salt in (one, other)]

        assert all(len(name) <= MAX_NAME and name.endswith(".jpg") for name in names)
        assert (names[0] == names[1]) == (one == other)

    @pytest.mark.parametrize("salt", [-1, MAX_SALT + 1])
    def test_a_salt_without_room_is_refused(self, salt):
        with pytest.raises(ValueError, match="salt must lie between 0 and 46655"):
            upload_name(digest(b""), salt)

    @given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
    def test_salts_do_not_come_again_while_the_service_remembers(self, now):
        later = [now + timedelta(minutes=minutes) for minutes in (1, 2, 60, 1440, 6 * 1440)]
        salts = {salt_at(time) for time in (now, *later)}

        assert len(salts) == 6
        assert all(1 <= salt <= MAX_SALT for salt in salts)

    def test_all_agree_on_the_salt_of_a_minute(self):
        assert salt_at(NOW.replace(second=0)) == salt_at(NOW.replace(second=59))


class TestFreshness:
    @pytest.mark.parametrize(
        ("lives", "needed_in", "expected"),
        [
            (3600, 0, True),
            (3599, 0, False),
            (7200, 3600, True),
            (7199, 3600, False),
            (3600, -60, True),
        ],
    )
    def test_a_file_must_live_a_margin_past_now_and_past_its_use(self, lives, needed_in, expected):
        file = UploadedFile(file_id="f", expires_at=NOW + timedelta(seconds=lives))

        assert is_fresh(file, NOW, NOW + timedelta(seconds=needed_in), 3600.0) is expected


class TestDataUrl:
    @pytest.mark.parametrize(
        "head",
        ["data:image/png;base64,", "data:;base64,", "DATA:image/jpeg;name=a.jpg;BASE64,"],
    )
    @given(st.binary(min_size=1, max_size=100))
    def test_gives_the_bytes(self, head, data):
        text = base64.b64encode(data).decode()

        assert decode_data_url(head + text) == data
        assert decode_data_url(head + "\n".join(text)) == data

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("data:image/png;base64", "no comma"),
            ("image/png;base64,AAAA", "no comma"),
            ("data:image/png,SECRET", "is not Base64; write data:image/jpeg;base64,"),
            ("data:image/png;base64,", "is empty"),
            ("data:image/png;base64,SECRET", "is not valid Base64"),
            ("data:image/png;base64,SECRET-_", "is not valid Base64"),
            ("data:image/png;base64,비밀SECRET", "is not valid Base64"),
        ],
    )
    def test_refuses_without_repeating_the_data(self, text, reason):
        with pytest.raises(InvalidAttachment, match=reason) as caught:
            decode_data_url(text)

        assert "SECRET" not in str(caught.value)
        assert caught.value.__cause__ is None

    def test_refuses_more_than_would_be_read_from_a_file(self):
        with pytest.raises(InvalidAttachment, match="more than the 25000000 bytes"):
            decode_data_url("data:;base64," + "AAAA" * (MAX_SOURCE_BYTES // 3 + 2))

    @given(st.text(max_size=60))
    def test_garbage_raises_nothing_else(self, text):
        for url in (text, "data:" + text, "data:;base64," + text):
            with suppress(InvalidAttachment):
                assert decode_data_url(url)
