"""The hooks on a session, through the door that the client uses: `sh hooks/run EVENT`."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.commands.hook_session import harmless
from tests.commands.host import Host, W

T1, T2 = f"{W}/implementation/T1#1", f"{W}/implementation/T2#1"
OURS = {"agent_type": "stretto:implementer", "agent_id": "a1"}


# Stopping


def test_a_session_does_not_end_before_it_takes_up_what_its_agents_reported(host: Host) -> None:
    assert host.hook("stop", host.payload()).silent
    host.carry_out(T1)
    before = host.rows()

    assert f"stretto orchestrate --resume {W}" in host.hook("stop", host.payload(stop_hook_active=False)).blocked
    assert host.hook("stop", host.payload(stop_hook_active=True)).silent
    assert host.hook("stop", host.payload(background_tasks=[OURS])).silent
    assert host.hook("stop", host.payload(background_tasks=[{"agent_type": "Explore"}])).blocked
    host.be("another")
    assert host.hook("stop", host.payload()).silent
    assert host.rows() == before


def test_a_session_may_end_once_what_was_reported_is_taken_up(host: Host) -> None:
    host.carry_out(T1)
    host.go_on()

    assert host.hook("stop", host.payload()).silent


def test_a_session_may_end_when_its_workflow_was_cancelled(host: Host) -> None:
    host.carry_out(T1)
    host.project.run("cancel", W)

    assert host.hook("stop", host.payload()).silent


# Starting


def test_a_session_is_told_at_its_start_of_orders_that_wait(host: Host) -> None:
    told = host.hook("session-start", host.payload(source="startup")).answer

    assert told is not None
    assert told["systemMessage"] == told["hookSpecificOutput"]["additionalContext"]
    assert told["systemMessage"] == f"Stretto: {W} waits for 2 work orders; /stretto:orchestrate --resume {W} goes on."
    assert told["hookSpecificOutput"]["hookEventName"] == "SessionStart"


def test_a_session_is_told_of_orders_whose_agents_are_gone(host: Host) -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        host.be("lost", process.pid)
        host.brief(T1)
        process.kill()
    host.be("new", os.getpid())
    host.brief(T2)

    told = host.hook("session-start", host.payload()).answer

    assert told is not None
    assert "2 work orders, 1 of them left by agents that are gone;" in told["systemMessage"]


@pytest.mark.slow
def test_a_session_is_told_of_a_workflow_whose_driver_died(host: Host) -> None:
    begun = host.project.root.with_name("begun")
    host.project.agent({"T1": {"touch": str(begun), "sleep": 60}})
    driver = host.project.start("orchestrate", "--resume", W, "--runner", host.project.runner)
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    quiet = host.hook("session-start", host.payload())
    driver.send_signal(signal.SIGKILL)
    driver.communicate()

    told = host.hook("session-start", host.payload()).answer

    assert quiet.silent
    assert told is not None
    assert f"{W} was cut off" in told["systemMessage"]


def test_a_session_is_told_nothing_where_nothing_waits(host: Host, tmp_path: Path) -> None:
    host.project.run("cancel", W)

    assert host.hook("session-start", host.payload()).silent
    assert host.hook("session-start", host.payload(), CLAUDE_PROJECT_DIR=str(tmp_path)).silent
    assert list(tmp_path.iterdir()) == []


# Shell commands


ALLOWED = [
    f"stretto brief {T1}",
    f"stretto check {T1}",
    f"cd /work/shop/.stretto/state/work/{W}/T1.1 && stretto check {T1}",
    f"stretto orchestrate --resume {W}",
    f"stretto orchestrate --resume {W}",
    "stretto workflow-status",
    f"stretto workflow-status {W} --json",
    f"stretto logs {W} implementation/T1",
    f"stretto diff {W}",
    f"stretto events {W} --after=3",
    f'stretto report {T1} --failed "it hit its limit: 5 & more; (really?) <no> | *"',
]
LEFT_TO_THE_CLIENT = [
    "",
    "stretto",
    "ls",
    "strettox brief a",
    "stretto ",
    'stretto orchestrate "Add a shop"',
    f"stretto orchestrate --resume {W} --approve",
    f"stretto orchestrate --resume {W} --reject=no",
    f"stretto orchestrate --resume {W} --runner=command:evil",
    f"stretto --runner=command:evil orchestrate --resume {W}",
    f"stretto orchestrate --resume={W}",
    f"stretto cancel {W}",
    f"stretto undo {W}",
    f"stretto steer {T1} hello",
    "stretto line -",
    f"stretto brief {T1} > /etc/passwd",
    f"stretto brief {T1} | sh",
    f"stretto brief {T1}; rm -rf src",
    f"stretto brief {T1} & rm -rf src",
    f"stretto brief {T1} && rm -rf src",
    f"stretto brief {T1} || rm -rf src",
    f"stretto brief {T1}\nrm -rf src",
    f"stretto brief {T1}\n\nrm -rf src",
    f"stretto brief {T1}\r\nrm -rf src",
    "stretto workflow-status\nrm -rf src",
    f"cd src\nrm -rf . && stretto check {T1}",
    f"cd src && stretto check {T1}\nrm -rf src",
    f"cd src && cd tests && stretto check {T1}",
    f"cd $(rm -rf src) && stretto check {T1}",
    f"cd `x` && stretto check {T1}",
    "stretto check $(rm -rf src)",
    "stretto check `rm -rf src`",
    "stretto check $HOME",
    "stretto check {a,b}",
    "stretto check *",
    "stretto check 'x'",
    "stretto check a\\b",
    "stretto check <(rm -rf src)",
    f'stretto report {T1} --failed "$(rm -rf src)"',
    f'stretto report {T1} --failed "`rm -rf src`"',
    f'stretto report {T1} --failed "a" ; rm -rf "b"',
    f'stretto report {T1} --failed "a\\"',
    f'stretto report {T1} --failed "a\nb"',
    f'stretto report {T1} --failed "!!"',
    f'stretto report {T1} --failed "',
    f"stretto report {T1} --failed x",
    f"stretto report {T1}",
    'stretto report x --failed "no"',
    'stretto report $(x) --failed "no"',
    f"echo x | stretto report {T1}",
    f"A=b stretto brief {T1}",
]


@pytest.mark.parametrize("command", ALLOWED)
def test_what_only_reads_reports_or_goes_on_is_allowed(command: str) -> None:
    assert harmless(command)


@pytest.mark.parametrize("command", LEFT_TO_THE_CLIENT)
def test_what_a_shell_could_make_more_of_or_what_decides_is_left_to_the_client(command: str) -> None:
    assert not harmless(command)


def test_a_harmless_command_is_allowed_through_the_door_and_another_gets_no_answer(host: Host) -> None:
    def shell(command: str) -> str:
        return host.hook("shell", host.payload(tool_name="Bash", tool_input={"command": command})).decision

    assert shell(f"stretto check {T1}") == "allow"
    assert shell(f"stretto check {T1}\nrm -rf src") == ""
    assert shell(f"stretto cancel {W}") == ""


WORDS = st.sampled_from(
    [
        *(
            "stretto",
            "brief",
            "check",
            "report",
            "orchestrate",
            "--resume",
            "--approve",
            "--failed",
            "cd",
            "/tmp",
            "rm",
        ),
        *(
            T1,
            W,
            '"a"',
            '"',
            "$(x)",
            "`x`",
            "&&",
            "&",
            ";",
            "|",
            ">",
            "\n",
            "\t",
            "\r",
            "\x0b",
            "\u2028",
            "\\",
            "!",
            "{",
            "'",
        ),
    ]
)


@given(st.lists(st.tuples(WORDS, st.sampled_from([" ", "", "\n", "\t", "  "])), max_size=9))
def test_nothing_with_a_meaning_to_the_shell_is_ever_allowed(parts: list[tuple[str, str]]) -> None:
    command = "stretto " + "".join(word + between for word, between in parts)

    if not harmless(command):
        return
    assert "\n" not in command.strip()
    outside = re.sub(r'"[^"]*"', "", command)
    assert set(outside) & set("$`\\;|&<>()*?[]{}!'\"\n\r\t\x0b") <= set()
    assert not set("".join(re.findall(r'"[^"]*"', command))) & set("$`\\!\n\r")
    assert "--approve" not in outside
    assert re.match(r"stretto (brief|check|report|orchestrate --resume [^ ]+$)", command.strip())


@given(st.text())
def test_no_other_text_is_allowed(text: str) -> None:
    assert not harmless(text)
