"""kill -9 of a driver that hands work orders out: it ends as the undisturbed run does, and no order is done twice."""

import io
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.cli import main
from stretto.state.rows import Order
from tests.commands.host import Kept
from tests.crash import agent
from tests.crash.bench import WORKFLOW, Bench, Ending, Warm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SMALL = (1, 2, 5)
KILLS = 12
STEPS, STRIDE = 40, 4
"""How many durable steps of judging two reports are tried, and every how manieth in one run."""
FIRST_TRY = "T2#1"
"""The attempt that fails, so that a second one has to follow."""


class Handing(Bench):
    """A bench whose agents are ours."""

    @property
    def runner(self) -> str:
        return "host"

    def standing(self) -> list[Order]:
        with self.log() as log:
            return log.standing_orders(WORKFLOW)

    def ended(self) -> set[str]:
        """The keys of the attempts that have ended."""
        with self.log() as log:
            return {a.key for a in log.attempts(WORKFLOW) if a.state in ("completed", "failed")}


@dataclass
class Session:
    """The session of the assistant, which survives its drivers. `kills` is what befell them."""

    bench: Handing
    patch: pytest.MonkeyPatch
    fuses: Iterator[int]
    carried_out: list[str] = field(default_factory=list[str])
    kills: int = 0

    def whole(self) -> int:
        """From the start to the end; the exit code of the last driver."""
        return self.until(lambda: False)

    def until(self, stop: Callable[[], bool]) -> int:
        """From the start until `stop` says so after agents have reported, or the end."""
        while True:
            driver = self.bench.go_on(fuse=next(self.fuses))
            code = driver.wait()
            if code == -9:
                self.kills += 1
                assert not self.bench.gone_within(2.0)
            elif code != 3:
                return code
            if self.bench.begun():
                assert not {o.id for o in self.bench.standing()} & self.bench.ended()
                self.carry_out()
                if stop():
                    return code

    def carry_out(self) -> None:
        """Whatever is open, also after a driver was killed that could not say so any more."""
        for order in self.bench.standing():
            if order.state != "open":
                continue
            brief = self.call("brief", order.id)["result"]
            self.carried_out.append(order.id)
            self.report(order.id, self.said(brief))

    def said(self, brief: dict[str, Any]) -> dict[str, Any]:
        name = brief["task_id"].partition("/")[2].partition("~")[0]
        if f"{name}#{brief['attempt']}" == FIRST_TRY:
            Path(brief["cwd"], "half.py").write_text("half", "utf-8")
            return {"status": "failed", "summary": f"{name} was told to fail"}
        return {"status": "completed", "summary": f"{name} is done", **agent.work(brief, name, [*self.bench.parts])}

    def report(self, order: str, said: dict[str, Any]) -> None:
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(said).encode())))
        self.call("report", order)

    def call(self, *args: str) -> dict[str, Any]:
        with redirect_stdout(io.StringIO()) as out:
            code = main([*args, "--json", *self.bench.place])
        assert code == 0, out.getvalue()
        found: dict[str, Any] = json.loads(out.getvalue())
        return found

    def check(self) -> None:
        """Nothing was done twice, and nothing is left lying."""
        bench = self.bench
        assert len(self.carried_out) == len(set(self.carried_out)), Counter(self.carried_out).most_common(3)
        events = bench.events()
        started = Counter(e.data["order"] for e in events if e.type == "TASK_STARTED" and "order" in e.data)
        assert started == dict.fromkeys(self.carried_out, 1)
        assert set(bench.completed().values()) == {1}
        assert "TASK_REASSIGNED" not in {e.type for e in events}
        with bench.log() as log:
            assert log.verify() == len(list(log.events()))
        assert bench.standing() == []
        assert bench.worktrees() == [str(bench.project)]
        assert not list(bench.store.glob("work/*/*"))
        assert not bench.processes()
        assert not bench.driven()


@pytest.fixture(autouse=True)
def session_of_an_assistant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "11111111-2222-3333-4444-555555555555")
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))


@pytest.fixture
def undisturbed(tmp_path: Path, warm: Warm, monkeypatch: pytest.MonkeyPatch) -> Ending:
    with Handing(tmp_path / "undisturbed", warm=warm, parts=SMALL) as bench:
        session = Session(bench, monkeypatch, repeat(0))
        assert session.whole() == 0, bench.said()
        session.check()
        return Ending.of(bench)


def test_a_driver_may_die_after_any_durable_step_while_orders_stand(
    tmp_path: Path, warm: Warm, undisturbed: Ending, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = 0
    while kills < KILLS:
        with Handing(tmp_path / str(kills), warm=warm, parts=SMALL) as bench:
            fuses = (chance.randint(1, 45) for _ in range(KILLS - kills))
            session = Session(bench, monkeypatch, chain(fuses, repeat(0)))
            assert session.whole() == 0, bench.said()
            session.check()
            assert not Ending.of(bench).differs(undisturbed)
            kills += max(session.kills, 1)


def test_a_driver_may_die_at_any_step_of_judging_reports(
    tmp_path: Path, warm: Warm, undisturbed: Ending, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T1 is done, and T2 says that it failed: one is proven and landed, the other handed out again."""
    with Handing(tmp_path / "bench", warm=warm, parts=SMALL) as bench:
        session = Session(bench, monkeypatch, repeat(0))
        session.until(lambda: any("/T2#1" in o.id and o.state == "reported" for o in bench.standing()))
        assert {o.state for o in bench.standing()} == {"reported"}
        kept, done = Kept(bench.folder), [*session.carried_out]
        for fuse in range(chance.randint(1, STRIDE), STEPS, STRIDE):
            kept.again()
            session = Session(bench, monkeypatch, chain([fuse], repeat(0)), [*done])
            assert session.whole() == 0, bench.said()
            assert session.kills == 1, f"it takes less than {fuse} steps"
            session.check()
            assert not Ending.of(bench).differs(undisturbed)
