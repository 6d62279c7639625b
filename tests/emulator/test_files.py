import base64
import hashlib
import itertools

import pytest

from sens_async.emulator.answers import Refused
from sens_async.emulator.files import FileStore

NOW = 1764031180.0


@pytest.fixture
def store():
    serial = itertools.count(1)
    return FileStore(lambda: f"{next(serial):032x}", lifetime=100.0)


def body(name, data):
    return {"fileName": name, "fileBody": base64.b64encode(data).decode()}


def test_a_picture_is_kept_with_what_identifies_it(store, jpeg):
    picture = jpeg(size=1000)
    stored = store.upload(body("포스터.jpg", picture), NOW)

    assert store.files == [stored]
    assert (stored.name, stored.size, stored.data) == ("포스터.jpg", 1000, picture)
    assert stored.digest == hashlib.sha256(picture).hexdigest()
    assert (stored.created, stored.expires) == (NOW, NOW + 100)


def test_same_name_and_size_are_the_same_file_whatever_the_bytes(store, jpeg):
    old, new = jpeg(size=1000, fill=b"a"), jpeg(size=1000, fill=b"b")
    first = store.upload(body("poster.jpg", old), NOW)
    second = store.upload(body("poster.jpg", new), NOW + 50)

    assert second.file_id == first.file_id
    assert (second.data, second.expires, second.uploads) == (old, NOW + 100, 2)
    assert len(store.files) == 1


@pytest.mark.parametrize(("name", "size"), [("other.jpg", 1000), ("poster.jpg", 1001)])
def test_another_name_or_size_is_another_file(store, jpeg, name, size):
    first = store.upload(body("poster.jpg", jpeg(size=1000)), NOW)

    assert store.upload(body(name, jpeg(size=size)), NOW).file_id != first.file_id


def test_an_expired_file_is_stored_anew(store, jpeg):
    first = store.upload(body("poster.jpg", jpeg()), NOW)
    second = store.upload(body("poster.jpg", jpeg()), NOW + 100)

    assert second.file_id != first.file_id
    assert store.find(second.file_id, NOW + 199) is second
    with pytest.raises(Refused, match="expired"):
        store.find(first.file_id, NOW + 100)


def test_a_file_that_was_never_uploaded_is_unknown(store):
    with pytest.raises(Refused, match="unknown"):
        store.find("0" * 32, NOW)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a" * 36 + ".jpg"])
def test_names_that_are_taken(store, jpeg, name):
    assert store.upload(body(name, jpeg()), NOW).name == name


def test_the_largest_picture_is_taken(store, jpeg):
    assert store.upload(body("a.jpg", jpeg(1500, 1440, size=300_000)), NOW).size == 300_000


def test_what_is_no_upload_is_refused_with_the_reason(store, jpeg):
    picture = base64.b64encode(jpeg()).decode()
    wrong = [
        ([], "JSON object"),
        ({"fileName": "a.jpg"}, "required"),
        ({"fileName": 1, "fileBody": picture}, "required"),
        ({"fileName": "a" * 37 + ".jpg", "fileBody": picture}, "41 characters, at most 40"),
        ({"fileName": "a.png", "fileBody": picture}, "end in .jpg or .jpeg"),
        ({"fileName": "a.jpg", "fileBody": f"data:image/jpeg;base64,{picture}"}, "prefix"),
        ({"fileName": "a.jpg", "fileBody": "*" + picture}, "not Base64"),
        ({"fileName": "a.jpg", "fileBody": "사진"}, "not Base64"),
        ({"fileName": "a.jpg", "fileBody": ""}, "not a JPEG"),
        (body("a.jpg", b"\x89PNG\r\n\x1a\n"), "not a JPEG"),
        (body("a.jpg", jpeg(size=300_001)), "300001 bytes, at most 300000"),
        (body("a.jpg", jpeg(1501, 10)), "1501 x 10, at most 1500 x 1440"),
        (body("a.jpg", jpeg(10, 1441)), "10 x 1441"),
    ]
    for payload, reason in wrong:
        with pytest.raises(Refused, match=reason):
            store.upload(payload, NOW)

    assert store.files == []
