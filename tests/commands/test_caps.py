"""Caps of a workflow, through the door: what stops, what is kept, and how it goes on."""

import json
import shlex
import time
from typing import Any

import pytest

from stretto.state import purse
from stretto.state.log import Log
from tests.commands.door import Project
from tests.commands.host import Host, orders_of, task, wrote
from tests.commands.host import W as HOST

W = "arithmetic_001"
ADD = ("orchestrate", "Add multiplication and subtraction", "--workflow-id", W)
USED = {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.001}
"""What each attempt of the scripted agent says that it used."""


def events(project: Project, kind: str) -> list[dict[str, Any]]:
    with Log.open(project.store) as log:
        return [dict(e.data) for e in log.events(W) if e.type == kind]


def spent(project: Project, workflow: str = W) -> purse.Purse:
    with Log.open(project.store) as log:
        return purse.read(log.database, workflow)


def test_a_planner_that_asks_for_547_agents_stops_at_the_cap(project: Project) -> None:
    tasks = [{"id": f"A{n}", "title": f"Agent {n}", "description": "", "writes": [f"a/{n}.py"]} for n in range(547)]
    phases = [{"name": "All", "objective": "all", "complexity": "High", "tasks": tasks}]
    plan = {"title": "Too much", "overview": "", "phases": phases}
    work = {f"A{n}": {"files": {f"a/{n}.py": "x = 1\n"}} for n in range(547)}
    project.agent({"planner": {"outcome": {"data": plan}}, **work})

    ran = project.work(*ADD, "--max-agents-total=8", "--json")

    assert ran.code == 3
    assert len(project.briefs()) == 8
    assert len(events(project, "TASK_STARTED")) == 8
    result = ran.json["result"]
    assert result["limit"]["name"] == "agents"
    assert "the cap of 8 agents is reached" in result["why"]
    done = len(events(project, "TASK_COMPLETED"))
    assert done == 8  # nobody who was at work was cut off
    assert ran.json["next_steps"][0] == f"stretto orchestrate --resume {W} --max-agents-total 16"
    implemented = sum(b["role"] == "implementer" for b in project.briefs())
    assert len(project.git("ls-tree", "--name-only", f"stretto/{W}:a").split()) == implemented > 0


def test_a_raised_cap_goes_on_where_it_stopped(project: Project) -> None:
    assert project.work(*ADD, "--max-tokens=60").code == 3
    first = len(project.briefs())

    still = project.run("orchestrate", "--resume", W)
    assert (still.code, len(project.briefs())) == (3, first)
    assert "the cap of 60 tokens is reached: 60 tokens used" in still.out
    ran = project.run("orchestrate", "--resume", W, "--max-tokens=10000")

    assert ran.code == 0
    keys = [b["idempotency_key"] for b in project.briefs()]
    assert len(keys) == len(set(keys))
    assert spent(project).spent.agents == len(keys)
    assert spent(project).total.against("tokens") == 15 * len(keys)


@pytest.mark.parametrize(("flag", "name"), [("--max-tokens=40", "tokens"), ("--max-usd=0.0025", "usd")])
def test_agents_side_by_side_overspend_by_one_attempt_at_most(project: Project, flag: str, name: str) -> None:
    ran = project.work(*ADD, flag, "--max-agents=4", "--json")

    assert ran.code == 3
    limit = ran.json["result"]["limit"]
    assert limit["name"] == name
    one = 15 if name == "tokens" else 0.001
    assert limit["cap"] <= limit["spent"] < limit["cap"] + one + 1e-9


def test_what_an_agent_does_not_count_takes_up_all_that_was_set_aside_for_it(project: Project) -> None:
    project.agent({"researcher": {"outcome": {"usage": {}}}})

    ran = project.work(*ADD, "--max-tokens=10000", "--json")

    assert ran.code == 3
    assert len(project.briefs()) == 1
    assert ran.json["result"]["limit"]["spent"] == 10_000
    assert ran.json["result"]["usage"]["input_tokens"] is None


def test_retries_and_debug_rounds_are_counted(project: Project) -> None:
    project.agent({"T1": {"outcome": {"status": "failed"}}})

    ran = project.work(*ADD, "--max-agents-total=8", "--attempts=10", "--json")

    assert ran.code == 3
    assert len(project.briefs()) == 8
    assert sum("T1" in b["task_id"] for b in project.briefs()) > 1


