"""Tools in a replay: ours run live, and what reaches outside of the workspace is answered from the recording."""

from collections.abc import Callable

from stretto.agents.cassette import ToolNote, Turn
from stretto.agents.loop import Tools
from stretto.agents.prints import CWD, Normal, note
from stretto.agents.tools import Result, ours


class Answering:
    """The tools of one lane.

    Args:
        live: Those that work inside the workspace.
        cwd: The workspace.
        normal: The normal form of texts in it.
        turn: Gives the turn whose calls are being made.
        refused: Makes the error of a call that the recording does not answer, from a sentence.
    """

    def __init__(
        self, live: Tools, cwd: str, normal: Normal, turn: Callable[[], Turn], refused: Callable[[str], Exception]
    ) -> None:
        self._live = live
        self._cwd = cwd
        self._normal = normal
        self._turn = turn
        self._refused = refused
        self._at: tuple[str, int] | None = None
        self._used: dict[str, int] = {}

    @property
    def written(self) -> set[str]:
        """The relative paths that were written so far."""
        return self._live.written

    async def use(self, name: str, args: object) -> Result:
        """Run one tool call.

        Raises:
            PermanentError: It reaches outside, and the recording has no answer to it.
        """
        if ours(name):
            return await self._live.use(name, args)
        kept = self._note(name)
        if kept is not None and kept.text is not None:
            return Result(kept.text.replace(CWD, self._cwd), kept.status == "success")
        live = await self._live.use(name, args)
        if kept is not None and kept.hash == note(name, live, self._normal).hash:
            return live  # it was refused when it was recorded, and is now
        raise self._refused(f"the tool {name!r} reaches outside of the workspace, and its answer is not recorded")

    def _note(self, name: str) -> ToolNote | None:
        """The answer to the next call of this name in the present turn."""
        turn = self._turn()
        if self._at != turn.address:
            self._at, self._used = turn.address, {}
        number = self._used.get(name, 0)
        self._used[name] = number + 1
        answers = [kept for kept in turn.tools if kept.name == name]
        return answers[number] if number < len(answers) else None
