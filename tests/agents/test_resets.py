from datetime import UTC, datetime

import pytest

from stretto.agents.resets import reset_in, seconds_of

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Claude AI usage limit reached|1763913600", datetime(2025, 11, 23, 16, 0, tzinfo=UTC)),
        ("You've hit your limit · resets 3pm (UTC)", datetime(2026, 11, 23, 15, 0, tzinfo=UTC)),
        ("5-hour limit reached ∙ resets 2am", datetime(2026, 11, 24, 2, 0, tzinfo=UTC)),
        ("resets 12am (Etc/UTC)", datetime(2026, 11, 24, 0, 0, tzinfo=UTC)),
        ("You've hit your limit · resets 9:15pm (Asia/Dhaka)", datetime(2026, 11, 23, 15, 15, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_limit_is_read_from_what_a_client_says(text: str, at: datetime) -> None:
    assert reset_in(text, NOW) == at


@pytest.mark.parametrize("text", ["Overloaded", "resets 25pm", "resets 3pm (No/Where)", "resets soon", "resets 3:99am"])
def test_where_no_moment_is_named_none_is_made_up(text: str) -> None:
    assert reset_in(text, NOW) is None


def test_moments_come_in_seconds_and_in_milliseconds() -> None:
    assert seconds_of(1_763_913_600_000) == seconds_of(1_763_913_600) == 1_763_913_600
