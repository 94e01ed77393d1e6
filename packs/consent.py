"""What somebody is shown before a pack is installed, and what is new in one that is updated."""

from collections.abc import Iterator, Sequence

from stretto.packs.pack import Pack, Problem
from stretto.state.pack_lock import Locked


def told(pack: Pack, *, source: str, signer: str, shown: Sequence[Problem], before: Locked | None) -> str:
    """The pack in words: what it is, whose, what it brings, and what it may do."""
    manifest = pack.manifest
    lines = [
        f"{manifest.name} {manifest.version}: {manifest.description}",
        f"  licence    {manifest.license}",
        f"  source     {source}",
        f"  signature  {signer}",
        f"  commands   {_listed(f'/{manifest.name}:{name}' for name in pack.commands)}",
        f"  agents     {_listed(f'{manifest.name}:{name}' for name in pack.agents)}",
        f"  templates  {_listed(f'{manifest.name}:{name}' for name in pack.templates)}",
    ]
    if pack.handlers:
        lines.append(f"  programs   {_listed(f'commands/{name}.py' for name in pack.handlers)}")
    lines.append(f"  scenarios  {sum(path.startswith('scenarios/') for path in pack.files)}")
    needs = (f"{name} {each.version}" for name, each in manifest.dependencies.items())
    lines += [f"  needs      {_listed(needs)}"] if manifest.dependencies else []
    lines += [f"  may        {line}" for line in capabilities(manifest.capabilities.model_dump())]
    if before:
        lines += ["", f"instead of {before.version}:", *(f"  {line}" for line in changes(before, pack))]
    if shown:
        lines += ["", "look at this:", *(f"  {problem}" for problem in shown)]
    return "\n".join(lines)


def capabilities(may: dict[str, Sequence[str]]) -> Iterator[str]:
    """Each kind of thing that a pack may do, in a line."""
    words = {"tools": "use the tools", "commands": "run", "hosts": "reach", "paths": "write to"}
    for kind, word in words.items():
        if may.get(kind):
            yield f"{word} {', '.join(may[kind])}"
    if not any(may.values()):
        yield "nothing beyond reading the project"


def changes(before: Locked, pack: Pack) -> Iterator[str]:
    """What another version of a pack adds and takes away: capabilities, and files."""
    now = pack.manifest.capabilities.model_dump()
    for kind in ("tools", "commands", "hosts", "paths"):
        old, new = set(before.capabilities.get(kind, [])), set(now[kind])
        yield from (f"+ capability {kind}: {name}" for name in sorted(new - old))
        yield from (f"- capability {kind}: {name}" for name in sorted(old - new))
    from stretto.packs.lock import locked

    files = locked(pack, source="", commit="", signer="").files
    for path in sorted({*files, *before.files}):
        if path not in before.files:
            yield f"+ {path}"
        elif path not in files:
            yield f"- {path}"
        elif files[path] != before.files[path]:
            yield f"~ {path}"


def _listed(names: Iterator[str]) -> str:
    return ", ".join(names) or "none"
