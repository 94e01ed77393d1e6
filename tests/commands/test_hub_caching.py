"""What agents did is used again, and nothing else is: through the doors, with a real project and real programs."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from stretto.state.digest import sha256
from tests.commands.door import Project
from tests.commands.host import PLAN as HOST_PLAN
from tests.commands.host import Host, orders_of, task, wrote

WHERE = "specs/plans/001_arithmetic.md"
PLAN = """# Arithmetic Implementation Plan

## Overview

Multiply and subtract.

## Implementation Phases

### Phase 1: Operations

Tasks:
- [ ] **T1** Multiply
  - Writes: `src/calc/mul.py`
  - Reads: `src/calc/__init__.py`
- [ ] **T2** Subtract
  - Writes: `src/calc/sub.py`
"""
SHARED = {"cache_level": "workflow_patterns", "invalidation_strategy": "smart", "cache_sharing": "team_wide"}


@pytest.fixture
def shop(project: Project) -> Project:
    project.commit({WHERE: PLAN})
    project.agent({})
    return project


def enable(project: Project, **body: Any) -> Any:
    ran = project.run("coordination-hub", "enable-caching", json.dumps({**SHARED, **body}), "--json")
    assert ran.code == 0, ran.out
    return ran.json


def implement(project: Project, name: str, *more: str) -> list[str]:
    """Implement the plan and leave it on its branch; the tasks that an agent was asked to do."""
    before = len(project.briefs())
    ran = project.work("implement", WHERE, "--workflow-id", name, "--merge=never", "--debug-rounds=0", *more)
    assert ran.code == 0, ran.err
    return sorted(brief["task_id"] for brief in project.briefs()[before:])


def reused(project: Project, name: str) -> list[str]:
    return sorted(e.data["task_id"] for e in project.events(name) if e.type == "TASK_REUSED")


def entries(project: Project) -> list[Path]:
    return sorted((project.root / ".stretto" / "cache").glob("??/*.json"))


def entry_of(project: Project, path: str) -> Path:
    """The entry whose agent left this file."""
    return next(e for e in entries(project) if path in [f["path"] for f in json.loads(e.read_text())["entry"]["files"]])


BOTH = ["implementation/T1", "implementation/T2"]


def test_a_second_run_of_the_same_tasks_asks_no_agent(shop: Project) -> None:
    said = enable(shop)
    first, second = implement(shop, "one_001"), implement(shop, "two_001")

    assert (first, second) == (BOTH, [])
    assert (reused(shop, "one_001"), reused(shop, "two_001")) == ([], BOTH)
    done = [e for e in shop.events("two_001") if e.type == "TASK_COMPLETED" and e.data["task_id"] in BOTH]
    assert [e.data["results"]["usage"] for e in done] == [{"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}] * 2
    one, two = (shop.git("rev-parse", f"stretto/{name}:src") for name in ("one_001", "two_001"))
    assert one == two
    assert Path(said["result"]["folder"]) == shop.root / ".stretto" / "cache"
    assert len(entries(shop)) == 2


def test_what_the_agent_had_used_is_told_as_saved(shop: Project) -> None:
    usage = {"input_tokens": 700, "output_tokens": 70, "cost_usd": 0.5}
    shop.agent({"T1": {"outcome": {"usage": usage}}})
    enable(shop)
    implement(shop, "one_001")
    implement(shop, "two_001")

    told = {e.data["task_id"]: e.data["saved"] for e in shop.events("two_001") if e.type == "TASK_REUSED"}

    assert told["implementation/T1"] == usage


def test_every_changed_input_misses(shop: Project) -> None:
    enable(shop)
    implement(shop, "one_001")

    shop.commit({WHERE: PLAN.replace("Multiply\n  ", "Multiply two numbers\n  ")})
    assert implement(shop, "told_001") == BOTH, "what is told to one; the other may read the plan"
    shop.commit({"README.md": "# calculator\n"})
    assert implement(shop, "unread_001") == ["implementation/T2"], "T1 says what it reads; T2 does not"
    shop.commit({"src/calc/__init__.py": "def add(a, b):\n    return b + a\n"})
    assert implement(shop, "read_001") == BOTH
    shop.agent({"T1": {"outcome": {"summary": "another agent"}}})
    assert implement(shop, "runner_001") == BOTH


def test_strict_is_void_with_any_file_and_time_based_after_a_time(shop: Project) -> None:
    enable(shop, invalidation_strategy="strict")
    implement(shop, "one_001")
    assert implement(shop, "same_001") == []
    shop.commit({"README.md": "# calculator\n"})
    assert implement(shop, "strict_001") == BOTH

    enable(shop, invalidation_strategy="time_based", max_age="1h")
    assert implement(shop, "narrow_001") == ["implementation/T1"], "for T1 fewer files count now, and none was kept so"
    assert implement(shop, "young_001") == []
    enable(shop, invalidation_strategy="time_based", max_age="1s")
    time.sleep(1.2)
    assert implement(shop, "old_001") == BOTH


def test_findings_are_those_of_agents_that_change_no_files(shop: Project) -> None:
    enable(shop, cache_level="findings")
    assert implement(shop, "one_001") == implement(shop, "two_001") == BOTH
    for name in ("report_001", "report_002"):
        assert shop.work("report", "How adding works", "--workflow-id", name, "--merge=never").code == 0

    assert reused(shop, "report_002") == ["research/topic"]
    one, two = (shop.git("rev-parse", f"stretto/{name}:specs/reports") for name in ("report_001", "report_002"))
    assert one == two


def test_local_outcomes_lie_in_the_store(shop: Project) -> None:
    said = enable(shop, cache_sharing="local")
    implement(shop, "one_001")

    assert implement(shop, "two_001") == []
    assert said["result"]["folder"].startswith(str(shop.store))
    assert entries(shop) == []
    assert ".stretto/cache" not in shop.git("status", "--porcelain", "-uall")


def test_git_carries_a_teams_folder_to_the_next(shop: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enable(shop)
    implement(shop, "one_001")
    shop.commit({}, "Share what agents did")
    subprocess.run(["git", "clone", "-q", shop.root, tmp_path / "other" / "calc"], check=True)
    other = Project(tmp_path / "other" / "calc")
    for name, value in (("user.name", "Grace"), ("user.email", "grace@example.org")):
        other.git("config", name, value)
    monkeypatch.chdir(other.root)
    words = ("implement", WHERE, "--merge=never", "--debug-rounds=0", "--runner", shop.runner)
    before = len(shop.briefs())

    assert other.run(*words, "--workflow-id", "off_001").code == 0
    assert len(shop.briefs()) == before + 2, "a folder that somebody brings is used by nobody who did not ask for it"
    enable(other)
    assert other.run(*words, "--workflow-id", "on_001").code == 0

    assert reused(other, "on_001") == BOTH
    assert len(shop.briefs()) == before + 2


def test_a_named_folder_is_shared_and_must_be_there(shop: Project, tmp_path: Path) -> None:
    place = tmp_path / "team"
    missing = shop.run("coordination-hub", "enable-caching", json.dumps({**SHARED, "path": str(place)}))
    place.mkdir()
    enable(shop, path=str(place))
    implement(shop, "one_001")

    assert missing.code == 2
    assert len([*place.glob("??/*.json")]) == 2
    assert implement(shop, "two_001") == []


def _edit(entry: Path, change: dict[str, Any], *, honest: bool) -> None:
    """Change a file of an entry; an honest one has the digest of what it holds."""
    held = json.loads(entry.read_text())
    held["entry"]["files"][0].update(change)
    if honest:
        body = json.dumps([1, held["key"], held["entry"]], sort_keys=True, separators=(",", ":"))
        held["digest"] = sha256(body.encode()).hexdigest()
    entry.write_text(json.dumps(held))


@pytest.mark.parametrize(
    ("change", "honest", "why"),
    [
        ({"content": "ZXZpbAo="}, False, "digest"),
        ({"path": "../../evil.py"}, True, "path inside the project"),
        ({"path": ".git/hooks/post-checkout"}, True, "path inside the project"),
        ({"path": "src/calc/evil.py"}, True, "not declared"),
        ({"content": "not base64!"}, True, "base64"),
        ({"mode": "120000"}, True, "format"),
    ],
)
def test_an_entry_that_was_tampered_with_is_a_miss_that_says_so(
    shop: Project, change: dict[str, Any], honest: bool, why: str
) -> None:
    enable(shop)
    implement(shop, "one_001")
    _edit(entry_of(shop, "src/calc/mul.py"), change, honest=honest)

    asked = implement(shop, "two_001")

    (refused,) = [e for e in shop.events("two_001") if e.type == "CACHE_REFUSED"]
    assert why in refused.data["reason"]
    assert (asked, reused(shop, "two_001")) == (["implementation/T1"], ["implementation/T2"])
    assert shop.git("show", "stretto/two_001:src/calc/mul.py").startswith("def mul")
    assert "evil" not in shop.git("ls-tree", "-r", "--name-only", "stretto/two_001")


def test_a_link_in_the_place_of_the_folder_is_not_followed(shop: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (shop.root / ".stretto").mkdir(exist_ok=True)
    (shop.root / ".stretto" / "cache").symlink_to(tmp_path / "elsewhere")
    enable(shop)

    implement(shop, "one_001")

    assert [*(tmp_path / "elsewhere").iterdir()] == []
    assert "leads out" in next(e.data["reason"] for e in shop.events() if e.type == "CACHE_REFUSED")


def test_a_hit_that_fails_the_checks_of_the_task_counts_for_nothing(shop: Project, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.touch()
    shop.commit({WHERE: PLAN.replace("`src/calc/sub.py`", f"`src/calc/sub.py`\n  - Check: `test -e {allowed}`")})
    enable(shop)
    assert implement(shop, "one_001") == BOTH
    allowed.unlink()

    ran = shop.work("implement", WHERE, "--workflow-id=two_001", "--merge=never", "--debug-rounds=0", "--attempts=1")

    assert ran.code == 1
    assert reused(shop, "two_001") == ["implementation/T1"]
    assert [b["task_id"] for b in shop.briefs()][2:] == ["implementation/T2"], "the agent was asked in the same attempt"


def test_it_is_turned_off_again_and_status_shows_it(shop: Project) -> None:
    assert enable(shop)["result"]["version"] == 1
    assert enable(shop)["events"] == []
    implement(shop, "one_001")
    shown = shop.run("workflow-status", "--detailed", "--json").json["result"]["settings"]["caching"]
    off = shop.run("coordination-hub", "enable-caching", '{"enabled": false}', "--json").json

    assert (shown["version"], shown["value"]["cache_sharing"]) == (1, "team_wide")
    assert (off["result"]["version"], off["result"]["value"]["enabled"]) == (2, False)
    assert implement(shop, "two_001") == BOTH
    assert len(entries(shop)) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cache_level": "all"}, "cache_level"),
        ({"invalidation_strategy": "never"}, "invalidation_strategy"),
        ({"cache_sharing": "world"}, "cache_sharing"),
        ({"cache_sharing": "local", "path": "cache"}, "path"),
        ({"path": "../cache"}, "path"),
        ({"path": ".git/cache"}, "path"),
        ({"path": ".stretto/state/cache"}, "path"),
        ({"max_age": "1h"}, "max_age"),
        ({"enabled": False}, "enabled"),
        ({"enabled": "no"}, "enabled"),
        ({"ttl": 3}, "ttl"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    project: Project, body: dict[str, Any], field: str
) -> None:
    ran = project.run("coordination-hub", "enable-caching", json.dumps({**SHARED, **body}), "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)
    assert not project.store.exists()


def test_inside_an_assistant_no_order_is_handed_out_for_what_was_done_before(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.agent(wrote("T1", "T2"))
    host = Host(project, monkeypatch)
    enable(project)
    first = host.finish(host.implement(task("T1"), task("T2"), flags=("--merge=never",)))

    second = host.drive("implement", HOST_PLAN, "--workflow-id=again_002", "--merge=never")

    assert (first.code, second.code) == (0, 0), second.out
    assert second.json["result"]["status"] == "completed"
    assert orders_of(second) == []
    assert reused(project, "again_002") == BOTH
    assert host.standing() == {}
