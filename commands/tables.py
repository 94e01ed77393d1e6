"""The tables: every command with its operations, flags and positional shapes.

They know all that was ever named for a command, so that "unknown flag" and "known, but not available" can be told
apart; what is available is decided by the handlers.
"""

from collections.abc import Mapping

from stretto.commands.grammar import CommandGrammar, Flag, Implied, Shape, Slot

PRIORITIES = ("critical", "high", "medium", "low")
GATES = ("plan", "merge")
MERGES = ("auto", "ask", "never")
DURABILITIES = ("power", "process")
PARALLEL = ("auto", "solo", "serial", "parallel")

_SWITCH, _TEXT, _INT, _ID, _LIST, _PATH = (
    Flag("switch"),
    Flag("text"),
    Flag("int"),
    Flag("id"),
    Flag("list"),
    Flag("path"),
)
_PRIORITY = Flag("choice", PRIORITIES)
_LEVELS = Flag("choice", ("minimal", "standard", "verbose", "comprehensive"))
_ADAPTIVE = Flag("choice", ("adaptive",))
METRICS = ("time", "agents", "utilisation", "efficiency", "quality", "reliability")


def _switches(names: str) -> dict[str, Flag]:
    return dict.fromkeys(names.split(), _SWITCH)


GLOBAL_FLAGS: Mapping[str, Flag] = {"json": _SWITCH, "store": _TEXT, "project": _TEXT, "runner": _TEXT}
"""Every command takes these, and argv may hold them before the command too."""

_RUN: dict[str, Flag] = {
    "dry-run": _SWITCH,
    "gate": Flag("list", GATES),
    "merge": Flag("choice", MERGES),
    "max-agents": _INT,
    "attempts": _INT,
    "debug-rounds": Flag("int", least=0),
    "timeout": _TEXT,
    "max-agents-total": _INT,
    "max-tokens": _INT,
    "max-usd": _TEXT,
    "max-tool-calls": _INT,
    "max-minutes": _TEXT,
    "wait": _SWITCH,
    "workflow-id": _ID,
    "record": _TEXT,
    "durability": Flag("choice", DURABILITIES),
}
"""Flags of every command that runs agents."""

_JSON = (0, 1)
_NO_ID = Shape(json=_JSON)
_MAY_ID = Shape((0, 1), json=_JSON)
_ONE_ID = Shape((1, 1), json=_JSON)