def test_the_time_of_a_workflow_ends_a_program_that_is_at_work(project: Project) -> None:
    project.agent({"planner": {"sleep": 60}})

    ran = project.work(*ADD, "--max-minutes=0.05", "--json")

    assert ran.code == 3
    assert ran.json["result"]["limit"]["name"] == "seconds"
    assert [b["role"] for b in project.briefs()].count("planner") <= 1
    assert all(d["final"] is not True for d in events(project, "TASK_FAILED"))
    again = project.run("orchestrate", "--resume", W, "--max-minutes=0.05", "--json")
    assert again.code == 3


def test_a_cap_in_the_settings_holds_and_a_flag_comes_before_it(project: Project) -> None:
    project.commit({".stretto/config.toml": "max_agents_total = 1\n"})

    assert project.work("report", "Sessions", "--json").code == 0
    assert project.work(*ADD, "--json").json["result"]["limit"]["cap"] == 1
    assert project.work("plan", "Sessions", "--max-agents-total=2").code == 0


def test_a_run_for_another_workflow_is_under_its_caps_too(project: Project) -> None:
    project.work(*ADD, "--max-agents-total=2")
    context = json.dumps({"phase": "more", "workflow_id": W})
    tasks = json.dumps([{"id": "S1", "description": "Look"}])

    ran = project.work("subagents", context, tasks, "--workflow-id=child_001", "--json")

    assert ran.code == 3
    assert ran.json["result"]["limit"]["of"] == W
    assert f"of {W}, to which this belongs," in ran.json["result"]["why"]
    assert len(project.briefs()) == 2


def test_the_caps_of_a_finished_workflow_can_be_raised_for_what_belongs_to_it(project: Project) -> None:
    assert project.work(*ADD, "--max-tokens=135").code == 0  # all of it, to the last token
    context = json.dumps({"workflow_id": W})
    tasks = json.dumps([{"id": "S1", "description": "Look"}])

    child = project.work("subagents", context, tasks, "--workflow-id=child_001", "--json")
    raising, going_on, *_ = child.json["next_steps"]

    assert (child.code, child.json["result"]["limit"]["spent"]) == (3, 135)
    assert project.run(*shlex.split(raising)[1:]).code == 0
    assert project.run(*shlex.split(going_on)[1:]).code == 0
    assert spent(project).total.against("tokens") == 150


@pytest.mark.parametrize(
    ("flag", "field"),
    [
        ("--max-tokens=0", "--max-tokens"),
        ("--max-tokens=many", "--max-tokens"),
        ("--max-usd=nan", "--max-usd"),
        ("--max-usd=-1", "--max-usd"),
        ("--max-minutes=0", "--max-minutes"),
        ("--max-agents-total=0", "--max-agents-total"),
        ("--max-tool-calls=5", "--max-tool-calls"),
    ],
)
def test_a_cap_that_cannot_be_kept_is_refused_and_nothing_is_written(project: Project, flag: str, field: str) -> None:
    ran = project.work(*ADD, flag, "--json")

    assert ran.code == 2
    assert ran.json["error"]["details"]["field"] == field
    assert not project.store.exists()
    assert project.briefs() == []


@pytest.mark.parametrize(
    "line", ["max_tokens = 0", "max_usd = true", 'max_minutes = "1"', "[prices]\nm = 1", '[prices."a/b"]\ninput = 1']
)
def test_a_cap_in_the_settings_that_is_none_is_refused(project: Project, line: str) -> None:
    project.write({".stretto/config.toml": line + "\n"})

    assert project.work(*ADD).code == 2
    assert project.briefs() == []


def test_status_and_reply_tell_what_each_agent_and_all_that_belongs_to_it_used(project: Project) -> None:
    done = project.work(*ADD, "--max-tokens=1000", "--json").json["result"]
    tasks = json.dumps([{"id": "S1", "description": "Look"}])
    assert project.work("subagents", json.dumps({"workflow_id": W}), tasks, "--workflow-id=child_001").code == 0

    said = project.run("workflow-status", W, "--json").json["result"]
    text = project.run("workflow-status", W, "--detailed").out

    agents = len(project.briefs())
    assert done["usage_by_task"]["planning/plan"] == {**USED, "at_least": {}}
    assert done["usage_with_children"]["agents"] == agents - 1
    assert said["usage"]["input_tokens"] == 10 * (agents - 1)
    assert said["usage_with_children"]["input_tokens"] == 10 * agents
    assert said["caps"] == {"tokens": {"cap": 1000, "spent": 15 * agents}}
    assert f"  caps: {15 * agents} of 1,000 tokens" in text
    assert "10 tokens in, 5 out, cost 0.0010 USD" in text


