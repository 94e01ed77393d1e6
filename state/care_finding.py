"""What care of the store finds: one thing out of order, where it is, and what can be done about it."""

from typing import Any, NamedTuple


class Finding(NamedTuple):
    """One thing out of order.

    `kind` is a word for programs; `where` a table, a thread or a path in the store; `key` what names the thing there.
    `damaged` is False for what is only untidy: nothing is lost, and every command works.
    """

    kind: str
    where: str
    key: str
    why: str
    cure: str
    damaged: bool = True

    def line(self) -> str:
        """The finding as one line of text."""
        place = f"{self.where} {self.key}".strip()
        return f"{place}: {self.why}. {self.cure}".strip()

    def facts(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return self._asdict()


class Report(NamedTuple):
    """What a check has found, and how much it has read: rows by table, checkpoints loaded."""

    findings: tuple[Finding, ...]
    rows: dict[str, int]
    checkpoints: int

    @property
    def damage(self) -> tuple[Finding, ...]:
        """What is damaged, as opposed to untidy."""
        return tuple(f for f in self.findings if f.damaged)


def lost(where: str, counted: int, marked: int, cure: str) -> list[Finding]:
    """What is to be said of a database that holds fewer commits than its tide mark tells."""
    if counted >= marked:
        return []
    why = (
        f"it has lost what was written to it last: its count of writes is {counted}, and was {marked}. Its -wal file"
        " was removed or damaged, or an older copy was put in its place"
    )
    return [Finding("lost", where, "", why, f"Put the newer file back, with its -wal; or {cure}")]