def _all(names: str, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


def _command(
    name: str,
    flags: Mapping[str, Flag],
    operations: Mapping[str, Shape] | None = None,
    *,
    plain: Shape | None = None,
    id_first: bool = False,
    implied: tuple[Implied, ...] = (),
) -> CommandGrammar:
    return CommandGrammar(name, {**GLOBAL_FLAGS, **flags}, operations or {}, plain, id_first, implied)


_ORCHESTRATE = _command(
    "orchestrate",
    {
        **_RUN,
        **_switches("approve complex recovery-mode test-mode"),
        "leave": _LIST,
        "parallel": Flag("choice", PARALLEL),
        "template": _TEXT,
        "priority": _PRIORITY,
        "resume": _ID,
        "reject": _TEXT,
        "continue-from": _ID,
        "strategy": Flag("choice", ("conservative", "aggressive", "manual")),
        "recovery-strategy": Flag("choice", ("conservative", "aggressive", "manual")),
        "validation": Flag("choice", ("basic", "standard", "comprehensive", "complete")),
        "monitoring-level": Flag("choice", ("minimal", "standard", "verbose")),
        "checkpoint-interval": _TEXT,
    },
    _all("finalize-workflow continue-workflow", _ONE_ID),
    plain=Shape(words=(Slot("description", "text", required=True, unless=("resume", "approve", "reject")),)),
)

_HUB = _command(
    "coordination-hub",
    {"priority": _PRIORITY, **_switches("strict active")},
    {
        **_all("create create-workflow create-test-workflow", _MAY_ID),
        **_all(
            "start-phase complete-phase fail-phase skip-phase", Shape((1, 1), (Slot("phase", required=True),), _JSON)
        ),
        "open-gate": Shape((1, 1), (Slot("gate", required=True),), _JSON),
        **_all("start pause resume complete cancel cleanup save-state load-state get-status recovery-mode", _ONE_ID),
        **_all("assign-agents redistribute-tasks validate-recovery", _ONE_ID),
        "checkpoint": Shape((1, 1), (Slot("name", "text"),), _JSON),
        **_all("restore rollback", Shape((1, 1), (Slot("checkpoint"),), _JSON)),
        **_all("list-workflows", _NO_ID),
        **_all("monitor-pool publish-event subscribe-event get-events", _MAY_ID),
        **_all("configure-performance configure-batching enable-async-processing configure-persistence", _MAY_ID),
        **_all("optimize-subscriptions enable-caching adaptive-checkpoints", _MAY_ID),
    },
    id_first=True,
)

_SCOPED = Shape(words=(Slot("scope"),), json=_JSON)

_RESOURCES = _command(
    "resource-manager",
    {
        "agents": _INT,
        "specialization": _TEXT,
        "priority": _PRIORITY,
        **_switches("preserve-context dry-run undo explain"),
    },
    {
        **_all("allocate reserve release reallocate prefetch", _MAY_ID),
        "transition": Shape((2, 2), json=_JSON),
        "handle-failure": _ONE_ID,
        **_all("monitor status usage capacity optimize tune balance scale predict", _SCOPED),
        **_all("analyze-utilization plan-capacity forecast analyze-trends", _SCOPED),
        **_all("configure check-conflicts resolve-conflicts prevent-conflicts test-allocation", _NO_ID),
    },
)

_STATUS = _command(
    "workflow-status",
    {
        **_switches("all detailed include-dependencies subscribe recovery-report lessons-learned follow explain live"),
        **_switches("interactive performance resources optimization-suggestions agents performance-breakdown debug"),
        **_switches("include-debug include-all realtime pause resume"),
        "events": _LIST,
        "refresh": Flag("optional"),
        "timeframe": _TEXT,
        "reason": _TEXT,
        "checkpoint": Flag("optional"),
        "name": _TEXT,
        "reassign": _TEXT,
        "to": _TEXT,
        "skip": _TEXT,
        "priority": _PRIORITY,
    },
    plain=Shape((0, 1)),
)

_PERFORMANCE = _command(
    "performance-monitor",
    {**_switches("track-state no-track-state"), "optimization": _ADAPTIVE, "explain": Flag("optional", METRICS)},
    {
        "track": _ONE_ID,
        **_all("allocation-efficiency recovery-success benchmark compare-optimization", _MAY_ID),
        **_all("enable-learning test-mode monitor live-metrics dashboard alerts trends patterns comparative", _MAY_ID),
        **_all("regression efficiency throughput resource-efficiency agent-performance bottlenecks", _MAY_ID),
        **_all("recommendations tune-suggestions capacity-planning predictions execution-analysis", _MAY_ID),
        **_all("phase-performance task-optimization parallel-efficiency", _MAY_ID),
    },
    id_first=True,
    implied=(Implied("track", 1, frozenset({"track-state", "no-track-state", "optimization"})),),
)

_FILTERED = Shape(words=(Slot("filter"),), json=_JSON)

_PROGRESS = _command(
    "progress-aggregator",
    {
        "workflow": _ID,
        **_switches("include-conflicts resource-analysis sync-state predictive-analysis historical-comparison live"),
        **_switches("include-recommendations include-root-cause resolution-strategies include-risk-analysis"),
        **_switches("include-predictions explain"),
        "refresh": Flag("optional"),
        "filter": _LIST,
        "timeline": _TEXT,
        "timeframe": _TEXT,
        "detail-level": Flag("choice", ("summary", "detailed", "comprehensive")),
        "export-format": Flag("choice", ("json", "csv", "dashboard", "report")),
        "alert-thresholds": _TEXT,
    },
    {
        "workflow-summary": _MAY_ID,
        **_all("system-overview priority-analysis bottleneck-analysis milestone-tracking", _FILTERED),
        "performance-analytics": _FILTERED,
        "recovery-analysis": _ONE_ID,
        **_all("configure track-workflows system-report resource-prediction-accuracy test-integration", _NO_ID),
    },
    implied=(Implied("workflow-summary", 0, frozenset({"workflow"})), Implied("system-overview", 0)),
)

_RESTORED = Shape((1, 1), (Slot("checkpoint"),), _JSON)

_RECOVERY = _command(
    "workflow-recovery",
    _switches("explain"),
    {
        **_all("restore rollback partial-restore emergency-restore", _RESTORED),
        **_all("analyze-failure root-cause impact-assessment recovery-plan", _ONE_ID),
        **_all("create-checkpoint validate-checkpoint", _RESTORED),
        **_all("list-checkpoints cleanup-checkpoints monitor-health create-strategy update-strategy", _MAY_ID),
        **_all("validate-state repair-state merge-states backup-state test-resilience test-scenarios", _MAY_ID),
    },
    id_first=True,
)

_DEPENDENCIES = _command(
    "dependency-resolver",
    {},
    _all(
        "analyze map trace discover check-conflicts validate verify detect-issues optimize recommend improve enhance"
        " optimize-guide find-paths alternative-routes scenario-analysis visualize graph report diagram",
        Shape(words=(Slot("subject", "path"),), json=_JSON),
    ),
)

_SUBAGENTS = _command(
    "subagents",
    {
        **_RUN,
        **_switches("verbose orchestrated"),
        "workflow-priority": _TEXT,
        "coordination-mode": Flag("choice", ("active", "passive")),
        "resource-reserve": Flag("int", least=0),
    },
    {"configure": _NO_ID},
    plain=Shape(json=(2, 2)),
)

_NAMED = Shape(words=(Slot("name", required=True),))
_INSTANTIATE = Shape(words=(Slot("name", required=True), Slot("description", "text", required=True)), json=_JSON)

_TEMPLATE = _command(
    "workflow-template",
    {**_RUN, **_switches("complex"), "priority": _PRIORITY},
    {
        "list": Shape(),
        "show": _NAMED,
        **_all("validate check verify", Shape(words=(Slot("name"),))),
        **_all("instantiate apply use", _INSTANTIATE),
    },
)

_DEVELOPMENT = (
    _command("report", _RUN, plain=Shape(words=(Slot("topic", "text", required=True),))),
    _command(
        "plan",
        {
            **_RUN,
            **_switches("orchestrated"),
            "reports": Flag("paths"),
            "workflow-context": _ID,
            "coordination": Flag("choice", ("orchestrated",)),
            "complexity": Flag("choice", ("low", "medium", "high", "very_high")),
        },
        plain=Shape(words=(Slot("feature", "text", required=True), Slot("report", "path", many=True))),
    ),
    _command(
        "implement",
        {
            **_RUN,
            **_switches("orchestrated parallel-execution"),
            "resource-coordination": _ADAPTIVE,
            "resource-allocation": _TEXT,
            "monitoring": _LEVELS,
            "parallel": Flag("choice", PARALLEL),
        },
        plain=Shape(words=(Slot("plan", "path"), Slot("phase"))),
    ),
    _command(
        "debug",
        {**_RUN, **_switches("security-analysis penetration-testing"), "workflow-context": _ID},
        plain=Shape(words=(Slot("issue", "text", required=True), Slot("document", "path", many=True))),
    ),
    _command(
        "test",
        {**_RUN, **_switches("comprehensive security-focus orchestrated"), "workflow-context": _ID},
        plain=Shape(
            words=(
                Slot("target", "path"),
                Slot("level", allowed=("unit", "integration", "all", "nearest", "file", "suite")),
            )
        ),
    ),
    _command(
        "test-all",
        {
            **_RUN,
            **_switches("affected-areas coverage coverage-analysis performance-validation"),
            "workflow-context": _ID,
        },
        plain=Shape(words=(Slot("extent", allowed=("coverage",)),)),
    ),
    _command(
        "document",
        {**_RUN, **_switches("cross-reference"), "scope": _PATH, "workflow-context": _ID, "audience": _TEXT},
        plain=Shape(words=(Slot("change", "text"), Slot("scope", "path"))),
    ),
)

_LISTS = tuple(
    _command(
        f"list-{kind}",
        {**_switches("orchestration-ready"), "workflow-context": _ID},
        plain=Shape(words=(Slot("pattern", "text"),)),
    )
    for kind in ("plans", "reports", "summaries")
)

COMMANDS: Mapping[str, CommandGrammar] = {
    grammar.name: grammar
    for grammar in (
        _ORCHESTRATE,
        _HUB,
        _RESOURCES,
        _STATUS,
        _PERFORMANCE,
        _PROGRESS,
        _RECOVERY,
        _DEPENDENCIES,
        _SUBAGENTS,
        _TEMPLATE,
        *_DEVELOPMENT,
        *_LISTS,
    )
}
"""Every command by its name without the slash."""

OPERATION_WORDS = frozenset(name for grammar in COMMANDS.values() if grammar.id_first for name in grammar.operations)
"""Words that no new workflow may have as its id: where the id may come first, they would be read as operations."""
