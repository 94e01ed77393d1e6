"""Work orders in the real client: who may write what, how a person steers, what becomes of a report that is none."""

import json
from collections.abc import Callable

import pytest

from tests.client.api import Api
from tests.client.assistant import ENDED, Assistant, report
from tests.client.claude import Claude
from tests.client.reply import Block, Reply, call, reply, say, use
from tests.client.request import Request

pytestmark = [pytest.mark.client, pytest.mark.slow]

FILES = {"A": {"src/calc/mul.py": "def mul(a, b):\n    return a * b\n"}}
TASK = {"id": "A", "description": "Multiply", "files": ["src/calc/mul.py"]}
LINE = f"/stretto:subagents '{{}}' '{json.dumps([TASK])}' --workflow-id=w_001"
FIRST = "w_001/subagents/A#1"
SECOND = "w_001/subagents/A#2"


def launch() -> Block:
    return call("Agent", description="Multiply", prompt=FIRST, subagent_type="stretto:implementer")


def done(order: str = FIRST) -> Reply:
    return say(json.dumps(report(order)))


def works_on(request: Request, order: str) -> bool:
    return bool(request.agent) and f"Work order {order}\n" in request.first


def agents(api: Api, order: str) -> list[Request]:
    """What the agent of an order asked, turn by turn."""
    return [r for r in api.requests if works_on(r, order)]


def of(claude: Claude, kind: str) -> list[str]:
    """The tasks of the events of one type."""
    return [e["data"]["task_id"] for e in claude.log() if e["event_type"] == kind]


def test_nobody_writes_what_is_not_theirs_and_the_work_goes_on(api: Api, calc: Claude) -> None:
    workspace = calc.project / ".stretto/state/work/w_001/subagents.A.1"
    undeclared, outside = workspace / "src/calc/other.py", calc.project / "src/calc/mul.py"

    def tries(_: Request) -> Reply:
        """Begins once the main session has tried its own."""
        api.until(lambda r: not r.agent and r.turn == 2)
        return reply(*(call("Write", file_path=str(p), content="x = 1\n") for p in (undeclared, outside)))

    api.talk(
        lambda r: works_on(r, FIRST),
        tries,
        use("Write", file_path=str(workspace / "src/calc/mul.py"), content=FILES["A"]["src/calc/mul.py"]),
        done(),
    )
    api.talk(
        lambda r: not r.agent,
        reply(launch(), launch()),
        use("Write", file_path=str(outside), content="x = 2\n"),
        say("The agent is at work."),
    )
    Assistant(api)

    calc.say(LINE)

    main = [r for r in api.requests if not r.agent]
    launched, again = sorted(main[1].results, key=lambda result: result.failed)  # the client asks of both at once
    assert "Async agent launched" in launched.text
    assert again.failed
    assert f"Order '{FIRST}' was taken at" in again.text
    assert "Do not do it twice." in again.text
    (locked,) = main[2].results
    assert f"'src/calc/mul.py' is locked: an agent is changing it for the order '{FIRST}'" in locked.text
    agent = agents(api, FIRST)
    denied = agent[1].results
    assert [r.failed for r in denied] == [True, True]
    assert "'src/calc/other.py' is not declared by this order, which may write: src/calc/mul.py." in denied[0].text
    assert "lies outside of your workspace" in denied[1].text
    assert not agent[2].results[0].failed
    assert of(calc, "TASK_COMPLETED")[0] == "subagents/A"
    assert of(calc, "TASK_FAILED") == []
    assert calc.git("show", "--name-only", "--format=", "HEAD").split() == ["src/calc/mul.py"]
    assert calc.git("status", "--porcelain") == ""


def test_what_a_shell_writes_past_the_guard_is_found_when_the_work_is_judged(api: Api, calc: Claude) -> None:
    workspace = calc.project / ".stretto/state/work/w_001/subagents.A.1"
    command = f"cd {workspace} && touch src/calc/mul.py src/calc/other.py"
    api.talk(lambda r: works_on(r, FIRST), use("Bash", command=command, description="Write"), done())
    Assistant(api, files=FILES)

    calc.say(LINE, "--permission-mode", "bypassPermissions")

    assert not agents(api, FIRST)[1].results[0].failed
    assert "src/calc/other.py" in agents(api, SECOND)[0].first.partition("Work order")[2]
    assert of(calc, "TASK_FAILED") == ["subagents/A"]
    assert calc.git("show", "--name-only", "--format=", "HEAD").split() == ["src/calc/mul.py"]


def test_a_persons_word_reaches_an_agent_at_work_exactly_once(api: Api, calc: Claude) -> None:
    early, late = "Mind negative numbers: §1.", "Say so in the summary: §2."
    workspace = calc.project / ".stretto/state/work/w_001/subagents.A.1"
    body = FILES["A"]["src/calc/mul.py"]

    def hears(word: str, then: Reply) -> Callable[[Request], Reply]:
        """The person speaks while the agent thinks."""
        return lambda _: (calc.stretto("steer", FIRST, word), then)[1]

    writes = use("Write", file_path=str(workspace / "src/calc/mul.py"), content=body)
    api.talk(lambda r: works_on(r, FIRST), hears(early, writes), hears(late, done()), done())
    Assistant(api)

    calc.say(LINE)

    agent = agents(api, FIRST)
    assert [(early in r.last, late in r.last) for r in agent] == [(False, False), (True, False), (False, True)]
    assert "The person who began this workflow says of your order: Mind" in agent[1].last
    told = [r for r in api.requests if not works_on(r, FIRST) and (early in r.last or late in r.last)]
    assert told == []
    assert of(calc, "TASK_STEERED") == ["subagents/A"] * 2
    assert of(calc, "TASK_COMPLETED")[0] == "subagents/A"


def test_a_last_message_that_is_no_report_goes_back_once_and_then_counts_as_a_failed_attempt(
    api: Api, calc: Claude
) -> None:
    api.on(lambda r: works_on(r, FIRST), say("All done, I believe."))
    Assistant(api, files=FILES)

    calc.say(LINE)

    first, second = agents(api, FIRST), agents(api, SECOND)
    assert len(first) == 2
    assert "Your last message is not a report." in first[1].last
    assert "The agent's last message is not an outcome" in second[0].first
    assert "All done, I believe." in second[0].first
    assert of(calc, "TASK_FAILED") == ["subagents/A"]
    assert "subagents/A" in of(calc, "TASK_COMPLETED")
    assert (calc.project / "src/calc/mul.py").is_file()


def test_a_turn_that_ends_with_work_not_taken_up_is_reminded_once_and_never_again(api: Api, calc: Claude) -> None:
    api.on(lambda r: not r.agent and "task-notification" in r.text, say(ENDED))
    Assistant(api, files=FILES)

    calc.say(LINE)

    reminded = [r for r in api.requests if "their work is not taken up yet" in r.last]
    assert len(reminded) == 1
    assert "Run: stretto orchestrate --resume w_001" in reminded[0].last
    assert [r for r in api.requests if not r.agent][-1] is reminded[0]
    assert of(calc, "TASK_COMPLETED") == []
