import pytest
from hypothesis import given
from hypothesis import strategies as st

from sens_async.emulator.jpeg import dimensions


def test_width_and_height_come_from_the_frame_header(jpeg):
    assert dimensions(jpeg(1500, 1440)) == (1500, 1440)


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2])
def test_baseline_and_progressive_frames_are_read(jpeg, marker):
    assert dimensions(jpeg(3, 2).replace(b"\xff\xc0", bytes([0xFF, marker]))) == (3, 2)


def test_tables_fill_bytes_and_bare_markers_before_the_frame_are_passed_over(jpeg):
    picture = jpeg(7, 5)
    between = b"\xff\xd0" + b"\xff\xff\xc4\x00\x04\x00\x00"

    assert dimensions(picture[:2] + between + picture[2:]) == (7, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"\xff\xd8" + bytes(40),
        b"\xff\xd8\xff\xd9\x00\x00",
        b"\xff\xd8\xff\xda\x00\x04\x00\x00",
        b"\xff\xd8\xff\xe0\x00\x01\x00\x00",
        b"\xff\xd8\xff\xc0\x00\x05\x08\x00\x01",
    ],
)
def test_anything_else_is_no_jpeg(data):
    assert dimensions(data) is None


def test_an_empty_frame_is_no_picture(jpeg):
    assert dimensions(jpeg(0, 5)) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data):
    dimensions(b"\xff\xd8" + data)
