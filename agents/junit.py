"""Counts from a JUnit XML file, read as hostile input: the tests that wrote it are an agent's."""

from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from stretto.state.errors import StrettoError

MOST_BYTES = 50_000_000
_KEPT_FAILURES = 5
_KEPT_CHARACTERS = 2_000


class Counts(NamedTuple):
    """What a test runner reported. `first_failures` holds the texts of the first few failures and errors."""

    tests: int
    failures: int
    errors: int
    skipped: int
    seconds: float
    first_failures: tuple[str, ...] = ()


class Unreadable(StrettoError):
    """Not a JUnit file that can be trusted."""

    code = "UNREADABLE_RESULT"


class _Reader:
    """Counts while expat walks; nothing is kept but the first failures."""

    def __init__(self) -> None:
        self.counted = dict.fromkeys(("testcase", "failure", "error", "skipped"), 0)
        self.seconds = 0.0
        self.failures: list[str] = []
        self._case = ""
        self._text: list[str] | None = None
        self._depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "testsuite" and self._depth == 0:
            self.seconds += _number(attributes.get("time", ""))
        self._depth += tag == "testsuite"
        if tag in self.counted:
            self.counted[tag] += 1
        if tag == "testcase":
            self._case = "::".join(filter(None, (attributes.get("classname"), attributes.get("name"))))
        if tag in ("failure", "error") and len(self.failures) < _KEPT_FAILURES:
            self._text = [f"{self._case}: {attributes.get('message', '')}\n"]

    def text(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def end(self, tag: str) -> None:
        self._depth -= tag == "testsuite"
        if tag in ("failure", "error") and self._text is not None:
            self.failures.append(_shortened("".join(self._text)))
            self._text = None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _shortened(text: str) -> str:
    """The beginning and the end: the name and the message of a failure, and its last lines."""
    if len(text) <= _KEPT_CHARACTERS:
        return text.strip()
    half = _KEPT_CHARACTERS // 2
    return f"{text[:half]}\n[…]\n{text[-half:]}".strip()


def _refuse(*_: object) -> None:
    raise Unreadable("The test result declares a document type or an entity, which no test runner writes.")


def read_junit(path: Path) -> Counts:
    """Count the test cases of a JUnit file.

    Raises:
        Unreadable: It is missing, too large, not XML, or declares a document type.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"The test result is larger than {MOST_BYTES} bytes.")
        content = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"The test runner left no result: {error.strerror}.") from error
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise Unreadable(f"The test result is no XML: {error}.") from error
    found = reader.counted
    return Counts(
        found["testcase"], found["failure"], found["error"], found["skipped"], reader.seconds, tuple(reader.failures)
    )
