"""Settings are checked when they are built; secrets never leave their object."""

import copy
import math
import pickle

import attrs
import pytest

from sens_async import (
    ConfigError,
    Credentials,
    RateLimit,
    RetryPolicy,
    SensSession,
    Settings,
    Timeouts,
)
from sens_async.config import PUBLIC_URL, Environment
from sens_async.core.content import Charset, TooLong, Unencodable
from sens_async.core.message import Rules

ACCESS_KEY, SECRET_KEY = "EXAMPLEACCESSKEY0001", "example-secret-key-0001"
ENVIRON = {
    "SENS_ACCESS_KEY": ACCESS_KEY,
    "SENS_SECRET_KEY": SECRET_KEY,
    "SENS_SERVICE_ID": "ncp:sms:kr:1:demo",
}


def test_defaults():
    settings = Settings()
    assert settings.base_url is None
    assert settings.url == PUBLIC_URL == "https://sens.apigw.ntruss.com"
    assert settings.rate_limit == RateLimit(requests=100, recipients=None, per=1.0)
    assert settings.max_in_flight == 32
    assert settings.linger == 0.0
    assert settings.timeouts == Timeouts(connect=5.0, total=30.0)
    assert settings.retry == RetryPolicy()
    assert settings.rules == Rules()
    assert settings.check_ad_label
    assert not settings.night_consent
    assert not settings.allow_insecure


def test_settings_are_given_by_name_and_do_not_change():
    with pytest.raises(TypeError):
        Settings("https://host")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().max_in_flight = 5


def test_plain_strings_are_taken_for_choices():
    settings = Settings(charset="ks_x_1001", unencodable="replace", on_too_long="truncate")
    assert settings.charset is Charset.KS_X_1001
    assert settings.unencodable is Unencodable.REPLACE
    assert settings.on_too_long is TooLong.TRUNCATE


def test_rules_are_the_settings_that_concern_texts():
    settings = Settings(
        charset="ks_x_1001",
        unencodable="drop",
        on_too_long="truncate",
        check_ad_label=False,
        night_consent=True,
    )
    assert settings.rules == Rules(
        charset=Charset.KS_X_1001,
        unencodable=Unencodable.DROP,
        on_too_long=TooLong.TRUNCATE,
        check_ad_label=False,
        night_consent=True,
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("rate_limit", 100, "RateLimit or None, got 100"),
        ("rate_limit", "fast", "RateLimit or None, got 'fast'"),
        ("timeouts", 5, "Timeouts, got 5"),
        ("timeouts", None, "Timeouts, got None"),
        ("retry", None, "RetryPolicy, got None"),
        ("retry", 3, "RetryPolicy, got 3"),
        ("max_in_flight", 0, "1 or more, got 0"),
        ("max_in_flight", -1, "1 or more, got -1"),
        ("max_in_flight", 1.5, "1 or more, got 1.5"),
        ("max_in_flight", "32", "1 or more, got '32'"),
        ("max_in_flight", True, "1 or more, got True"),
        ("linger", -1, "got -1"),
        ("linger", math.inf, "got inf"),
        ("linger", math.nan, "got nan"),
        ("linger", "0", "got '0'"),
        ("linger", None, "got None"),
        ("linger", True, "got True"),
        ("charset", "utf-8", "'cp949', 'ks_x_1001', got 'utf-8'"),
        ("charset", None, "'cp949', 'ks_x_1001', got None"),
        ("unencodable", "ignore", "'refuse', 'replace', 'drop', got 'ignore'"),
        ("unencodable", 5, "'refuse', 'replace', 'drop', got 5"),
        ("on_too_long", "cut", "'refuse', 'truncate', got 'cut'"),
        ("check_ad_label", "no", "True or False, got 'no'"),
        ("check_ad_label", None, "True or False, got None"),
        ("night_consent", "no", "True or False, got 'no'"),
        ("night_consent", 1, "True or False, got 1"),
        ("allow_insecure", "false", "True or False, got 'false'"),
    ],
)
def test_a_bad_setting_is_named_with_its_value_and_what_is_allowed(name, value, says):
    with pytest.raises(ConfigError, match=f"^{name} .*{says}$"):
        Settings(**{name: value})


def test_no_rate_limit_is_allowed():
    assert Settings(rate_limit=None).rate_limit is None


