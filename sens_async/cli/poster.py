"""The picture of `sens demo`: a coupon, drawn from shapes alone.

No font of the machine is used. Latin letters come with Pillow; the two Hangul syllables are
strokes on a grid.
"""

import io
import math

from PIL import Image, ImageDraw, ImageFont
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment, Segments
from rich.style import Style

__all__ = ["draw_coupon", "preview"]

_SCALE = 2  # drawn twice as large and reduced, which smooths every edge
_SIZE = 1000
_SKY = ((255, 122, 89), (255, 196, 113))
_PAPER = (255, 252, 246)
_INK = (62, 39, 35)
_ACCENT = (229, 57, 53)
_DOTS = ((255, 202, 40), (102, 187, 106), (66, 165, 245))

# Strokes of 쿠 and 폰 in a box of 10 x 10; a line goes through its points.
_STROKES = (
    (
        ((1.6, 1.4), (8.2, 1.4), (8.2, 5.0)),
        ((1.6, 3.2), (8.2, 3.2)),
        ((0.6, 6.4), (9.4, 6.4)),
        ((5.0, 6.4), (5.0, 9.6)),
    ),
    (
        ((1.4, 0.8), (8.6, 0.8)),
        ((3.4, 0.8), (3.4, 3.2)),
        ((6.6, 0.8), (6.6, 3.2)),
        ((1.4, 3.2), (8.6, 3.2)),
        ((5.0, 3.4), (5.0, 5.4)),
        ((0.6, 5.4), (9.4, 5.4)),
        ((2.2, 7.0), (2.2, 9.4), (8.6, 9.4)),
    ),
)


def draw_coupon(code: str = "MOA-0930") -> bytes:
    """Draw the coupon.

    Args:
        code: What is printed at its foot, in Latin letters and digits.

    Returns:
        A JPEG of 1000 x 1000 pixels, well under SENS's 300,000 bytes.
    """
    side = _SIZE * _SCALE
    image = _sunset(side)
    draw = ImageDraw.Draw(image)
    _rays(draw, side)
    _ticket(draw)
    _hangul(draw, left=190, top=236, box=180)
    _centred(draw, "30%", 545, 235, _ACCENT)
    _centred(draw, "THANK YOU COUPON", 690, 46, _INK)
    _centred(draw, code, 810, 58, _INK)
    small = image.resize((_SIZE, _SIZE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


def preview(jpeg: bytes, columns: int) -> Segments:
    """The picture in half blocks, two pixels to a character cell.

    Args:
        jpeg: The picture.
        columns: How wide it is to be; it is half as many lines high.
    """
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        small = image.convert("RGB").resize((columns, columns), Image.Resampling.LANCZOS)
    colours = [
        [Color.from_triplet(ColorTriplet(*small.getpixel((x, y)))) for x in range(columns)]  # type: ignore[misc]
        for y in range(columns)
    ]
    segments: list[Segment] = []
    for upper, lower in zip(colours[::2], colours[1::2], strict=True):
        segments += [
            Segment("▀", Style(color=top, bgcolor=bottom))
            for top, bottom in zip(upper, lower, strict=True)
        ]
        segments.append(Segment.line())
    return Segments(segments)


def _sunset(side: int) -> Image.Image:
    """A gradient from top to bottom, as one column that is then widened."""
    top, bottom = _SKY
    column = Image.new("RGB", (1, 256))
    for y in range(256):
        mixed = tuple(round(a + (b - a) * y / 255) for a, b in zip(top, bottom, strict=True))
        column.putpixel((0, y), mixed)
    return column.resize((side, side), Image.Resampling.BICUBIC)


def _rays(draw: ImageDraw.ImageDraw, side: int) -> None:
    centre = side / 2, side * 0.46
    for ray in range(0, 36, 2):
        corners = [
            (centre[0] + side * math.cos(angle), centre[1] + side * math.sin(angle))
            for angle in (math.radians(ray * 10), math.radians(ray * 10 + 10))
        ]
        draw.polygon([centre, *corners], fill=(255, 178, 102))


def _ticket(draw: ImageDraw.ImageDraw) -> None:
    left, top, right, bottom, tear = 110, 170, 890, 900, 752
    shadow = 14
    draw.rounded_rectangle(
        _at(left + shadow, top + shadow, right + shadow, bottom + shadow),
        radius=44 * _SCALE,
        fill=(226, 110, 70),
    )
    draw.rounded_rectangle(_at(left, top, right, bottom), radius=44 * _SCALE, fill=_PAPER)
    for x in (left, right):
        draw.ellipse(_at(x - 34, tear - 34, x + 34, tear + 34), fill=(255, 172, 106))
    for x in range(left + 60, right - 50, 34):
        draw.line(_at(x, tear, x + 16, tear), fill=(205, 190, 180), width=5 * _SCALE)
    for x, colour in zip((640, 700, 760), _DOTS, strict=True):
        draw.ellipse(_at(x - 22, 262, x + 22, 306), fill=colour)
    draw.arc(_at(610, 280, 790, 410), 20, 160, fill=_ACCENT, width=12 * _SCALE)


def _hangul(draw: ImageDraw.ImageDraw, left: int, top: int, box: int) -> None:
    unit, width = box / 10 * _SCALE, 15 * _SCALE
    for place, syllable in enumerate(_STROKES):
        x0, y0 = (left + place * box * 1.14) * _SCALE, top * _SCALE
        for stroke in syllable:
            points = [(x0 + x * unit, y0 + y * unit) for x, y in stroke]
            draw.line(points, fill=_INK, width=width, joint="curve")
            for x, y in points:  # round ends
                draw.ellipse(
                    (x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=_INK
                )


def _centred(
    draw: ImageDraw.ImageDraw, text: str, middle: int, height: int, fill: tuple[int, int, int]
) -> None:
    font = ImageFont.load_default(size=height * _SCALE)
    draw.text((_SIZE * _SCALE / 2, middle * _SCALE), text, fill=fill, font=font, anchor="mm")


def _at(*pixels: int) -> tuple[int, ...]:
    return tuple(pixel * _SCALE for pixel in pixels)
