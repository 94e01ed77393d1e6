"""Loaded into the project's own test process: whose code do the tests run?

A copy of this file, under the name `stretto_probe`, is put on the import path of a test run: pytest loads it with `-p`,
and for unittest it is the main program. Two things happen here. Before anything of the project is imported, import
paths that an editable install leads into the main checkout are led to the same place in the workspace. At the end the
modules that still came from the main checkout are written down, and the run does not count if there are any.

Standard library only, for whatever Python the project has.
"""

import json
import os
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

MAIN, ROOT, OUT = "STRETTO_PROBE_MAIN", "STRETTO_PROBE_ROOT", "STRETTO_PROBE_OUT"
"""Variables: the main checkout, the workspace, the folder for what is found."""


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)


def _is_foreign(path: str) -> bool:
    """Whether a path is the main checkout's code: not the workspace's, no installed package, not the environment's."""
    main, root = os.path.realpath(os.environ[MAIN]), os.path.realpath(os.environ[ROOT])
    real = os.path.realpath(path)
    if not _inside(real, main) or _inside(real, root):
        return False
    prefixes = [os.path.realpath(p) for p in (sys.prefix, sys.base_prefix)]
    installed = any(_inside(real, p) and _inside(p, main) and p != main for p in prefixes)
    return not installed and "site-packages" not in Path(real).parts


def _moved(path: str) -> str:
    """The place in the workspace that corresponds to a place in the main checkout, if it is there."""
    if not path or not _is_foreign(path):
        return path
    there = Path(os.environ[ROOT], os.path.relpath(os.path.realpath(path), os.path.realpath(os.environ[MAIN])))
    return str(there) if there.exists() else path


def redirect() -> None:
    """Lead the import path and the finders of editable installs from the main checkout to the workspace."""
    sys.path[:] = [_moved(path) for path in sys.path]
    for name, module in list(sys.modules.items()):
        if name.startswith("__editable___"):
            _redirect_finder(module)


def _redirect_finder(finder: ModuleType) -> None:
    """The two tables of setuptools' finders: package → folder, and namespace → folders."""
    mapping: dict[str, str] = getattr(finder, "MAPPING", {})
    mapping.update({package: _moved(path) for package, path in mapping.items()})
    namespaces: dict[str, list[str]] = getattr(finder, "NAMESPACES", {})
    namespaces.update({package: [_moved(path) for path in paths] for package, paths in namespaces.items()})


def _files() -> Iterator[str]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            yield file


def report(**facts: object) -> None:
    """Write down, for this process, which files of the main checkout were imported."""
    foreign = sorted({os.path.realpath(file) for file in _files() if _is_foreign(file)})
    Path(os.environ[OUT], f"probe-{os.getpid()}.json").write_text(json.dumps({"foreign": foreign, **facts}), "utf-8")


def pytest_sessionfinish() -> None:
    """Called by pytest at the end of a run, in every worker process too."""
    report()


def run_unittest(arguments: list[str]) -> int:
    """`python -m unittest ARGUMENTS`, with its counts written down."""
    program = unittest.main(module=None, argv=["python -m unittest", *arguments], exit=False)
    result = program.result
    failed = [f"{test.id()}: {text}" for test, text in (*result.failures, *result.errors)]
    report(
        tests=result.testsRun,
        failures=len(result.failures) + len(result.unexpectedSuccesses),
        errors=len(result.errors),
        skipped=len(result.skipped),
        first_failures=[text[-2000:] for text in failed[:5]],
    )
    return 0 if result.wasSuccessful() else 1


if OUT in os.environ:
    redirect()

if __name__ == "__main__":
    sys.exit(run_unittest(sys.argv[1:]))
