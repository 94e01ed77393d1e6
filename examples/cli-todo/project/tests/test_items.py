import pytest

from todo.items import Item, UnknownItem, added, finished, removed

MILK, BREAD = Item(1, "Milk"), Item(2, "Bread")


def test_the_first_item_has_number_one_and_the_next_is_above_the_highest():
    assert added([], "Milk") == [MILK]
    assert added([BREAD], "Eggs") == [BREAD, Item(3, "Eggs")]


def test_finishing_an_item_leaves_the_others_alone():
    assert finished([MILK, BREAD], 2) == [MILK, Item(2, "Bread", done=True)]


def test_removing_an_item_leaves_the_others_alone():
    assert removed([MILK, BREAD], 1) == [BREAD]


@pytest.mark.parametrize("act", [finished, removed])
def test_an_item_that_is_not_there_is_said(act):
    with pytest.raises(UnknownItem, match="no item 7"):
        act([MILK], 7)


def test_an_item_shows_its_number_its_text_and_whether_it_is_done():
    assert [str(MILK), str(Item(2, "Bread", done=True))] == ["1 Milk", "2 Bread (done)"]
