"""Resolution: versions of packs that fit together, and who wants what where none do.

What is installed stays as it is where that fits. The search is resolvelib's.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from stretto.packs.options import Option, Options, Wanted, is_early, suits
from stretto.packs.origins import origin
from stretto.state.errors import BadInput
from stretto.state.pack_lock import Locked

if TYPE_CHECKING:
    from resolvelib.structs import RequirementInformation

_ROUNDS = 1000


def resolved(options: Options, before: Mapping[str, Locked], newest: Collection[str]) -> list[Option]:
    """The versions to install beside what stays: those that were named, and what they need.

    Raises:
        BadInput: No versions fit together; the message says who wants what, and what there is.
    """
    given = list(options.given.values())
    if newest or not _enough(given, before):
        chosen = _searched(options, before)
        return [option for option in chosen.values() if not option.is_installed]
    return given


def _enough(given: Sequence[Option], before: Mapping[str, Locked]) -> bool:
    """Whether what was named and what is installed fit together as they are."""
    there = {name: (pack.version, pack.source) for name, pack in before.items()}
    there |= {option.name: (option.version, option.source) for option in given}
    wanted = [need for option in given for need in option.needs()]
    wanted += _of_installed(before, {option.name for option in given})
    return all(
        need.name in there
        and suits(Option(need.name, *there[need.name], None), need)
        and (not need.source or origin(need.source) == origin(there[need.name][1]))
        for need in wanted
    )


def _of_installed(before: Mapping[str, Locked], without: Collection[str] = ()) -> Iterator[Wanted]:
    for pack in before.values():
        if pack.name not in without:
            yield from (Wanted(name, f"{pack.name} {pack.version}", want) for name, want in pack.dependencies.items())


def _searched(options: Options, before: Mapping[str, Locked]) -> Mapping[str, Option]:
    try:
        from resolvelib import BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver
    except ModuleNotFoundError as error:
        raise BadInput(
            "To find versions that fit together takes the extra `packs`, which is not installed. Nothing was changed.",
            field="SOURCE",
            next_steps=("pip install 'stretto[packs]'", "Or name every pack that is needed."),
        ) from error
    roots = [Wanted(name) for name in dict.fromkeys([*options.given, *before])]
    reporter: BaseReporter[Wanted, Option, str] = BaseReporter()
    try:
        return Resolver(_provider(options, before), reporter).resolve(roots, max_rounds=_ROUNDS).mapping
    except ResolutionImpossible as error:  # pyright: ignore[reportUnknownVariableType] - an error has no parameters
        causes = cast("Collection[RequirementInformation[Wanted, Option]]", error.causes)  # pyright: ignore[reportUnknownMemberType]
        raise _impossible(causes, options) from error
    except ResolutionTooDeep as error:
        raise BadInput(
            f"No versions that fit together were found in {_ROUNDS} rounds; nothing was changed.", field="SOURCE"
        ) from error


def _provider(options: Options, before: Mapping[str, Locked]) -> Any:
    from resolvelib import AbstractProvider

    class Provider(AbstractProvider[Wanted, Option, str]):
        """What there is, and what it needs."""

        def identify(self, requirement_or_candidate: Wanted | Option) -> str:
            return requirement_or_candidate.name

        def get_preference(
            self,
            identifier: str,
            resolutions: Mapping[str, Option],
            candidates: Mapping[str, Iterator[Option]],
            information: "Mapping[str, Iterator[RequirementInformation[Wanted, Option]]]",
            backtrack_causes: "Sequence[RequirementInformation[Wanted, Option]]",
        ) -> tuple[bool, str]:
            del resolutions, candidates, information, backtrack_causes
            return identifier not in options.given, identifier

        def find_matches(
            self,
            identifier: str,
            requirements: Mapping[str, Iterator[Wanted]],
            incompatibilities: Mapping[str, Iterator[Option]],
        ) -> Callable[[], Iterator[Option]]:
            wanted, out = list(requirements[identifier]), list(incompatibilities[identifier])

            def keep(option: Option) -> bool:
                there = option.is_installed or identifier in options.given
                fit = all(self.is_satisfied_by(each, option) for each in wanted)
                return fit and option not in out and (there or not is_early(option, wanted))

            return lambda: options.of(identifier, _sources(wanted), keep)

        def is_satisfied_by(self, requirement: Wanted, candidate: Option) -> bool:
            named = candidate.name in options.given or not requirement.source
            return suits(candidate, requirement) and (named or origin(requirement.source) == origin(candidate.source))

        def get_dependencies(self, candidate: Option) -> Iterable[Wanted]:
            if not candidate.is_installed:
                return list(candidate.needs())
            return list(_of_installed({candidate.name: before[candidate.name]}))

    return Provider()


def _sources(wanted: Iterable[Wanted]) -> list[str]:
    return list(dict.fromkeys(each.source for each in wanted if each.source))


def _impossible(causes: "Collection[RequirementInformation[Wanted, Option]]", options: Options) -> BadInput:
    wanted = list(dict.fromkeys(cause.requirement for cause in causes))
    lines: list[str] = []
    for name in dict.fromkeys(each.name for each in wanted):
        of_it = [each for each in wanted if each.name == name]
        there = options.told(name, _sources(of_it))
        for each in of_it:
            whence = f" from {each.source}" if each.source else ""
            if each.by:
                lines.append(f"  {each.by} needs {name} {each.range}{whence}, and there is {there}")
        if not any(each.by for each in of_it):
            lines.append(f"  {name} is asked for, and there is {there}")
    said = "\n".join(lines)
    return BadInput(
        f"The packs do not fit together, and nothing was changed:\n{said}",
        field="SOURCE",
        details={"wanted": [each._asdict() for each in wanted]},
        next_steps=("Add the packs that are needed together: stretto pack add SOURCE SOURCE …",),
    )
