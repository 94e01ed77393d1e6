import pytest

from stretto.commands.verb_line import LIST, NUMBER, SWITCH, TEXT, Form, Wrong, read

FORM = Form(("workflow", "task"), {"follow": SWITCH, "after": NUMBER, "why": TEXT, "types": LIST}, optional=True)


def test_words_and_flags_are_told_apart_wherever_they_stand() -> None:
    found = read(FORM, ["--after", "7", "shop_001", "--follow", "plan/T1", "--why=it = broken", "--store", "x"])

    told = {"workflow": "shop_001", "task": "plan/T1", "after": 7, "follow": True, "why": "it = broken", "store": "x"}
    assert vars(found) == {**told, "types": [], "project": None}


def test_what_is_missing_is_none_or_false_or_an_empty_list() -> None:
    found = read(FORM, [])

    assert vars(found) == {
        **dict.fromkeys(("workflow", "task", "after", "why", "project", "store")),
        "follow": False,
        "types": [],
    }


def test_a_list_may_be_given_again_and_with_commas() -> None:
    assert read(FORM, ["--types=a, b", "--types", "c"]).types == ["a", "b", "c"]
    assert read(FORM, []).types == []


def test_a_text_that_begins_with_a_dash_is_a_text_when_it_cannot_be_a_flag() -> None:
    assert read(FORM, ["- not a flag"]).workflow == "- not a flag"
    assert read(FORM, ["--", "--follow"]).workflow == "--follow"
    assert read(FORM, ["--why", "- it broke"]).why == "- it broke"
    assert read(FORM, ["--why=--follow"]).why == "--follow"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["a", "b", "c", "d"], "unrecognized arguments: c d"),
        (["--nope"], "unrecognized arguments: --nope"),
        (["-f"], "unrecognized arguments: -f"),
        (["--foll"], "unrecognized arguments: --foll"),
        (["--follow=yes"], "takes no value"),
        (["--after"], "expected one argument"),
        (["--after", "--follow"], "expected one argument"),
        (["--after=x"], "'x' is not a whole number"),
        (["--after=²"], "not a whole number"),
        (["--after=" + 16 * "9"], "not a whole number"),
        (["--why=a", "--why=b"], "--why: it is there twice"),
    ],
)
def test_what_does_not_fit_is_refused_and_says_why(args: list[str], why: str) -> None:
    with pytest.raises(Wrong, match=why):
        read(FORM, args)


def test_words_that_are_needed_are_named() -> None:
    with pytest.raises(Wrong, match="required: workflow, task"):
        read(Form(("workflow", "task")), [])
    with pytest.raises(Wrong, match="required: task"):
        read(Form(("workflow", "task")), ["a"])
