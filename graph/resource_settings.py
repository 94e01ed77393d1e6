"""What was chosen about resources: how demand is predicted, who comes first, how clashes are prevented."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

from stretto.graph.online import STRICT, Policy, Rank
from stretto.state.chosen import chosen
from stretto.state.database import Database

NAME = "resources"
"""The choice that holds all of it."""
Prevention = Literal["proactive", "reactive", "disabled"]
PREVENTIONS = ("proactive", "reactive", "disabled")
LEARNING = ("historical_workflows", "last_7_days", "last_30_days", "last_90_days", "none")
STRATEGIES = ("adaptive", "predictive_adaptive", "fixed")
MODES = ("enabled", "disabled")


class ResourceSettings(NamedTuple):
    """`prediction` whether requests without quantities are answered; `learning` the finished workflows to learn from.

    `strategy` is how `optimize` finds settings (`adaptive`: by replaying what has run; `fixed`: by the table of its
    targets); with `predictive_adaptive` requests that do not say how long they take are also ordered and estimated by
    `durations`, the median seconds of their type. `policy` is the order of the queue, `prevention` what happens to
    workflows that would change one file at a time: `proactive` starts one after the other, `reactive` lets them and
    records the clash, `disabled` lets them.
    """

    prediction: str = "enabled"
    learning: str = "historical_workflows"
    strategy: str = "adaptive"
    prevention: Prevention = "reactive"
    policy: Policy = STRICT
    durations: Mapping[str, float] = {}
    version: int = 0


def resource_settings(database: Database) -> ResourceSettings:
    """What holds now: what was chosen, and the defaults of the rest."""
    found = chosen(database, NAME)
    value = found.value
    default = ResourceSettings()
    return ResourceSettings(
        prediction=value.get("prediction_mode", default.prediction),
        learning=value.get("learning_data", default.learning),
        strategy=value.get("optimization_strategy", default.strategy),
        prevention=cast("Prevention", value.get("conflict_prevention", default.prevention)),
        policy=policy_of(value.get("scheduler", {})),
        durations=value.get("durations", {}),
        version=found.version,
    )


def policy_of(value: dict[str, Any]) -> Policy:
    """The policy that a stored one is, what it leaves out as in the default."""
    ranks = {name: Rank(**rank) for name, rank in value.get("ranks", {}).items()}
    rest = {name: value[name] for name in ("ageing", "strict") if name in value}
    return STRICT._replace(ranks={**STRICT.ranks, **ranks}, **rest)
