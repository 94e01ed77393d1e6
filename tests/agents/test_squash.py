import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.agents import commits, refs
from stretto.agents.commits import Entry
from stretto.agents.repository import Repository
from stretto.agents.squash import Group
from tests.agents.gitproject import GitProject, run_git


async def land(repo: Repository, task: str, files: dict[str, str | None]) -> str:
    """A landing as `land` makes it: one commit with the task's trailer."""
    head = await repo.tip("w_1")
    entries: list[tuple[str, Entry | None]] = []
    for path, content in files.items():
        blob = content and await repo.git.line("hash-object", "-w", "--stdin", stdin=content.encode())
        entries.append((path, Entry("100644", blob) if blob else None))
    tree = await commits.tree_with(repo.git, await repo.git.line("rev-parse", f"{head}^{{tree}}"), entries)
    sha = await commits.commit(repo.git, tree, head, f"Do {task}", [(commits.TASK, task)])
    await refs.move(repo.git, refs.Move(refs.branch_ref("w_1"), sha, head))
    return sha


def group(key: str, *tasks: str, **extra: bytes) -> Group:
    files: dict[str, bytes | None] = {name.replace("_", "."): content for name, content in extra.items()}
    return Group(message=f"Phase {key}", key=key, tasks=frozenset(tasks), extra_files=files)


def test_each_group_becomes_one_commit_with_only_its_files(git_project: GitProject) -> None:
    async def main() -> dict[str, str]:
        repo = await git_project.open()
        base = (await repo.begin("w_1")).base
        await land(repo, "implementation/T1", {"a.py": "1"})
        await land(repo, "implementation/T3", {"c.py": "3"})
        await land(repo, "implementation/T2", {"b.py": "2"})
        one, two = (
            group("one", "implementation/T1", "implementation/T2"),
            group("two", "implementation/T3", plan_md=b"[x]"),
        )
        return await repo.squash("w_1", [one, two], base)

    made = asyncio.run(main())

    assert list(made) == ["one", "two"]
    assert git_project.git("show", "--format=%s", "--name-only", made["one"]).split() == [
        "Phase",
        "one",
        "a.py",
        "b.py",
    ]
    assert git_project.git("show", "--format=%s", "--name-only", made["two"]).split() == [
        "Phase",
        "two",
        "c.py",
        "plan.md",
    ]
    assert git_project.git("rev-parse", "stretto/w_1") == made["two"]


def test_the_landings_stay_reachable_and_known(git_project: GitProject) -> None:
    async def main() -> tuple[str, str, str | None]:
        repo = await git_project.open()
        base = (await repo.begin("w_1")).base
        landed = await land(repo, "implementation/T1", {"a.py": "1"})
        made = await repo.squash("w_1", [group("one", "implementation/T1")], base)
        return landed, made["one"], await repo.landed("w_1", "implementation/T1")

    landed, squashed, known = asyncio.run(main())

    kept = git_project.git("for-each-ref", "--format=%(objectname)", "refs/stretto/w_1/landed")
    assert kept == landed
    assert known == squashed


def test_squashing_twice_changes_nothing(git_project: GitProject) -> None:
    async def main() -> tuple[dict[str, str], dict[str, str], str]:
        repo = await git_project.open()
        base = (await repo.begin("w_1")).base
        await land(repo, "implementation/T1", {"a.py": "1"})
        groups = [group("one", "implementation/T1")]
        return await repo.squash("w_1", groups, base), await repo.squash("w_1", groups, base), await repo.tip("w_1")

    first, second, tip = asyncio.run(main())

    assert first == second
    assert tip == first["one"]


def test_a_group_that_changed_nothing_has_no_commit(git_project: GitProject) -> None:
    async def main() -> dict[str, str]:
        repo = await git_project.open()
        base = (await repo.begin("w_1")).base
        await land(repo, "implementation/T1", {"a.py": "1"})
        return await repo.squash("w_1", [group("none", "implementation/T9"), group("one", "implementation/T1")], base)

    assert list(asyncio.run(main())) == ["one"]


def test_a_landing_that_no_group_claims_stays_a_commit_after_the_groups(git_project: GitProject) -> None:
    async def main() -> None:
        repo = await git_project.open()
        base = (await repo.begin("w_1")).base
        await land(repo, "debug/D1", {"d.py": "1"})
        await land(repo, "implementation/T1", {"a.py": "1"})
        await repo.squash("w_1", [group("one", "implementation/T1")], base)

    asyncio.run(main())

    assert git_project.git("log", "--format=%s", "main..stretto/w_1").splitlines() == ["Do debug/D1", "Phase one"]


def test_in_a_subfolder_extra_files_lie_in_the_project(git_project: GitProject) -> None:
    git_project.commit({"sub/x.py": "x"}, "Add sub")

    async def main() -> dict[str, str]:
        repo = await git_project.open("sub")
        base = (await repo.begin("w_1")).base
        await land(repo, "implementation/T1", {"sub/a.py": "1"})
        return await repo.squash("w_1", [group("one", "implementation/T1", plan_md=b"[x]")], base)

    made = asyncio.run(main())

    assert git_project.git("show", "--format=", "--name-only", made["one"]).split() == ["sub/a.py", "sub/plan.md"]


NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "b/a/c"])
LANDINGS = st.lists(st.tuples(st.integers(0, 3), NAMES, st.sampled_from(["1", "2", None])), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def squash_project(tmp_path_factory: pytest.TempPathFactory) -> GitProject:
    folder = tmp_path_factory.mktemp("squash")
    project = GitProject(folder / "p", folder / "store")
    project.begin({"start": "x", "a/b": "0"})
    return project


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(landings=LANDINGS)
def test_whatever_landed_the_last_tree_is_the_tree_before(
    squash_project: GitProject, landings: list[tuple[int, str, str | None]]
) -> None:
    """Files that become folders, folders that become files, removals, one path written by several groups."""

    async def main() -> tuple[str, str]:
        repo = await squash_project.open()
        base = (await repo.begin("w_1")).base
        await refs.move(repo.git, refs.Move(refs.branch_ref("w_1"), base))
        for number, (rank, path, content) in enumerate(landings):
            await land(repo, f"implementation/T{rank}.{number}", {path: content})
        before = await repo.tip("w_1")
        tasks = [[f"implementation/T{r}.{n}" for n, (r, _, _) in enumerate(landings) if r == k] for k in range(3)]
        await repo.squash("w_1", [group(f"g{k}", *names) for k, names in enumerate(tasks)], base)
        return before, await repo.tip("w_1")

    before, after = asyncio.run(main())

    trees = [run_git(squash_project.root, "rev-parse", f"{sha}^{{tree}}") for sha in (before, after)]
    assert trees[0] == trees[1]
