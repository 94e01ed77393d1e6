"""From what an agent said to an Outcome: one door for every runner.

A program's JSON object and a model's `finish` call pass here. What does not fit is an error that names the field; it is
never taken as done.
"""

import json
import re
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from stretto.agents.data import BadOutcome, Path, bad_outcome, check_data, schema_for
from stretto.agents.redact import mapped
from stretto.agents.speech import encodable
from stretto.agents.task import Artifact, Outcome, RoleName, Status, Usage

_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n[ \t]*```", re.DOTALL)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Artifact(_Strict):
    path: Path
    digest: str = ""


class _Usage(_Strict):
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cost_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class _Said(_Strict):
    status: Status
    summary: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    artifacts: tuple[_Artifact, ...] = ()
    writes: tuple[Path, ...] = ()
    usage: _Usage = _Usage()
    error: str = ""

    @field_validator("artifacts", mode="before")
    @classmethod
    def _paths_are_artifacts(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        items = cast("list[object]", value)
        return [{"path": item} if isinstance(item, str) else item for item in items]


def outcome(said: object, role: RoleName) -> Outcome:
    """What an agent said, as an outcome.

    The data is checked when the agent says that it completed, or when there is any.

    Raises:
        BadOutcome: It does not fit; the message names the field.
    """
    try:
        taken = _Said.model_validate(mapped(said, encodable))
    except ValidationError as error:
        raise bad_outcome(error, "", "The outcome") from error
    data = check_data(role, taken.data).model_dump(mode="json") if taken.status == "completed" or taken.data else {}
    return Outcome(
        status=taken.status,
        summary=taken.summary,
        data=data,
        artifacts=tuple(Artifact(path=a.path, digest=a.digest) for a in taken.artifacts),
        writes=taken.writes,
        usage=Usage(**taken.usage.model_dump()),
        error=_reason(taken) if taken.status == "failed" else "",
    )


def _reason(said: _Said) -> str:
    return said.error or said.summary or "The agent says that it failed, and not why."


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object that `text` is.

    Raises:
        BadOutcome: It is not JSON, not an object, nested beyond measure, or holds NaN.
    """
    try:
        found: object = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadOutcome(f"Not one JSON object ({error}). It begins: {text.strip()[:300]!r}", field="") from error
    if not isinstance(found, dict):
        raise BadOutcome(f"Not a JSON object. It begins: {text.strip()[:300]!r}", field="")
    return cast("dict[str, Any]", found)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def said_in_text(text: str) -> dict[str, Any] | None:
    """A JSON object that is the whole of a model's text, or stands in its only fence; None without one."""
    fences = _FENCED.findall(text)
    candidate = fences[0] if len(fences) == 1 else text
    if not candidate.lstrip().startswith("{"):
        return None
    try:
        return json_object(candidate)
    except BadOutcome:
        return None


def from_text(text: str, role: RoleName) -> dict[str, Any] | None:
    """A model's last words as the arguments of `finish`; None if they hold no JSON object.

    An object without a status is taken as the data alone: that is what models return who overlook the envelope.
    """
    found = said_in_text(text)
    if found is None:
        return None
    if "status" in found:
        return found
    fields = schema_for(role).get("properties", {})
    return {"status": "completed", "data": found} if fields and set(fields) & set(found) else None


def finish_schema(role: RoleName) -> dict[str, Any]:
    """The JSON Schema of the arguments of `finish`."""
    return {
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": ["completed", "partial", "failed"]},
            "summary": {"type": "string"},
            "data": schema_for(role),
            "artifacts": {"type": "array", "items": {"type": "string"}, "description": "relative paths"},
        },
        "required": ["status", "summary"],
    }


def finished(args: object, role: RoleName) -> Outcome:
    """The arguments of a `finish` call as an outcome; keys it does not have are dropped.

    Raises:
        BadOutcome: They do not fit.
    """
    known = finish_schema(role)["properties"]
    loose = cast("dict[str, object]", args) if isinstance(args, dict) else {}
    return outcome({key: value for key, value in loose.items() if key in known and value is not None}, role)
