"""The hooks on work orders, through the door that the client uses: `sh hooks/run EVENT`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project
from tests.commands.host import SESSION, Host, W, names, orders_of

T1, T2 = f"{W}/implementation/T1#1", f"{W}/implementation/T2#1"
DONE = json.dumps({"status": "completed", "summary": "done"})
OURS = "stretto:implementer"


def change(host: Host, path: object, *, by: str = OURS, tool: str = "Write", **more: object) -> Any:
    key = "notebook_path" if tool == "NotebookEdit" else "file_path"
    given = {"tool_name": tool, "tool_input": {key: str(path), "content": "x"}}
    return host.hook("guard", host.payload(**{**given, **({"agent_type": by, "agent_id": "a1"} if by else {}), **more}))


def cwd(host: Host, order: str) -> Path:
    return Path(host.order(order).work["brief"]["cwd"])


# Launching


def test_an_agent_that_is_launched_with_an_order_is_given_its_brief(host: Host) -> None:
    ran = host.launch(T1)

    assert ran.decision == "allow"
    assert ran.prompt.startswith(f"Work order {T1}\n")
    assert str(cwd(host, T1)) in ran.prompt
    taken = host.order(T1)
    assert taken.state == "taken"
    assert taken.taker is not None
    assert (taken.taker.session, taken.taker.agent) == (SESSION, "toolu_1")
    assert host.project.types(W)[-1] == "TASK_STARTED"


@pytest.mark.parametrize("form", ["{}", "`{}`", "'{}'.", "  {}\n", "Order: {}", "Carry out order {}."])
def test_an_order_is_found_in_a_prompt_that_is_hardly_more(host: Host, form: str) -> None:
    assert host.launch(T1, prompt=form.format(T1)).prompt.startswith(f"Work order {T1}\n")


def test_a_second_launch_of_an_order_is_denied(host: Host) -> None:
    host.launch(T1)
    before = host.rows()

    again = host.launch(T1, use="toolu_2")

    assert again.decision == "deny"
    assert "Do not do it twice" in again.reason
    assert host.rows() == before


def test_the_same_launch_asked_again_is_the_same_launch(host: Host) -> None:
    first = host.launch(T1)
    before = host.rows()

    assert host.launch(T1).prompt == first.prompt
    assert host.rows() == before


def test_an_agent_of_another_role_is_denied_and_takes_nothing(host: Host) -> None:
    before = host.rows()

    ran = host.launch(T1, "documenter")

    assert ran.decision == "deny"
    assert OURS in ran.reason
    assert host.rows() == before


def test_an_order_that_is_over_or_unknown_is_denied(host: Host) -> None:
    unknown = host.launch(f"{W}/implementation/T9#1")
    host.project.run("cancel", W)
    over = host.launch(T1)

    assert (unknown.decision, over.decision) == ("deny", "deny")
    assert "There is no order" in unknown.reason
    assert "void" in over.reason


def test_other_agents_and_prompts_are_none_of_our_business(host: Host, tmp_path: Path) -> None:
    prose = f"Please look into why the log of yesterday's run holds an entry about the order named {T1} twice; report."
    before = host.rows()
    tool = {"prompt": T1, "subagent_type": "general-purpose"}

    assert host.launch(T1, prompt=prose).silent
    assert host.launch(T1, prompt="Fix issue shop#12").silent
    assert host.hook("launch", host.payload(tool_input=tool)).silent
    assert host.hook("launch", host.payload(tool_input={"prompt": T1})).silent
    assert host.rows() == before
    ours = {"prompt": T1, "subagent_type": OURS}
    elsewhere = host.hook("launch", host.payload(tool_input=ours), CLAUDE_PROJECT_DIR=str(tmp_path))
    assert elsewhere.silent
    assert not (tmp_path / ".stretto").exists()


# Changing files


def test_an_agent_may_change_what_its_order_declares_and_nothing_else(host: Host, tmp_path: Path) -> None:
    host.launch(T1)
    mine, theirs = cwd(host, T1), cwd(host, T2)
    (mine / "out").symlink_to(host.project.root)
    (mine / "src/calc/back").symlink_to(mine)
    outside = [tmp_path / "x.py", host.project.root / "src/calc/t1.py", host.project.root / "src/calc/other.py"]

    assert change(host, mine / "src/calc/t1.py").decision == "allow"
    assert change(host, "src/calc/t1.py", cwd=str(mine)).decision == "allow"
    assert change(host, mine / "tests/../src/calc/t1.py", tool="Edit").decision == "allow"
    assert change(host, mine / "src/calc/back/src/calc/t1.py").decision == "allow"
    denied = {
        "not declared": change(host, mine / "src/calc/t2.py"),
        "a notebook": change(host, mine / "a.ipynb", tool="NotebookEdit"),
        "git's": change(host, mine / ".git"),
        "inside git's": change(host, mine / "sub/.git/config"),
        "another's": change(host, theirs / "src/calc/t2.py"),
        "up and out": change(host, mine / "../../../../../src/calc/t1.py"),
        "up to another": change(host, mine / f"../{theirs.name}/src/calc/t2.py"),
        "through a link": change(host, mine / "out/src/calc/t1.py"),
        **{str(path): change(host, path) for path in outside},
    }
    assert {name: ran.decision for name, ran in denied.items()} == dict.fromkeys(denied, "deny")
    assert all(ran.reason for ran in denied.values())
    assert "src/calc/t1.py" in denied["not declared"].reason


def noted(host: Host, agent: str, launch: object) -> dict[str, str]:
    """What the client keeps about an agent, beside its session's transcript; the payload of that agent's events."""
    session = host.project.root.with_name("projects") / SESSION
    (session / "subagents").mkdir(parents=True, exist_ok=True)
    text = launch if isinstance(launch, str) else json.dumps(launch)
    (session / "subagents" / f"agent-{agent}.meta.json").write_text(text, "utf-8")
    return {"transcript_path": f"{session}.jsonl", "agent_id": agent, "agent_type": OURS}


def test_an_agent_does_not_work_in_the_workspace_of_another_one_nor_hear_what_is_said_to_it(host: Host) -> None:
    host.launch(T1, use="toolu_1")
    host.launch(T2, use="toolu_2")
    one = noted(host, "a1", {"agentType": OURS, "toolUseId": "toolu_1"})
    host.project.run("steer", T2, "be quick")

    mine = change(host, cwd(host, T1) / "src/calc/t1.py", **one)
    theirs = change(host, cwd(host, T2) / "src/calc/t2.py", **one)

    assert (mine.decision, theirs.decision) == ("allow", "deny")
    assert "another agent" in theirs.reason
    two = noted(host, "a2", {"toolUseId": "toolu_2"})
    assert "be quick" in change(host, cwd(host, T2) / "src/calc/t2.py", **two).context


@pytest.mark.parametrize("launch", ["", "{", "[]", "5", {}, {"toolUseId": None}])
def test_an_agent_of_whom_the_client_keeps_nothing_is_taken_for_whose_workspace_it_is(
    host: Host, launch: object
) -> None:
    host.launch(T1)
    path = cwd(host, T1) / "src/calc/t1.py"

    assert change(host, path, **noted(host, "a1", launch)).decision == "allow"
    assert change(host, path, **{**noted(host, "a1", launch), "agent_id": "../subagents/agent-a1"}).decision == "allow"


def test_an_order_that_declares_nothing_may_change_anything_inside(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(project, monkeypatch)
    host.drive("subagents", "{}", '[{"id": "T1", "description": "Do it"}]', "--workflow-id", W)
    (order,) = host.standing()
    host.launch(order)

    assert change(host, cwd(host, order) / "deep/er/x.py").decision == "allow"
    assert change(host, project.root / "x.py").decision == "deny"
    assert change(host, project.root / "x.py", by="").silent


def test_a_file_that_an_agent_changes_is_locked_for_the_session_of_the_person(host: Host) -> None:
    root = host.project.root
    assert change(host, root / "src/calc/t1.py", by="").silent
    host.launch(T1)

    locked = change(host, root / "src/calc/t1.py", by="")

    assert locked.decision == "deny"
    assert "locked" in locked.reason
    assert T1 in locked.reason
    assert change(host, root / "src/calc/t2.py", by="").silent
    assert change(host, root / "README.md", by="").silent
    assert change(host, root / "src/calc/t1.py", by="general-purpose").decision == "deny"
    host.stopped(host.transcript(str(host.order(T1).work["text"])), DONE)
    host.go_on()
    assert change(host, root / "src/calc/t1.py", by="").silent


def test_a_file_is_not_locked_by_an_agent_that_is_gone(host: Host) -> None:
    with subprocess.Popen(["sleep", "60"]) as lost:
        host.be("lost", lost.pid)
        host.launch(T1)
        assert change(host, host.project.root / "src/calc/t1.py", by="").decision == "deny"
        lost.kill()

    assert change(host, host.project.root / "src/calc/t1.py", by="").silent


def test_a_project_without_a_store_or_orders_is_none_of_our_business(host: Host, tmp_path: Path) -> None:
    host.launch(T1)
    other = tmp_path / "other"
    other.mkdir()

    payload = host.payload(tool_input={"file_path": str(other / "x.py")}, agent_type=OURS)
    assert host.hook("guard", payload, CLAUDE_PROJECT_DIR=str(other)).silent
    assert list(other.iterdir()) == []
    assert change(host, other / "x.py", by="").silent


# Steering


def test_a_word_said_before_an_order_is_taken_comes_with_its_brief_once(host: Host) -> None:
    host.project.run("steer", T1, "Mind the zero")
    host.project.run("steer", T1, "And the sign")

    launched = host.launch(T1)

    assert launched.prompt.index("Mind the zero") < launched.prompt.index("And the sign")
    assert "Mind the zero" not in host.launch(T1).prompt
    assert change(host, cwd(host, T1) / "src/calc/t1.py").context == ""


def test_a_word_said_to_an_agent_at_work_comes_with_its_next_change_once(host: Host) -> None:
    host.launch(T1)
    host.launch(T2, use="toolu_2")
    file = cwd(host, T1) / "src/calc/t1.py"

    ran = host.project.run("steer", T1, "Mind the zero", "--json")

    assert ran.code == 0
    event = host.project.events(W)[-1]
    assert (event.type, event.data["order"], event.data["note"]) == ("TASK_STEERED", T1, "Mind the zero")
    assert change(host, cwd(host, T2) / "src/calc/t2.py").context == ""
    assert "Mind the zero" in change(host, file).context
    assert change(host, file).context == ""


@pytest.mark.parametrize("active", [False, True])
def test_a_word_that_nobody_has_heard_keeps_an_agent_from_ending_once(host: Host, active: bool) -> None:
    place = host.transcript(host.launch(T1).prompt, DONE)
    host.project.run("steer", T1, "Mind the zero")

    kept = host.stopped(place, DONE, active=active)
    assert "Mind the zero" in kept.blocked
    assert host.order(T1).state == "taken"
    host.project.run("steer", T1, "And the sign")
    again = host.stopped(place, DONE, active=True)
    assert ("And the sign" in again.blocked, "Mind the zero" in again.blocked) == (True, False)
    assert host.stopped(place, DONE, active=True).silent
    assert host.order(T1).state == "reported"
    assert host.project.types(W).count("TASK_STEERED") == 2


@pytest.mark.parametrize("note", ["", " \n", "x" * 4_001, "x" * 100_000])
def test_a_word_that_is_none_or_too_long_is_refused(host: Host, note: str) -> None:
    before = host.rows()

    ran = host.project.run("steer", T1, note, "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "note")
    assert host.rows() == before


def test_a_word_to_nobody_is_refused(host: Host) -> None:
    host.carry_out(T1)
    before = host.rows()

    reported, unknown = (host.project.run("steer", o, "hi", "--json") for o in (T1, f"{W}/implementation/T7#1"))

    assert (reported.code, unknown.code) == (2, 2)
    assert "is reported" in reported.json["error"]["message"]
    assert host.rows() == before


def test_a_word_with_anything_in_it_is_handed_over_as_it_is(host: Host) -> None:
    note = "`rm -rf /`; $(x) \u202e \x1b[2J \udcff \N{SNOWMAN}\n# Work order x_1/y/z#1"
    assert host.project.run("steer", T1, note).code == 0

    told = host.launch(T1).prompt

    assert note in told


# Ending


def test_an_agents_last_words_are_kept_as_its_report_with_what_it_used(host: Host) -> None:
    place = host.transcript(host.launch(T1).prompt, DONE)
    (cwd(host, T1) / "src/calc/t1.py").write_text("x = 1\n", "utf-8")

    assert host.stopped(place, DONE).silent

    assert host.order(T1).state == "reported"
    ran = host.go_on()
    assert names(orders_of(ran)) == ["T2#1"]
    done = [e for e in host.project.events(W) if e.type == "TASK_COMPLETED"]
    assert done[0].data["results"]["usage"] == {"input_tokens": 7, "output_tokens": 3, "cost_usd": None}


@pytest.mark.parametrize("last", ["I am done.", "", '{"summary": "no status"}', "[]", "{" * 5000, '{"status": "a"'])
def test_last_words_that_are_no_report_are_sent_back_once_and_then_kept(host: Host, last: str) -> None:
    place = host.transcript(host.launch(T1).prompt, last)

    first = host.stopped(place, last)
    second = host.stopped(place, last, active=True)

    assert "not a report" in first.blocked
    assert second.silent
    assert host.order(T1).state == "reported"
    host.go_on()
    feedback = host.brief(f"{W}/implementation/T1#2").json["result"]["feedback"]
    assert feedback


def test_an_agent_of_another_session_does_not_report_for_who_has_the_order_now(host: Host) -> None:
    with subprocess.Popen(["sleep", "60"]) as lost:
        host.be("lost", lost.pid)
        place = host.transcript(host.launch(T1).prompt, DONE)
        lost.kill()
    host.go_on()
    host.be("new", os.getpid())
    host.launch(T1)
    before = host.rows()
    host.be("lost", os.getppid())

    late = host.stopped(place, DONE)

    assert (late.code, late.out, "ORDER" in late.err or "Order" in late.err) == (0, "", True)
    assert host.rows() == before
    host.be("new", os.getpid())
    assert host.stopped(place, DONE).silent
    assert host.order(T1).state == "reported"


@pytest.mark.parametrize("last", [f"```json\n{DONE}\n```", f"Here it is:\n```\n{DONE}\n```\nThat is all."])
def test_a_report_in_a_fence_is_one(host: Host, last: str) -> None:
    place = host.transcript(host.launch(T1).prompt, last)
    (cwd(host, T1) / "src/calc/t1.py").write_text("x = 1\n", "utf-8")

    assert host.stopped(place, last).silent
    assert names(orders_of(host.go_on())) == ["T2#1"]


def test_the_end_of_an_agent_that_is_none_of_ours_is_none_of_our_business(host: Host, tmp_path: Path) -> None:
    place = host.transcript(host.launch(T1).prompt, "hello")
    before = host.rows()

    assert host.stopped(place, "hello", kind="general-purpose").silent
    assert host.stopped(tmp_path / "gone.jsonl", "hello").silent
    assert host.stopped(tmp_path, "hello").silent
    assert host.stopped(host.transcript("Fix the bug", "hello"), "hello").silent
    assert host.stopped(host.transcript(f"He said: Work order {T1}", "hello"), "hello").silent
    assert host.rows() == before


def test_the_end_of_an_agent_whose_order_is_over_lets_it_end(host: Host) -> None:
    place = host.transcript(host.launch(T1).prompt, DONE)
    host.project.run("cancel", W)
    before = host.rows()

    for last in (DONE, "nothing"):
        ran = host.stopped(place, last, active=True)
        assert (ran.code, ran.out) == (0, "")
    assert host.rows() == before


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe",
        b"null\n[]\n1\n",
        b'{"type": "user"}\n',
        b'{"type": "user", "message": 5}\n',
        b"[" * 100_000,
        b"{" * 9,
    ],
)
def test_garbage_in_the_place_of_a_transcript_lets_the_agent_end(host: Host, tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "t.jsonl").write_bytes(garbage)
    before = host.rows()

    ran = host.stopped(tmp_path / "t.jsonl", DONE)

    assert (ran.code, ran.out) == (0, "")
    assert host.rows() == before


def test_garbage_after_the_brief_does_not_hide_the_order(host: Host) -> None:
    place = host.transcript(host.launch(T1).prompt, DONE)
    lines = place.read_bytes()
    place.write_bytes(
        b"\xff\n[]\n" + lines + b'{"type": "assistant", "message": {"content": [5, null, {"text": 7}]}}\n{"half'
    )

    assert host.stopped(place, DONE).silent
    assert host.order(T1).state == "reported"


# Whatever the client sends


HOSTILE: list[object] = [
    b"",
    b"null",
    b"[]",
    b"\xff",
    b'"' + b"x" * 3_000_000 + b'"',
    {},
    {"tool_input": "text", "agent_type": 5, "cwd": [], "session_id": {}},
    {"tool_input": ["x"], "agent_type": OURS, "cwd": 7, "agent_transcript_path": {}, "background_tasks": {"a": 1}},
    {"tool_input": {"prompt": 5, "subagent_type": 6, "file_path": [], "command": {}}, "agent_type": OURS},
    {"tool_input": {"prompt": f"../{T1}", "subagent_type": OURS, "file_path": "\0", "command": "stretto \0"}},
    {"tool_input": {"prompt": f"{W}/../../x#1 {T1}1", "subagent_type": f"{OURS}\n", "file_path": "../" * 5000 + "x"}},
    {"tool_input": {"prompt": "x" * 2_000_000, "subagent_type": OURS, "file_path": "x" * 2_000_000}},
    {"tool_input": {"file_path": "\ud800/x"}, "agent_type": OURS, "cwd": "\udfff", "session_id": "\ud800"},
    {"agent_type": OURS, "agent_transcript_path": "\0", "last_assistant_message": 5},
    {"agent_type": OURS, "agent_transcript_path": "/dev/null", "last_assistant_message": ["x"]},
    {"background_tasks": [None, 5, {"agent_type": 7}], "stop_hook_active": "no"},
]


@pytest.mark.slow
@pytest.mark.parametrize("event", ["launch", "guard", "subagent-stop", "stop", "session-start", "shell"])
def test_whatever_the_client_sends_no_hook_fails_or_writes(host: Host, event: str) -> None:
    before, files = host.rows(), host.project.everything().keys()

    for payload in HOSTILE:
        ran = host.hook(event, payload)
        assert ran.code == 0, payload
        assert ran.decision != "allow", payload
        assert len(ran.err.splitlines()) <= 1, payload
    assert host.rows() == before
    assert host.project.everything().keys() == files


def test_a_damaged_store_fails_no_session(host: Host) -> None:
    host.launch(T1)
    (host.project.store / "events.db").write_bytes(b"not SQLite" * 1000)

    for event in ("launch", "guard", "subagent-stop", "stop", "session-start"):
        tool = {"prompt": T1, "subagent_type": OURS, "file_path": str(host.project.root / "x.py")}
        place = str(host.transcript(f"Work order {T1}"))
        ran = host.hook(event, host.payload(tool_input=tool, agent_type=OURS, agent_transcript_path=place))
        assert (ran.code, ran.blocked) == (0, ""), event
    assert (host.project.store / "events.db").stat().st_size == 10_000
