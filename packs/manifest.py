"""`pack.toml`: what a pack says of itself, and its reading.

    name, version, description, license, requires
    [dependencies]   NAME = ">=1.2,<2", or NAME = {version = ">=1.2,<2", source = "git+URL"}
    [capabilities]   tools, commands, hosts, paths

Versions are semantic ones (1.2.3, 1.3.0-rc.1), ranges are lists of bounds divided by commas; both are compared by
`packaging`.
"""

import tomllib
from typing import Annotated, Any, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from stretto.agents.paths import declared
from stretto.agents.task import Frozen
from stretto.state.errors import BadInput

MANIFEST = "pack.toml"
NAME = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_LONGEST = 40
VERSION = r"^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(-(alpha|beta|rc)\.\d{1,5})?$"
_RESERVED = ("stretto",)


def _range(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError("must be a range of versions, such as '>=1.2,<2'") from None
    return text


def _free(name: str) -> str:
    if name in _RESERVED:
        raise ValueError("is Stretto's own")
    return name


def _writable(path: str) -> str:
    try:
        return declared(path, "paths")
    except BadInput as error:
        raise ValueError(error.message) from None


Name = Annotated[str, Field(pattern=f"^{NAME}$", max_length=_LONGEST)]
Range = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_range)]
Sentence = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\n]*\S[^\n]*$")]
Tool = Literal["Read", "Write", "Edit", "Grep", "Glob", "Bash"]


class Capabilities(Frozen):
    """What a pack may do, by its agents and its handlers: tools, programs, hosts of the network, where it writes."""

    tools: tuple[Tool, ...] = ()
    commands: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+/-]{1,100}$")], ...] = ()
    hosts: tuple[Annotated[str, Field(pattern=r"^(?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63}$", max_length=253)], ...] = ()
    paths: tuple[Annotated[str, AfterValidator(_writable)], ...] = ()


class Dependency(Frozen):
    """Which versions of another pack are needed, and where it comes from; empty for whatever is there."""

    version: Range
    source: str = Field(default="", max_length=300, pattern=r"^[^\s-][^\x00-\x1f]*$|^$")


def _long_form(given: Any) -> Any:
    return {"version": given} if isinstance(given, str) else given


class Manifest(Frozen):
    """What `pack.toml` says. `requires` is the range of Stretto's versions, `dependencies` those of other packs'."""

    name: Annotated[Name, AfterValidator(_free)]
    version: str = Field(pattern=VERSION)
    description: Sentence
    license: Sentence
    requires: Range
    dependencies: dict[Name, Annotated[Dependency, BeforeValidator(_long_form)]] = Field(
        default_factory=dict, max_length=20
    )
    capabilities: Capabilities = Capabilities()


def parse_manifest(text: str) -> Manifest:
    """What a `pack.toml` says.

    Raises:
        BadInput: It is no such file; the message names the key.
    """
    try:
        return Manifest.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{MANIFEST} is not TOML: {error}.", field=MANIFEST) from error
    except ValidationError as error:
        raise refused(MANIFEST, error, tuple(Manifest.model_fields)) from error


def fits(version: str, wanted: str) -> bool:
    """Whether a version lies in a range; one before a release does if it is asked for."""
    return SpecifierSet(wanted).contains(Version(version))


def refused(where: str, error: ValidationError, keys: tuple[str, ...]) -> BadInput:
    """What is wrong first with what a file `where` holds; `keys` are those it may have at its root."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(step) for step in first["loc"]) or "the whole file"
    kind, message = first["type"], str(first["msg"]).removeprefix("Value error, ")
    what = {"missing": "is missing", "extra_forbidden": "is no key that is known here"}.get(kind, message)
    given = "" if kind in ("missing", "extra_forbidden") else f" Given: {first['input']!r:.80}."
    allowed = keys if kind == "extra_forbidden" and len(first["loc"]) == 1 else ()
    hint = f" Keys: {', '.join(allowed)}." if allowed else ""
    return BadInput(f"{where}, {field}: {what}.{given}{hint}", field=field, allowed=allowed)
