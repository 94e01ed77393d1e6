import pytest

from todo.items import Item
from todo.storage import BadFile, load, save


def test_without_a_file_there_are_no_items(tmp_path):
    assert load(tmp_path / "todo.json") == []


def test_what_was_saved_is_loaded(tmp_path):
    items = [Item(1, "Call Zoë"), Item(3, "Milk", done=True)]

    save(tmp_path / "todo.json", items)

    assert load(tmp_path / "todo.json") == items
    assert [path.name for path in tmp_path.iterdir()] == ["todo.json"]


def test_a_list_of_version_0_1_is_still_read(tmp_path):
    (tmp_path / "todo.json").write_text('[{"id": 1, "text": "Milk"}]', encoding="utf-8")

    assert load(tmp_path / "todo.json") == [Item(1, "Milk")]


@pytest.mark.parametrize("text", ["", "{", "7", '["x"]', '[{"id": 1}]', '[{"id": 1, "text": "x", "colour": "red"}]'])
def test_a_file_that_holds_something_else_is_refused_and_left_alone(tmp_path, text):
    file = tmp_path / "todo.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(BadFile, match=r"todo\.json holds no list of items"):
        load(file)
    assert file.read_text(encoding="utf-8") == text
