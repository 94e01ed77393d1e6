"""Suites: folders of small tasks with hidden tests, by which runners are evaluated.

A suite is a folder with `suite.toml` (`name`, `about`) and one `TASK.toml` a task. A task is a description, a kind, a
budget, the project's files (`[project]`), the tests that decide and that no agent sees (`[hidden]`), and the files of a
solution that is known to pass (`[solution]`), each a table of texts by path.
"""

import hashlib
import json
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from stretto.state.errors import BadInput

M = TypeVar("M", bound=BaseModel)
Kind = Literal["bug fix", "feature", "refactoring", "documentation", "multi-file"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ABOUT = "suite.toml"


def _inside(files: dict[str, str]) -> dict[str, str]:
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or ".git" in path.parts or str(path) != name:
            raise ValueError(f"{name!r} is no path of a file in a project")
    return files


Files = Annotated[dict[str, str], Field(min_length=1), AfterValidator(_inside)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EvalTask(_Strict):
    """One task. `seconds` and `tokens` (input and output) are what a run of it may take."""

    description: str = Field(min_length=1)
    kind: Kind
    seconds: float = Field(default=900, gt=0)
    tokens: int = Field(default=400_000, ge=1)
    project: Files
    hidden: Files
    solution: Files


class _About(_Strict):
    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    about: str = ""


class Suite(NamedTuple):
    """A folder of tasks. `digest` is of everything in it that a result depends on."""

    name: str
    about: str
    tasks: dict[str, EvalTask]
    digest: str


def load_suite(folder: Path) -> Suite:
    """Read a suite.

    Raises:
        BadInput: It is none, or a file of it is not what it should be; the message names the file and the field.
    """
    if not (folder / _ABOUT).is_file():
        raise BadInput(f"{str(folder)!r} is no suite: it has no {_ABOUT}.", field="suite")
    about = _read(folder / _ABOUT, _About)
    tasks: dict[str, EvalTask] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name == _ABOUT:
            continue
        if not _NAME.fullmatch(path.stem):
            raise BadInput(f"{path.name!r} is no name of a task: lower case, digits, underscores.", field="suite")
        tasks[path.stem] = _read(path, EvalTask)
    if not tasks:
        raise BadInput(f"The suite {str(folder)!r} has no task.", field="suite")
    told = {name: task.model_dump(mode="json") for name, task in tasks.items()}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Suite(about.name, about.about, tasks, digest)


def _read(path: Path, shape: type[M]) -> M:
    try:
        said: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return shape.model_validate(said)
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path.name!r} cannot be read: {error}.", field="suite") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(f"{path.name!r}: {where}: {first['msg']}.", field="suite") from error
