"""Fields of a JSON argument: one of some words."""

import pytest

from stretto.commands.fields import choice
from stretto.state.errors import BadInput


@pytest.mark.parametrize("word", ["off", "disabled", "none", "manual"])
def test_what_can_be_turned_off_is_turned_off_by_any_word_for_it(word: str) -> None:
    assert choice(word, "learning", ("continuous", "off")) == "off"
    assert choice(word, "detection", ("automatic", "manual")) == "manual"


@pytest.mark.parametrize(("word", "allowed"), [("off", ("automatic",)), ("off", ("manual", "none")), ("of", ("off",))])
def test_a_word_that_means_nothing_here_or_more_than_one_thing_is_refused(word: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(BadInput, match="is not possible"):
        choice(word, "detection", allowed)


def test_a_word_that_is_known_means_itself() -> None:
    assert choice("none", "checkpoints", ("manual", "none")) == "none"
    with pytest.raises(BadInput):
        choice(["off"], "detection", ("automatic", "off"))
