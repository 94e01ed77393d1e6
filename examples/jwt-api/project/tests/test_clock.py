from datetime import UTC, datetime, timedelta, timezone

from notes_api.clock import stamp, utc_now


def test_a_stamp_is_in_utc_and_whole_seconds():
    there = timezone(timedelta(hours=2))

    assert stamp(datetime(2025, 3, 1, 11, 0, 0, 999999, tzinfo=there)) == "2025-03-01T09:00:00Z"


def test_the_clock_shows_utc():
    assert utc_now().tzinfo is UTC
