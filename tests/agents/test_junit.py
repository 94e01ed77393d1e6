from pathlib import Path

import pytest

from stretto.agents import junit
from stretto.agents.junit import Counts, Unreadable, read_junit

RESULT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="1.5">
<testcase classname="tests.test_a" name="test_good" time="0.1"/>
<testcase classname="tests.test_a" name="test_bad">
<failure message="assert 1 == 2">E  assert 1 == 2 &lt;here&gt;</failure>
</testcase>
<testcase classname="tests.test_a" name="test_broken"><error message="boom">trace</error></testcase>
<testcase classname="tests.test_a" name="test_off"><skipped message="no"/></testcase>
</testsuite></testsuites>"""

LAUGHS = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><testsuites>&b;</testsuites>"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "junit.xml"
    path.write_text(text, "utf-8")
    return path


def test_counts_and_the_first_failures_are_read(tmp_path: Path) -> None:
    counts = read_junit(written(tmp_path, RESULT))

    assert counts[:5] == (4, 1, 1, 1, 1.5)
    assert counts.first_failures == (
        "tests.test_a::test_bad: assert 1 == 2\nE  assert 1 == 2 <here>",
        "tests.test_a::test_broken: boom\ntrace",
    )


def test_attributes_that_lie_about_the_counts_are_not_believed(tmp_path: Path) -> None:
    lie = '<testsuites><testsuite tests="99" failures="0" time="soon"></testsuite></testsuites>'

    assert read_junit(written(tmp_path, lie)) == Counts(0, 0, 0, 0, 0.0)


def test_long_failures_are_shortened_from_the_middle(tmp_path: Path) -> None:
    text = RESULT.replace("E  assert", "begin" + "x" * 10_000 + "end E  assert")

    failure = read_junit(written(tmp_path, text)).first_failures[0]

    assert len(failure) < 2_100
    assert failure.startswith("tests.test_a::test_bad")
    assert failure.endswith("<here>")


@pytest.mark.parametrize("text", [LAUGHS, "", "<testsuites>", "no xml", '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'])
def test_what_no_test_runner_writes_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable):
        read_junit(written(tmp_path, text))


def test_a_missing_or_huge_result_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreadable, match="no result"):
        read_junit(tmp_path / "missing.xml")
    monkeypatch.setattr(junit, "MOST_BYTES", 10)
    with pytest.raises(Unreadable, match="larger"):
        read_junit(written(tmp_path, RESULT))