@pytest.mark.parametrize("name", ["connect", "total"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "5", None, True])
def test_a_bad_timeout_is_named_with_its_value(name, value):
    with pytest.raises(ConfigError, match=rf"timeouts\.{name} must be .*, got {value!r}"):
        Timeouts(**{name: value})


@pytest.mark.parametrize(("connect", "total"), [(30.0, 30.0), (31.0, 30.0), (5, 1)])
def test_connecting_takes_less_than_everything(connect, total):
    with pytest.raises(
        ConfigError,
        match=rf"timeouts\.connect \({connect}\) must be below timeouts\.total \({total}\)",
    ):
        Timeouts(connect=connect, total=total)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://sens.apigw.gov-ntruss.com", "https://sens.apigw.gov-ntruss.com"),
        ("https://host/", "https://host"),
        ("https://host:8443", "https://host:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1/", "http://localhost:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_base_urls_that_are_fine(given, url):
    assert Settings(base_url=given).url == url


@pytest.mark.parametrize(
    "given",
    [
        "http://sens.apigw.ntruss.com",
        "http://192.168.0.5:8080",
        "http://0.0.0.0",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://[::2]",
    ],
)
def test_plain_http_is_for_loopback_unless_it_was_asked_for(given):
    with pytest.raises(
        ConfigError, match=r"base_url http://.* is not encrypted; use https .*loopback"
    ):
        Settings(base_url=given)
    assert Settings(base_url=given, allow_insecure=True).url == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "host",
        "//host",
        "/path",
        "ftp://host",
        "wss://host",
        "https://",
        "https://host/path",
        "https://host//",
        "https://host/sms/v2",
        "https://host?a=1",
        "https://host#part",
        "https://host?",
        "https://host#",
        "https://host/?",
        "https://host:0",
        "https://host:99999",
        "https://host:port",
        " https://host",
        "https://host ",
        "https://host\n",
        "https://ho st",
        "https://host\r\nX-Injected: 1",
        5,
        b"https://host",
    ],
)
@pytest.mark.parametrize("allow_insecure", [False, True])
def test_base_urls_that_are_none(given, allow_insecure):
    with pytest.raises(ConfigError, match=r"^base_url "):
        Settings(base_url=given, allow_insecure=allow_insecure)


@pytest.mark.parametrize(
    "given", ["https://user:hunter2@host", "https://user@host", "http://a:hunter2@127.0.0.1"]
)
def test_a_password_in_a_base_url_is_refused_and_not_shown(given):
    with pytest.raises(ConfigError, match="no user") as caught:
        Settings(base_url=given)
    assert "hunter2" not in str(caught.value)


def test_settings_survive_pickle():
    settings = Settings(base_url="https://host", retry=RetryPolicy(max_attempts=2))
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("name", ["access_key", "secret_key"])
@pytest.mark.parametrize(
    "value",
    ["", None, 5, b"bytes", "with space", "line\nbreak", "tab\t", "비밀", "nul\x00", "del\x7f"],
)
def test_a_key_that_no_header_can_hold_is_refused_by_name_and_not_shown(name, value):
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, name: value}
    with pytest.raises(ConfigError, match=f"^{name} ") as caught:
        Credentials(**keys)
    assert not value or str(value) not in str(caught.value)


def test_credentials_may_be_positional():
    credentials = Credentials(ACCESS_KEY, SECRET_KEY)
    assert (credentials.access_key, credentials.secret_key) == (ACCESS_KEY, SECRET_KEY)


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{!r:>80}".format, lambda c: repr([c]), lambda c: repr({"c": c})],
)
def test_no_key_is_ever_shown(show):
    shown = show(Credentials(ACCESS_KEY, SECRET_KEY))
    assert ACCESS_KEY not in shown
    assert SECRET_KEY not in shown


def test_credentials_do_not_travel_in_pickles():
    with pytest.raises(TypeError, match=r"credentials are not pickled; .*environment"):
        pickle.dumps(Credentials(ACCESS_KEY, SECRET_KEY))
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy({"keys": Credentials(ACCESS_KEY, SECRET_KEY)})


