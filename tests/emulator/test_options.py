import pytest

from sens_async.emulator import EmulatorOptions


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("foreign_service", "500"),
        ("foreign_service", 403),
        ("unregistered_sender", "ignore"),
        ("error_shape", "other"),
        ("too_long", "accept"),
        ("file_lifetime", 0),
        ("signature_window", -1),
        ("rate", 0),
        ("quota", -1),
        ("max_body_bytes", 0),
        ("latency", -0.1),
    ],
)
def test_an_option_out_of_its_range_is_refused_by_name(option, value):
    with pytest.raises(ValueError, match=option):
        EmulatorOptions(**{option: value})


def test_one_number_is_no_collection_of_senders():
    with pytest.raises(TypeError, match="senders is one string"):
        EmulatorOptions(senders="0200000000")
