"""When the workload of a scenario is run, and that it is the same each time."""

import pytest

from stretto.commands.scenario_document import parse_document
from stretto.commands.scenario_workload import again_after, first_needed, groups, stretched

BENCH, OPTIMISE, COMPARE = (
    "/performance-monitor benchmark '{}'",
    "/resource-manager optimize '{}'",
    "/performance-monitor compare-optimization '{}'",
)


@pytest.mark.parametrize(
    ("lines", "first", "again"),
    [
        (("/test-all",), None, None),
        ((OPTIMISE,), None, None),
        (("/test-all", BENCH), 4, None),
        ((BENCH, OPTIMISE, "/test-all", COMPARE), 3, 4),
        ((OPTIMISE, COMPARE), 3, 3),
        ((COMPARE, OPTIMISE), 3, None),
        ((BENCH, f"{OPTIMISE} --dry-run", OPTIMISE, COMPARE), 3, 5),
        ((f"{OPTIMISE} --dry-run", COMPARE), 4, None),
    ],
)
def test_it_is_run_where_something_is_measured_and_again_where_it_is_compared(
    lines: tuple[str, ...], first: int | None, again: int | None
) -> None:
    (one,) = parse_document("### One\n```bash\n" + "\n".join(lines) + "\n```\n", "x")

    assert (first_needed(one.steps), again_after(one.steps)) == (first, again)


def test_both_periods_have_the_same_twenty_workflows() -> None:
    pre, post = ([line for group in groups(period) for line in group] for period in ("pre", "post"))

    assert len(pre) == 20
    assert [line.replace("_pre_", "_post_") for line in pre] == post
    assert stretched("workload_pre_003", "testing") == stretched("workload_post_003", "testing")
    assert stretched("shop_001", "testing") == 1