def test_a_killed_driver_forgets_nothing_that_was_spent(project: Project) -> None:
    begun, go = project.root.with_name("begun"), project.root.with_name("go")
    project.agent({"planner": {"touch": str(begun), "until": str(go)}})
    driver = project.start(*ADD, "--max-agents-total=50", "--max-tokens=1000", "--runner", project.runner)
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.kill()
    driver.communicate()
    go.touch()

    ran = project.run("orchestrate", "--resume", W, "--json")

    assert ran.code == 0
    asked = [b["idempotency_key"] for b in project.briefs()]
    assert asked.count(f"{W}/planning/plan#1") == 2
    assert spent(project).spent.agents == len(asked)
    assert spent(project).caps == {"agents": 50, "tokens": 1000}
    assert spent(project).total.against("tokens") == 15 * (len(asked) - 1)  # the cut one told nothing
    (resumed,) = events(project, "WORKFLOW_RESUMED")
    assert resumed["interrupted"]["planning/plan"]["in_flight"] is True
    assert ran.json["result"]["usage"]["at_least"]["input_tokens"] == 10 * (len(asked) - 1)


def test_orders_are_handed_out_up_to_the_cap_and_what_is_reported_is_taken_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(project, monkeypatch)
    project.agent(wrote("T1", "T2", "T3"))

    first = host.implement(task("T1"), task("T2"), task("T3"), flags=("--max-agents-total=2",))
    given = orders_of(first)
    for order in given:
        host.carry_out(order)
    stopped = host.go_on()
    still = host.go_on()
    after = host.until(lambda _: False, host.go_on("--max-agents-total=20"))

    assert len(given) == 2
    assert "the cap of 2 agents is reached" in first.json["result"]["why"]
    assert (stopped.code, stopped.json["result"]["limit"]["name"], orders_of(stopped)) == (3, "agents", [])
    assert still.json["result"]["limit"] == stopped.json["result"]["limit"]
    assert after.json["result"]["status"] == "completed"
    assert len(host.taken) == len(set(host.taken)) == spent(project, HOST).spent.agents


def test_tokens_of_orders_are_set_aside_before_they_are_handed_out(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(project, monkeypatch)
    project.agent(wrote("T1", "T2"))

    first = host.implement(task("T1"), task("T2"), flags=("--max-tokens=1000",))

    assert len(orders_of(first)) == 1  # nobody knows yet what one takes
    assert project.run("report", "x", "--max-usd=1", "--runner=host").code == 2


SCRIPT = """
task: Sessions
lanes:
  research/topic#1:
    - call: [{list_files: {glob: "*"}}]
      usage: {input_tokens: 10, output_tokens: 5}
    - finish: {status: completed, summary: found, data: {title: Sessions, report: "# Found"}}
      usage: {input_tokens: 10, output_tokens: 5}
"""


def test_a_replay_is_held_to_caps_call_by_call_and_its_calls_count_once(project: Project) -> None:
    project.write({"script.yaml": SCRIPT})
    report = ("report", "Sessions", "--merge=never", "--json")
    recorded = project.run(*report, "--runner=model:script/script.yaml", "--record=tape.jsonl", "--workflow-id=first")
    replay = "--runner=replay:tape.jsonl"

    short = project.run(*report, replay, "--max-tokens=15", "--workflow-id=second")
    tools = project.run(*report, replay, "--max-tool-calls=1", "--workflow-id=third")
    money = project.run(*report, replay, "--max-usd=1")
    on = project.run("orchestrate", "--resume=second", "--max-tokens=60", "--json")

    assert recorded.code == 0
    assert (short.code, short.json["result"]["limit"]["spent"]) == (3, 15)
    assert short.json["result"]["usage_by_task"]["research/topic"]["input_tokens"] == 10
    assert (tools.code, spent(project, "third").total.tool_calls) == (0, 1)
    assert (money.code, money.json["error"]["details"]["field"]) == (2, "--max-usd")
    assert on.code == 0
    assert spent(project, "second").total.against("tokens") == 15 + 30  # the conversation that was cut, and all of it
