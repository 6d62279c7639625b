"""Every error: exported, constructible, whole after pickle and copy, and honest about sending."""

import copy
import inspect
import pickle
import re

import pytest

import sens_async
from sens_async import errors
from sens_async.errors import (
    ApiError,
    BadRequest,
    BulkFailed,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    InvalidMessage,
    RateLimited,
    RequestTimeout,
    RunStopped,
    SendTimeout,
    SensError,
    SessionClosed,
    TransportError,
)
from sens_async.models import OutcomeState
from sens_async.outcomes import OutcomeBatch


def subclasses(kind):
    return [kind, *(sub for child in kind.__subclasses__() for sub in subclasses(child))]


EVERY = [kind for kind in subclasses(SensError) if kind.__module__ == errors.__name__]
SINGLE = [kind for kind in EVERY if kind is not BulkFailed]
every = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
single = pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.__name__)

TREE = {
    line.lstrip(" │├└─").split()[0]: len(re.match(r"[ │├└─]*", line)[0]) // 4
    for line in errors.__doc__.splitlines()
    if re.match(r"(    |    [│├└ ].*)[A-Z]\w+", line)
}
"""Name -> depth of what the module's docstring draws."""


def drawn_parent(name):
    names = list(TREE)
    for other in reversed(names[: names.index(name)]):
        if TREE[other] < TREE[name]:
            return other
    return None


def attributes(kind):
    """A value unlike its default for every keyword attribute."""
    values = {bool: True, int: 503, str: "text", float: 2.5}
    made = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        default = parameter.default
        assert default is not inspect.Parameter.empty, f"{name} has no default"
        if name == "outcome":
            made[name] = OutcomeBatch(OutcomeState.REJECTED, [4], ["010"], [None])[0]
        elif name == "is_retryable":
            made[name] = False
        elif name == "retry_after":
            made[name] = 2.5
        else:
            made[name] = values[type(default)] if default is not None else "text"
    return made


twins = pytest.mark.parametrize(
    "twin",
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],
    ids=["copy", "deepcopy", "pickle"],
)


@every
def test_is_exported_at_the_top(kind):
    assert getattr(sens_async, kind.__name__) is kind
    assert kind.__name__ in sens_async.__all__
    assert kind.__name__ in errors.__all__


@every
def test_is_drawn_where_it_stands(kind):
    assert kind.__name__ in TREE
    parent = drawn_parent(kind.__name__)
    if kind is SensError:
        assert parent is None
    else:
        assert kind.__bases__[0].__name__ == parent


def test_nothing_is_drawn_that_there_is_not():
    assert set(TREE) == {kind.__name__ for kind in EVERY}


@every
def test_says_what_it_means(kind):
    assert kind.__doc__


@single
def test_a_message_alone_makes_one(kind):
    error = kind("what is wrong")
    assert str(error) == "what is wrong"
    assert error.outcome is None
    assert not error.may_have_been_sent
    assert kind().args == ("",)


@single
def test_everything_else_has_a_name(kind):
    with pytest.raises(TypeError):
        kind("message", "another")


@single
@twins
def test_keeps_its_attributes(kind, twin):
    given = attributes(kind)
    again = twin(kind("메시지", **given))
    assert type(again) is kind
    assert str(again) == "메시지"
    for name, value in given.items():
        assert getattr(again, name) == value, name


@single
@twins
def test_keeps_its_defaults_and_what_was_set_later(kind, twin):
    error = kind("message")
    error.may_have_been_sent = True
    again = twin(error)
    assert again.may_have_been_sent
    assert vars(again).keys() == vars(error).keys()


@single
def test_what_may_have_been_sent_is_never_retryable(kind):
    assert not (kind("").is_retryable and kind("").may_have_been_sent)
    if "may_have_been_sent" in inspect.signature(kind.__init__).parameters:
        assert not kind("", may_have_been_sent=True).is_retryable
        with pytest.raises(ValueError, match="may have been sent is not retryable"):
            kind("", may_have_been_sent=True, is_retryable=True)


