"""A wrong match sends twice, or not at all: unit cases, and laws over small worlds."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sens_async import ContentType, MessageType
from sens_async.core.evidence import MARGIN, Evidence
from sens_async.core.matching import Candidate, Finding, Matcher, Row, Verdict, match
from sens_async.core.signing import SIGNATURE_LIFETIME

FOUND, POSSIBLE, ABSENT = Verdict
NOW = 1764031180.0
A, B, C = "01000000001", "01000000002", "01000000003"


def unknown(numbers=(A, B), texts="안녕하세요", titles="", token="t", **more) -> Evidence:
    texts = (texts,) if isinstance(texts, str) else tuple(texts)
    titles = (titles,) if isinstance(titles, str) else tuple(titles)
    facts = {
        "type": MessageType.SMS,
        "content_type": ContentType.COMM,
        "country_code": "82",
        "sender": "0200000000",
        "signed_at": NOW,
        **more,
    }
    return Evidence(token=token, numbers=tuple(numbers), texts=texts, titles=titles, **facts)


def row(number=A, text="안녕하세요", title=None, **more) -> Row:
    facts = {
        "type": "SMS",
        "content_type": "COMM",
        "country_code": "82",
        "sender": "0200000000",
        **more,
    }
    return Row(number, text, title, **facts)


def listed(*rows: Row, request_id="r", at=NOW + 1, **more) -> Candidate:
    return Candidate(request_id, rows, at, **more)


def both(**more) -> Candidate:
    return listed(row(A, **more), row(B, **more))


def verdict(evidence: Evidence, *candidates: Candidate, **more) -> Verdict:
    (finding,) = match([evidence], candidates, **more)
    return finding.verdict


# -- what is found


def test_an_equal_request_is_found():
    assert match([unknown()], [both()]) == [Finding(FOUND, "r", NOW + 1)]


def test_rows_come_in_any_order():
    assert verdict(unknown(), listed(row(B), row(A))) is FOUND


def test_nothing_is_found_in_nothing():
    assert match([unknown()], []) == [Finding(ABSENT)]
    assert match([], [both()]) == []


def test_a_text_of_ones_own_belongs_to_its_number():
    evidence = unknown(texts=["하나입니다", "둘입니다"])
    assert verdict(evidence, listed(row(A, "하나입니다"), row(B, "둘입니다"))) is FOUND
    assert verdict(evidence, listed(row(A, "하나입니다"), row(B, "셋입니다"))) is ABSENT


def test_a_default_text_listed_for_everybody_may_be_it():
    evidence = unknown(texts=["하나입니다", "둘입니다"])
    assert verdict(evidence, listed(row(A, "하나입니다"), row(B, "하나입니다"))) is POSSIBLE


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("가나다", "가나다"),
        ("줄\n바꿈", "줄\r\n바꿈"),
        ("줄\r\n바꿈", "줄\n바꿈"),
        (" 공백 ", "공백"),
        ("A&B <3", "A&amp;B &lt;3"),
        ("A&amp;B", "A&amp;B"),
    ],
)
def test_spellings_of_one_text_are_equal(asked, told):
    assert verdict(unknown(texts=asked), both(text=told)) is FOUND


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("10% 할인 ☎", "10% 할인 ?"),
        ("두  칸", "두 칸"),
        ("ＡＢＣ", "ABC"),
        ("가" * 60, "가" * 45),
    ],
)
def test_a_text_with_the_same_letters_may_be_it(asked, told):
    assert verdict(unknown(texts=asked), both(text=told)) is POSSIBLE


@pytest.mark.parametrize("told", ["안녕", "안녕하세요 여러분", "잘 가요", "인증번호 1234"])
def test_another_text_is_another_request(told):
    assert verdict(unknown(), both(text=told)) is ABSENT
    assert Matcher([unknown()]).whose(both(text=told)) == []


@pytest.mark.parametrize(
    "other",
    [
        {"type": "LMS"},
        {"content_type": "AD"},
        {"country_code": "1"},
        {"sender": "0211111111"},
    ],
)
def test_another_envelope_is_another_request(other):
    assert verdict(unknown(), both(**other)) is ABSENT


@pytest.mark.parametrize(
    "same",
    [
        {"type": "sms"},
        {"type": None},
        {"content_type": None},
        {"content_type": "comm"},
        {"country_code": "+82"},
        {"country_code": None},
        {"sender": None},
    ],
)
def test_an_envelope_told_otherwise_or_not_at_all_is_the_same(same):
    assert verdict(unknown(), both(**same)) is FOUND


@pytest.mark.parametrize("odd", [{"type": "RCS"}, {"content_type": "OTHER"}, {"sender": "web"}])
def test_words_that_nobody_knows_prove_nothing(odd):
    assert verdict(unknown(), both(**odd)) is POSSIBLE


def test_an_mms_may_be_listed_as_an_lms():
    bare = unknown(type=MessageType.MMS)
    assert verdict(bare, both(type="LMS")) is FOUND
    pictured = unknown(type=MessageType.MMS, file_ids=("f1", "f2"))
    assert verdict(pictured, both(type="LMS")) is POSSIBLE
    assert verdict(pictured, both(type="MMS")) is FOUND
    assert verdict(pictured, both(type="MMS", file_ids=("f2", "f1"))) is FOUND
    assert verdict(pictured, both(type="MMS", file_ids=("f1", "f3"))) is POSSIBLE


def test_subjects_decide_where_both_are_known():
    titled = unknown(titles="제목입니다", type=MessageType.LMS)
    plain = unknown(type=MessageType.LMS)
    assert verdict(titled, both(type="LMS", title="제목입니다")) is FOUND
    assert verdict(titled, both(type="LMS", title="다른 제목")) is ABSENT
    assert verdict(titled, both(type="LMS")) is FOUND
    assert verdict(plain, both(type="LMS", title="안녕")) is FOUND  # cut from the text
    assert verdict(plain, both(type="LMS", title="다른 제목")) is POSSIBLE


@pytest.mark.parametrize("spelling", [A, "82" + A, "82" + A[1:], "+82-10-0000-0001"])
def test_numbers_may_be_listed_with_their_country(spelling):
    assert verdict(unknown([A]), listed(row(spelling))) is FOUND


# -- whose rows


def test_somebody_else_among_them_makes_it_another_request():
    assert verdict(unknown(), listed(row(A), row(B), row(C))) is ABSENT
    assert verdict(unknown(), listed(row(A), row(C))) is ABSENT
    assert verdict(unknown(), listed(row(C), is_complete=False)) is ABSENT


@pytest.mark.parametrize("may_grow", [True, False])
def test_some_of_them_are_a_request_that_is_not_visible_yet(may_grow):
    assert verdict(unknown(), listed(row(A), may_grow=may_grow)) is POSSIBLE
    assert verdict(unknown(), listed(row(A, "다른 글"), may_grow=may_grow)) is ABSENT


def test_what_was_not_read_to_its_end_is_not_found():
    assert verdict(unknown(), both()._replace(is_complete=False)) is POSSIBLE


def test_a_row_on_two_pages_counts_once():
    rows = [row(A)._replace(message_id="1"), row(B)._replace(message_id="2")]
    assert verdict(unknown(), listed(*rows, rows[0])) is FOUND


def test_two_messages_to_one_number_are_not_found():
    assert verdict(unknown(), listed(row(A), row(A), row(B))) is POSSIBLE


def test_without_texts_nothing_is_decided():
    bare = {"text": None, "type": None}
    assert verdict(unknown(), both(**bare)) is POSSIBLE
    assert verdict(unknown(), listed(row(A), row(B, **bare))) is FOUND
    assert verdict(unknown([A]), listed(row(C, **bare))) is ABSENT


# -- times


def test_too_early_is_not_found_but_may_be_it():
    early = both()._replace(requested_at=NOW - 61)
    assert verdict(unknown(), early) is POSSIBLE
    assert verdict(unknown(), early, ahead=5.0) is FOUND
    assert verdict(unknown(), both()._replace(requested_at=NOW - 59)) is FOUND


@pytest.mark.parametrize("at", [SIGNATURE_LIFETIME + MARGIN + 2, -SIGNATURE_LIFETIME - MARGIN - 2])
def test_what_no_signature_allows_is_another_request(at):
    assert verdict(unknown(), both()._replace(requested_at=NOW + at)) is ABSENT


def test_a_reserved_request_may_be_dated_when_it_fires():
    later = datetime.fromtimestamp(NOW + 86_400, UTC)
    evidence = unknown(reserve_at=later)
    for at in (NOW + 1, NOW + 86_400, NOW + 90_000):
        assert verdict(evidence, both()._replace(requested_at=at)) is FOUND
    assert verdict(evidence, both()._replace(requested_at=NOW + 40_000)) is ABSENT
    assert evidence.settles_at(600.0) == NOW + 87_000
    assert unknown().settles_at(600.0) == NOW + 600


def test_a_time_that_is_not_told_proves_nothing():
    assert verdict(unknown(), both()._replace(requested_at=None)) is FOUND


# -- several


def test_known_requests_do_not_count():
    assert verdict(unknown(), both(), known={"r"}) is ABSENT


def test_of_identical_twins_only_the_number_is_known():
    twins = [unknown(token=f"t{i}") for i in range(3)]
    requests = [both()._replace(request_id=f"r{i}", requested_at=NOW + i) for i in range(2)]
    findings = match(twins, requests)
    assert [one.verdict for one in findings] == [FOUND, FOUND, ABSENT]
    assert {one.request_id for one in findings[:2]} == {"r0", "r1"}


def test_several_matches_are_told_and_the_earliest_is_kept():
    requests = [both()._replace(request_id=f"r{i}", requested_at=NOW - i) for i in range(3)]
    assert match([unknown()], requests) == [Finding(FOUND, "r2", NOW - 2, ("r1", "r0"))]


def test_the_exact_text_is_preferred():
    crlf, lf = unknown(texts="가\r\n나", token="1"), unknown(texts="가\n나", token="2")
    requests = [
        both(text="가\n나")._replace(request_id="lf"),
        both(text="가\r\n나")._replace(request_id="crlf"),
    ]
    assert [one.request_id for one in match([crlf, lf], requests)] == ["crlf", "lf"]


def test_one_moves_aside_so_that_both_are_found():
    # The first could take either; the second only the earlier one.
    wide = unknown(token="1", signed_at=NOW)
    narrow = unknown(token="2", signed_at=NOW - 400)
    requests = [
        both()._replace(request_id="early", requested_at=NOW - 10),
        both()._replace(request_id="late", requested_at=NOW + 200),
    ]
    assert [one.request_id for one in match([wide, narrow], requests)] == ["late", "early"]


def test_a_part_of_one_is_not_taken_for_the_whole_of_another():
    pair, single = unknown([A, B], token="pair"), unknown([A], token="single")
    part = listed(row(A))
    assert [f.verdict for f in match([pair, single], [part])] == [POSSIBLE, POSSIBLE]
    grown = part._replace(may_grow=False)
    assert [f.verdict for f in match([pair, single], [grown])] == [ABSENT, FOUND]


def test_whose_a_candidate_may_be():
    sought = [unknown(token="1"), unknown([C], token="2"), unknown([A], token="3")]
    assert Matcher(sought).whose(listed(row(A))) == [0, 2]


def test_thousands_are_matched_at_once():
    crowd = [[f"010{i:04d}{j:04d}" for j in range(10)] for i in range(2_000)]
    sought = [unknown(numbers, token=f"{i}") for i, numbers in enumerate(crowd)]
    requests = [
        Candidate(f"r{i}", [row(number) for number in numbers], NOW + 1)
        for i, numbers in enumerate(crowd)
    ]
    findings = match(sought, requests)
    assert [one.request_id for one in findings] == [f"r{i}" for i in range(2_000)]


# -- laws

TEXTS = ["가나다", "가나다 ", "라마바"]
NUMBERS = [A, B, C]

crowds = st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3, unique=True)


@st.composite
def requests_sought(draw) -> list[Evidence]:
    shapes = draw(st.lists(st.tuples(crowds, st.sampled_from(TEXTS)), min_size=1, max_size=5))
    return [
        unknown(
            numbers, text, token=f"{i}", signed_at=NOW + draw(st.sampled_from([0.0, 0.0, 30.0]))
        )
        for i, (numbers, text) in enumerate(shapes)
    ]


@st.composite
def strangers(draw) -> list[Candidate]:
    shapes = draw(st.lists(st.tuples(crowds, st.sampled_from([*TEXTS, None])), max_size=5))
    return [
        Candidate(
            f"s{i}",
            [row(number, text) for number in numbers],
            NOW + draw(st.integers(-50, 50)),
            is_complete=draw(st.booleans()),
            may_grow=draw(st.booleans()),
        )
        for i, (numbers, text) in enumerate(shapes)
    ]


def is_compatible(evidence: Evidence, candidate: Candidate) -> bool:
    """Whether it may be it, in plainer words than those of the code."""
    own = {text.strip() for text in evidence.texts} | {None}
    return {one.number for one in candidate.rows} <= set(evidence.numbers) and all(
        one.text is None or one.text.strip() in own for one in candidate.rows
    )


@given(requests_sought(), strangers(), st.randoms())
@settings(max_examples=40, deadline=None)
def test_laws(sought, candidates, rng):
    findings = match(sought, candidates)
    by_id = {one.request_id: one for one in candidates}
    taken = [one.request_id for one in findings if one.verdict is FOUND]

    assert len(taken) == len(set(taken)), "one request settles two"
    for evidence, finding in zip(sought, findings, strict=True):
        if finding.verdict is FOUND:
            candidate = by_id[finding.request_id]
            assert candidate.is_complete
            assert Counter(one.number for one in candidate.rows) == Counter(evidence.numbers)
            assert {one.text.strip() for one in candidate.rows} == {evidence.texts[0].strip()}
        if finding.verdict is ABSENT:
            left = [one for one in candidates if one.request_id not in taken]
            assert not any(is_compatible(evidence, one) for one in left)

    order = rng.sample(range(len(sought)), len(sought))
    again = match([sought[i] for i in order], rng.sample(candidates, len(candidates)))
    assert again == [findings[i] for i in order]


@given(requests_sought(), st.data())
@settings(max_examples=40, deadline=None)
def test_nobody_accepted_is_absent_while_rows_become_visible(sought, data):
    """What was accepted is listed row by row; what is found is right at every moment."""
    accepted = data.draw(st.lists(st.sampled_from(sought), unique_by=lambda one: one.token))
    visible = []
    for one in accepted:
        shown = data.draw(
            st.lists(st.sampled_from(one.numbers), unique=True, min_size=1), label="shown"
        )
        rows = [row(number, one.texts[0]) for number in shown]
        is_whole = len(shown) == len(one.numbers)
        grows = True if not is_whole else data.draw(st.booleans())
        visible.append(Candidate(f"r{one.token}", rows, one.signed_at + 1, may_grow=grows))
    findings = match(sought, visible)

    kinds = [(frozenset(one.numbers), one.texts) for one in sought]
    for kind in set(kinds):
        members = [i for i, one in enumerate(kinds) if one == kind]
        truly = sum(sought[i] in accepted for i in members)
        verdicts = Counter(findings[i].verdict for i in members)
        assert verdicts[ABSENT] <= len(members) - truly
        assert verdicts[FOUND] <= truly
    if all(not one.may_grow for one in visible):
        assert sum(one.verdict is FOUND for one in findings) == len(accepted)
