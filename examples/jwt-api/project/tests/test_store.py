import pytest

from notes_api.store import Note, NoteNotFound, NoteStore

NOW, LATER = "2025-03-01T09:00:00Z", "2025-03-02T09:00:00Z"


@pytest.fixture
def store(tmp_path):
    return NoteStore(tmp_path / "notes.json")


def test_a_new_store_is_empty_and_writes_nothing(store, tmp_path):
    assert store.all() == []
    assert list(tmp_path.iterdir()) == []


def test_a_note_is_kept_with_its_times(store):
    note = store.add("Milk", "Two bottles", NOW)

    assert note == Note(1, "Milk", "Two bottles", created=NOW, updated=NOW)
    assert store.get(1) == note


def test_a_changed_note_keeps_its_id_and_its_creation(store):
    store.add("Milk", "Two bottles", NOW)

    assert store.change(1, "Milk", "Three", LATER) == Note(1, "Milk", "Three", created=NOW, updated=LATER)


def test_notes_survive_a_restart(store, tmp_path):
    store.add("Milk", "Zwei Flaschen für Zoë", NOW)
    store.add("Bread", "One", LATER)

    assert NoteStore(tmp_path / "notes.json").all() == store.all()


def test_an_id_is_never_given_twice(store, tmp_path):
    store.add("Milk", "Two bottles", NOW)
    store.remove(1)

    assert NoteStore(tmp_path / "notes.json").add("Bread", "One", NOW).id == 2


def test_a_note_that_is_not_there_is_said(store):
    for act in (store.get, store.remove, lambda note_id: store.change(note_id, "x", "y", NOW)):
        with pytest.raises(NoteNotFound):
            act(7)
