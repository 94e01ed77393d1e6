import pytest

from durations import minutes, written


def test_hours_and_minutes_are_read():
    assert minutes("1h30m") == 90
    assert minutes("45m") == 45


def test_what_is_no_duration_is_refused():
    with pytest.raises(ValueError, match="not a duration"):
        minutes("soon")


def test_hours_and_minutes_are_written():
    assert written(90) == "1h30m"