def test_credentials_are_equal_by_both_keys():
    one = Credentials(ACCESS_KEY, SECRET_KEY)
    assert one == Credentials(ACCESS_KEY, SECRET_KEY)
    assert hash(one) == hash(Credentials(ACCESS_KEY, SECRET_KEY))
    assert one != Credentials(ACCESS_KEY, SECRET_KEY + "x")
    assert one != Credentials(ACCESS_KEY + "x", SECRET_KEY)
    assert one != (ACCESS_KEY, SECRET_KEY)


def test_environment():
    found = Environment.read(
        {**ENVIRON, "SENS_SENDER": "0212345678", "SENS_BASE_URL": "http://[::1]"}
    )
    assert found.credentials == Credentials(ACCESS_KEY, SECRET_KEY)
    assert found.service_id == "ncp:sms:kr:1:demo"
    assert found.sender == "0212345678"
    assert found.base_url == "http://[::1]"
    assert SECRET_KEY not in repr(found)
    assert ACCESS_KEY not in repr(found)


def test_what_is_optional_in_the_environment():
    found = Environment.read(ENVIRON)
    assert (found.sender, found.base_url) == (None, None)


@pytest.mark.parametrize("name", ["ACCESS_KEY", "SECRET_KEY"])
def test_ncloud_keys_stand_in_for_missing_or_empty_ones(name):
    for absent in ({}, {f"SENS_{name}": ""}):
        environ = {k: v for k, v in ENVIRON.items() if k != f"SENS_{name}"}
        found = Environment.read({**environ, **absent, f"NCLOUD_{name}": "other-key"})
        assert getattr(found.credentials, name.lower()) == "other-key"
    both = Environment.read({**ENVIRON, f"NCLOUD_{name}": "other-key"})
    assert getattr(both.credentials, name.lower()) == ENVIRON[f"SENS_{name}"]


@pytest.mark.parametrize("empty", [{}, dict.fromkeys(ENVIRON, "")])
def test_all_that_is_missing_is_named_at_once(empty):
    with pytest.raises(
        ConfigError,
        match=(
            r"missing in the environment: SENS_ACCESS_KEY \(or NCLOUD_ACCESS_KEY\), "
            r"SENS_SECRET_KEY \(or NCLOUD_SECRET_KEY\), SENS_SERVICE_ID$"
        ),
    ):
        Environment.read(empty)


@pytest.mark.parametrize("name", ENVIRON)
def test_one_that_is_missing_is_named_alone(name):
    with pytest.raises(ConfigError) as caught:
        Environment.read({k: v for k, v in ENVIRON.items() if k != name})
    assert [other for other in ENVIRON if other in str(caught.value)] == [name]


def test_a_given_service_id_stands_in_for_the_variable():
    environ = {k: v for k, v in ENVIRON.items() if k != "SENS_SERVICE_ID"}
    assert Environment.read(environ, service_id="svc").service_id == "svc"
    assert Environment.read(ENVIRON, service_id="svc").service_id == "svc"


def test_what_is_in_flight_may_follow_from_the_rate_limit():
    assert Settings(max_in_flight=None).slots.size == 32
    assert Settings(max_in_flight=7).slots == 7


def test_without_a_rate_limit_nothing_follows_from_it():
    with pytest.raises(ConfigError, match="follows from rate_limit, which is None"):
        Settings(max_in_flight=None, rate_limit=None)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("public", "https://sens.apigw.ntruss.com"),
        ("gov", "https://sens.apigw.gov-ntruss.com"),
        ("fin", "https://sens.apigw.fin-ntruss.com"),
    ],
)
def test_a_zone_is_named(name, url):
    assert Settings(base_url=name).url == url


@pytest.mark.parametrize("name", ["GOV", "gov/", "private", "", "public "])
def test_a_zone_that_there_is_not_is_refused_with_those_there_are(name):
    with pytest.raises(ConfigError, match="'public', 'gov' or 'fin'"):
        Settings(base_url=name)


def test_the_environment_names_a_zone(monkeypatch):
    for name in ("ACCESS_KEY", "SECRET_KEY", "SERVICE_ID"):
        monkeypatch.setenv(f"SENS_{name}", "value")
    monkeypatch.setenv("SENS_BASE_URL", "gov")
    sens = SensSession.from_env()
    assert sens.settings.url == "https://sens.apigw.gov-ntruss.com"
