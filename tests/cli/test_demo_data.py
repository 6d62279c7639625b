"""The demo's people: as many, as odd and as alike as real lists are, from one seed."""

import io
import random
import re

from PIL import Image

from sens_async.cli.demo_data import CONTENT, customers, phone_numbers
from sens_async.cli.poster import draw_coupon


def text_of(person) -> str:
    return CONTENT.format(**person.fields)


def test_one_seed_makes_one_list():
    assert customers(300, 3) == customers(300, 3) != customers(300, 4)


def test_a_list_has_some_of_everything():
    people = customers(10_000, 1)
    sizes = [len(text_of(person).encode("cp949", "replace")) for person in people]

    assert len(people) == 10_000
    assert 200 < sum(size > 90 for size in sizes) < 600
    assert max(sizes) <= 2_000
    assert sum(bool(re.search("[^\\u0000-\\uffff]", text_of(person))) for person in people) > 10
    assert len({person.key for person in people}) < 10_000
    assert any(person.to == "" for person in people)
    assert any(person.to.startswith("+82") for person in people)


def test_an_ordinary_text_is_an_sms():
    for person in customers(2_000, 2):
        if not person.fields["note"]:
            assert len(text_of(person).encode("cp949", "replace")) <= 90


def test_numbers_are_distinct():
    numbers = phone_numbers(5_000, random.Random(0))

    assert len(set(numbers)) == 5_000
    assert all(re.fullmatch(r"010[2-9]\d{7}", number) for number in numbers)


def test_the_coupon_is_a_picture_that_sens_takes():
    jpeg = draw_coupon()

    with Image.open(io.BytesIO(jpeg)) as image:
        assert (image.format, image.size) == ("JPEG", (1000, 1000))
    assert len(jpeg) < 300_000
