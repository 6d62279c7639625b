"""Request targets that are signed and sent as they are, and bodies as the service documents them."""

import base64
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from sens_async.core.requests import (
    MESSAGES_PER_REQUEST,
    Request,
    Service,
    addressed,
    send_body,
    send_head,
    upload_body,
    worded,
)
from sens_async.errors import ConfigError

ENVELOPE = {"type": "SMS", "contentType": "COMM", "countryCode": "82", "from": "0212345678"}


@pytest.mark.parametrize(
    ("service_id", "segment"),
    [
        ("svc", "svc"),
        ("ncp:sms:kr:000000000001:demo", "ncp:sms:kr:000000000001:demo"),
        ("ncp%3Asms%3Akr%3A1%3Ademo", "ncp%3Asms%3Akr%3A1%3Ademo"),
        ("ncp%3asms:kr%3A1:demo", "ncp%3asms:kr%3A1:demo"),
        ("%3A", "%3A"),
        ("ncp:sms:kr:1:알림", "ncp:sms:kr:1:%EC%95%8C%EB%A6%BC"),
        ("a+b&c=d@e;f", "a%2Bb%26c%3Dd%40e%3Bf"),
        ("a'b\"c", "a%27b%22c"),
        ("a-b.c_d~e", "a-b.c_d~e"),
        ("a..b", "a..b"),
        ("...x", "...x"),
    ],
)
def test_targets_of_odd_service_ids(service_id, segment):
    service = Service(service_id)
    assert service.messages == f"/sms/v2/services/{segment}/messages"
    assert service.files == f"/sms/v2/services/{segment}/files"
    assert service.service_id == service_id


@pytest.mark.parametrize(
    ("service_id", "named"),
    [
        ("a/b", "'/'"),
        ("../admin", "'/'"),
        (".", r"'\.'"),
        ("..", r"'\.\.'"),
        ("a\\b", r"'\\\\'"),
        ("a?b", r"'\?'"),
        ("a#b", "'#'"),
        ("a b", "' '"),
        ("a\tb", r"'\\t'"),
        ("a\r\nX-Injected: 1", r"'\\r'"),
        ("a\nb", r"'\\n'"),
        ("a\x00b", r"'\\x00'"),
        ("a\x7fb", r"'\\x7f'"),
        ("a\u00a0b", r"'\\xa0'"),
        ("a\u2028b", r"'\\u2028'"),
        ("a%2Fb", "'%'"),
        ("%2e%2e", "'%'"),
        ("100%", "'%'"),
        (" svc", "' '"),
        ("svc\n", r"'\\n'"),
    ],
)
def test_a_service_id_that_would_lead_elsewhere_is_refused_by_name(service_id, named):
    with pytest.raises(ConfigError, match=rf"^service_id holds {named}, .*ncp:sms:kr:"):
        Service(service_id)


@pytest.mark.parametrize("service_id", ["", " ", "\n", None, 5, b"svc"])
def test_no_service_id_at_all_is_refused(service_id):
    with pytest.raises(ConfigError, match=r"^service_id is empty; it looks like"):
        Service(service_id)


@pytest.mark.parametrize("service_id", ["\ud800", "a\udfffb"])
def test_half_a_character_in_a_service_id_is_a_config_error(service_id):
    with pytest.raises(ConfigError, match="service_id"):
        Service(service_id)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_a_target_is_one_segment_of_visible_ascii_that_yarl_leaves_alone(service_id):
    try:
        target = Service(service_id).messages
    except ConfigError:
        return
    assert set(target) <= set(string.ascii_letters + string.digits + "/:%-._~")
    assert target.count("/") == 5
    assert URL(f"https://host{target}", encoded=True).raw_path_qs == target
    assert str(URL(f"https://host{target}", encoded=True)) == f"https://host{target}"
    segment = target.split("/")[4]
    assert URL(f"https://host/{segment}").path == "/" + service_id.replace("%3A", ":").replace(
        "%3a", ":"
    )


def test_a_request_has_no_body_unless_given():
    assert Request("GET", "/x").body == b""


def test_hundred_recipients_go_into_a_request():
    assert MESSAGES_PER_REQUEST == 100


numbers = st.lists(st.from_regex("010[0-9]{8}", fullmatch=True), min_size=1, max_size=8)
texts = st.sampled_from(["가", "나", "", '"', "\\", "\\u0000", "\0", "\n", "},{", "😀"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)


def test_body_without_subject_and_files_has_neither():
    body = send_body(send_head(ENVELOPE, "안녕", None), addressed(["01000000001"]))
    assert json.loads(body) == {**ENVELOPE, "content": "안녕", "messages": [{"to": "01000000001"}]}


def test_body_is_utf_8_json_without_escapes_of_korean():
    assert "안녕".encode() in send_head(ENVELOPE, "안녕", None)


def test_pictures_keep_their_order():
    head = send_head(ENVELOPE, "x", "제목")
    body = json.loads(send_body(head, addressed(["01000000001"]), ["b", "a"]))
    assert body["files"] == [{"fileId": "b"}, {"fileId": "a"}]
    assert body["subject"] == "제목"


@given(texts, st.none() | texts, numbers, st.lists(texts))
def test_any_body_is_the_json_of_its_parts(content, subject, to, file_ids):
    body = json.loads(send_body(send_head(ENVELOPE, content, subject), addressed(to), file_ids))
    expected = {**ENVELOPE, "content": content, "messages": [{"to": number} for number in to]}
    if subject is not None:
        expected["subject"] = subject
    if file_ids:
        expected["files"] = [{"fileId": file_id} for file_id in file_ids]
    assert body == expected


def test_body_does_not_change_the_envelope():
    envelope = dict(ENVELOPE)
    send_head(envelope, "x", "y")
    assert envelope == ENVELOPE


@given(numbers, st.data())
def test_own_words_are_written_where_they_differ_from_the_default(to, data):
    size = len(to)
    own, expected = {}, [{"to": number} for number in to]
    for field in data.draw(st.sets(st.sampled_from(["content", "subject"]), min_size=1)):
        column = data.draw(st.lists(texts, min_size=size, max_size=size))
        default = data.draw(st.sampled_from(column) | texts)
        own[field] = column, default
        for row, text in zip(expected, column, strict=True):
            if text != default:
                row[field] = text
    assert json.loads(worded(to, own)) == expected


@given(st.lists(texts, min_size=1, max_size=8, unique=True))
def test_a_list_in_which_all_texts_differ_names_all_but_the_default(column):
    to = [f"010{i:08d}" for i in range(len(column))]
    assert json.loads(worded(to, {"content": (column, column[0])})) == [
        {"to": to[0]},
        *({"to": number, "content": text} for number, text in zip(to[1:], column[1:], strict=True)),
    ]


def test_upload_is_plain_base64_without_a_data_prefix():
    data = bytes(range(256)) * 3
    body = json.loads(upload_body("9f86d081.jpg", data))
    assert body.keys() == {"fileName", "fileBody"}
    assert body["fileName"] == "9f86d081.jpg"
    assert base64.b64decode(body["fileBody"], validate=True) == data
