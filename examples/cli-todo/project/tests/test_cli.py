import pytest

from todo.cli import main


@pytest.fixture
def todo(tmp_path, capsys):
    """Runs one command and returns its exit code and what it printed."""

    def run(*words):
        code = main(["--file", str(tmp_path / "todo.json"), *words])
        return code, capsys.readouterr().out

    return run


def test_an_added_item_is_shown_and_listed(todo):
    assert todo("add", "Buy  milk") == (0, "1 Buy milk\n")
    assert todo("list") == (0, "1 Buy milk\n")


def test_a_finished_item_is_listed_only_on_demand(todo):
    todo("add", "Milk")
    todo("add", "Bread")

    assert todo("done", "1") == (0, "")
    assert todo("list") == (0, "2 Bread\n")
    assert todo("list", "--all") == (0, "1 Milk (done)\n2 Bread\n")


def test_a_removed_item_is_gone(todo):
    todo("add", "Milk")

    assert todo("remove", "1") == (0, "")
    assert todo("list", "--all") == (0, "")


@pytest.mark.parametrize("command", ["done", "remove"])
def test_a_number_that_is_not_there_is_bad_input(todo, command):
    assert todo(command, "7") == (2, "")


@pytest.mark.parametrize("words", [["add", "  "], ["done", "one"], [], ["unknown"]])
def test_words_that_make_no_command_are_bad_input(todo, words):
    with pytest.raises(SystemExit) as stop:
        todo(*words)

    assert stop.value.code == 2


def test_the_file_can_be_named_by_a_variable(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TODO_FILE", str(tmp_path / "other.json"))

    main(["add", "Milk"])

    assert (tmp_path / "other.json").exists()
    assert capsys.readouterr().out == "1 Milk\n"