@pytest.mark.parametrize(
    "kind", [SessionClosed, SendTimeout, ConnectFailed, RateLimited, RunStopped]
)
def test_what_certainly_did_not_go_out_may_be_tried_again(kind):
    assert kind("").is_retryable
    assert not kind("", is_retryable=False).is_retryable


def test_nothing_else_is_retryable():
    retryable = {kind.__name__ for kind in SINGLE if kind("").is_retryable}
    assert retryable == {
        "SessionClosed", "SendTimeout", "ConnectFailed", "RateLimited", "RunStopped",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (ConfigError, ValueError),
        (InvalidMessage, ValueError),
        (SendTimeout, TimeoutError),
        (RequestTimeout, TimeoutError),
        (BulkFailed, ExceptionGroup),
    ],
)
def test_is_also_what_the_language_calls_it(kind, builtin):
    assert issubclass(kind, builtin)


def test_may_have_been_sent_is_told_for_each_error():
    assert not ConnectionLost("before").may_have_been_sent
    assert ConnectionLost("after", may_have_been_sent=True).may_have_been_sent


def test_attributes_of_an_answer():
    error = ApiError(
        "no", status=400, code="100", request_id="r", body_excerpt="b", retry_after=3.0
    )
    assert (error.status, error.code, error.request_id) == (400, "100", "r")
    assert (error.body_excerpt, error.retry_after) == ("b", 3.0)
    bare = ApiError("no")
    assert (bare.status, bare.code, bare.request_id) == (0, None, None)
    assert (bare.body_excerpt, bare.retry_after) == ("", None)


def test_defaults_of_what_texts_were_refused_for():
    long, odd = errors.ContentTooLong(""), errors.UnencodableText("")
    assert (long.field, long.size_bytes, long.limit_bytes) == ("content", 0, 0)
    assert (odd.field, odd.character, odd.position, odd.suggestion) == ("content", "", 0, None)
    assert errors.InvalidTemplate("").position == 0
    assert errors.MissingField("").name == ""


def test_an_error_that_is_kept_lets_go_of_its_frames():
    def fail():
        try:
            return {}["name"]
        except KeyError as cause:
            raise BadRequest("no") from cause

    with pytest.raises(BadRequest) as caught:
        fail()
    kept = caught.value
    assert kept.__traceback__ is not None
    assert errors.without_traceback(kept) is kept
    assert kept.__traceback__ is kept.__context__ is None
    assert isinstance(kept.__cause__, KeyError)
    assert kept.__cause__.__traceback__ is kept.__cause__.__context__ is None
    assert errors.without_traceback(SensError("")).__cause__ is None


def group():
    return BulkFailed(
        "3 of 9",
        [BadRequest("no", status=400), ConnectionLost("gone", may_have_been_sent=True)],
        counts=[2, 1],
    )


def test_a_group_counts_and_sums_up():
    assert group().counts == (2, 1)
    assert group().may_have_been_sent
    assert not group().is_retryable
    assert group().outcome is None
    assert BulkFailed("", [BadRequest("a"), BadRequest("b")]).counts == (1, 1)
    assert BulkFailed("", [RunStopped("a")]).is_retryable


@twins
def test_a_group_survives_with_its_counts(twin):
    again = twin(group())
    assert type(again) is BulkFailed
    assert again.counts == (2, 1)
    assert [type(error) for error in again.exceptions] == [BadRequest, ConnectionLost]
    assert again.exceptions[0].status == 400
    assert again.may_have_been_sent
    assert "3 of 9" in str(again)


def test_a_group_keeps_counts_when_it_is_split():
    lost, rest = group().split(TransportError)
    assert (type(lost), lost.counts, lost.may_have_been_sent) == (BulkFailed, (1,), True)
    assert (type(rest), rest.counts, rest.may_have_been_sent) == (BulkFailed, (2,), False)


def test_a_group_is_caught_as_any_error_of_ours():
    with pytest.raises(SensError):
        raise group()


def test_one_positional_message_is_enough_for_other_peoples_subclasses():
    class Mine(BadRequest):
        pass

    assert Mine("no", status=400).status == 400
