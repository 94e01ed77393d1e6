from pathlib import Path

import pytest

from stretto.state import settings
from stretto.state.errors import BadInput
from stretto.state.log import Log


def write(project: Path, text: str) -> None:
    (project / ".stretto").mkdir()
    (project / ".stretto" / "config.toml").write_text(text, encoding="utf-8")


def test_a_project_without_settings_has_the_defaults(tmp_path: Path) -> None:
    assert settings.load(tmp_path) == settings.Settings("", "", 4, "auto", "power")
    assert list(tmp_path.iterdir()) == []


def test_each_key_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        'test = "make test"\nrunner = "command:./agent"\nagents = 64\nmerge = "ask"\ndurability = "process"\n'
        'environment = ["DATABASE_URL"]\nstrict = true\n',
    )

    expected = settings.Settings("make test", "command:./agent", 64, "ask", "process", ("DATABASE_URL",), strict=True)
    assert settings.load(tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("agent = 3", "agent"),
        ("agents = 0", "agents"),
        ("agents = 65", "agents"),
        ("agents = true", "agents"),
        ('agents = "3"', "agents"),
        ('merge = "always"', "merge"),
        ("merge = []", "merge"),
        ('durability = "none"', "durability"),
        ("test = 1", "test"),
        ('strict = "yes"', "strict"),
        ("strict = 1", "strict"),
        ('environment = "HOME"', "environment"),
        ('environment = ["A=B"]', "environment"),
        ("[runner]\nkind = 1", "runner"),
        ("agents = ", "config.toml"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(tmp_path: Path, text: str, field: str) -> None:
    write(tmp_path, text)

    with pytest.raises(BadInput) as refused:
        settings.load(tmp_path)

    assert refused.value.field == field
    assert refused.value.allowed or field == "config.toml"


def test_settings_that_are_not_text_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / ".stretto" / "config.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(BadInput, match="cannot be read"):
        settings.load(tmp_path)


def test_a_strict_project_has_a_strict_log_and_no_other_has(tmp_path: Path) -> None:
    write(tmp_path, "strict = true")

    with Log.open(tmp_path / ".stretto" / "state", durability="process") as log, log.write() as tx:
        with pytest.raises(BadInput, match="strict"):
            tx.event("OUR_OWN", "shop_001", "plan", {})
        with pytest.raises(BadInput, match="failure_reason"):
            tx.event("PHASE_FAILED", "shop_001", "plan", {})
        tx.event("PHASE_COMPLETED", "shop_001", "plan", {})
    for elsewhere in (tmp_path / "store", tmp_path / "other" / ".stretto" / "state"):
        with Log.open(elsewhere, durability="process") as log, log.write() as tx:
            assert tx.event("OUR_OWN", "shop_001", "plan", {})


@pytest.mark.parametrize("text", ["strict = 1", "strict = "])
def test_a_log_is_not_opened_for_writing_by_settings_that_are_wrong(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)

    with pytest.raises(BadInput):
        Log.open(tmp_path / ".stretto" / "state")

    assert not (tmp_path / ".stretto" / "state").exists()
