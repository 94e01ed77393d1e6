"""The words that analysis knows, and what each speaks for. Data only; `analyze.py` says how they are weighed."""

from typing import Final, Literal

WorkType = Literal[
    "bug_fix",
    "documentation_update",
    "testing_project",
    "refactoring_project",
    "research_project",
    "api_development",
    "frontend_development",
    "database_development",
    "feature_development",
    "general_development",
]


def _words(text: str) -> frozenset[str]:
    return frozenset(part.strip().replace("_", " ") for part in text.split())


# A leading verb of these decides, unless the thing it acts on says otherwise ("fix the docs").
DECIDING_VERBS: Final[dict[WorkType, frozenset[str]]] = {
    "bug_fix": _words("fix repair resolve debug correct stop prevent handle patch cure"),
    "documentation_update": _words("document describe explain mention clarify"),
    "testing_project": _words("test cover verify load_test benchmark fuzz"),
    "refactoring_project": _words(
        "refactor restructure rename extract split simplify clean clean_up tidy decouple deduplicate reorganise"
        " reorganize modularise modularize untangle break inline move rewrite"
    ),
    "research_project": _words(
        "research investigate explore evaluate compare study survey assess analyse analyze find_out look_into review"
        " which what how why where who recommend"
    ),
    "general_development": _words(
        "upgrade bump pin configure set_up deploy package release publish drop delete install downgrade"
    ),
}

# Behind a verb of the first kind, a thing of the second decides after all: "fix the docs", "set up tests".
BENDS: Final[dict[WorkType, frozenset[WorkType]]] = {
    "bug_fix": frozenset({"documentation_update", "testing_project"}),
    "refactoring_project": frozenset({"documentation_update", "database_development"}),
    "general_development": frozenset({"documentation_update", "testing_project", "database_development"}),
}

# A leading verb of these says that something comes into being; what it is decides.
BUILDING_VERBS: Final = _words(
    "add implement build create make write support introduce enable let allow provide expose put return show display"
    " design redesign develop turn change update improve increase replace switch convert extend integrate remove print"
    " generate store save send accept speed_up migrate partition shard offer render bring adapt need"
)

NOUNS: Final[dict[WorkType, frozenset[str]]] = {
    "documentation_update": _words(
        "docs doc documentation readme changelog docstring guide tutorial manual handbook typo instructions"
        " contributing wiki faq man_page release_notes code_comment diagram"
    ),
    "testing_project": _words(
        "test coverage unit_test integration_test regression_test end-to-end_test e2e_test property-based_test"
        " test_suite test_case smoke_test"
    ),
    "api_development": _words(
        "api endpoint rest graphql grpc webhook openapi swagger http_route route problem+json gateway rpc http_method"
    ),
    "frontend_development": _words(
        "ui button page screen component react vue svelte angular css dashboard form dialog modal sidebar browser"
        " tooltip toggle dark_mode responsive spinner dropdown menu icon layout frontend front-end widget navbar kanban"
        " single-page phone font"
    ),
    "database_development": _words(
        "database schema table column index migration sql postgresql postgres mysql sqlite mongodb foreign_key"
        " materialised_view materialized_view query partition shard replication stored_procedure view"
    ),
    "bug_fix": _words(
        "flaky_test bug race deadlock leak off-by-one crash regression error exception hole vulnerability"
    ),
    "refactoring_project": _words("dead_code duplicated duplication circular_import god_class"),
    "general_development": _words(
        "docker dockerfile ci github_actions kubernetes terraform dependency dependencies pyproject.toml"
        " setup.py pre-commit license lint linter ansible helm makefile base_image deployment infrastructure"
    ),
    "feature_development": _words("feature platform microservices architecture_migration"),
    "research_project": _words("options recommendation best_practices best_practice trade-offs feasibility"),
}

# Said of software that does what it should not.
SYMPTOMS: Final = _words(
    "crash fail failure broken wrong error exception hang freeze leak deadlock stuck incorrect incorrectly missing lost"
    " twice slow nothing no_longer not_working does_not cannot instead_of 404 500 timeout rounded regression issue"
    " corrupt keyerror throws duplicated_rows stacktrace doesn't can't won't"
)

# In a text that opens without a verb, these ask for something new.
WISHES: Final = _words("should must able_to need want wish")

# Words before the verb that carry no decision: "please", "we want to", "could you".
LEAD_IN: Final = _words(
    "please we want need to i i'd like would should could can you must our let's us have the team kindly now then it"
    " also and so just there a an"
)

# The thing acted on ends at one of these.
STOPS: Final = _words(
    "for of in on onto to with that which when where so from by about into at as while and or across behind over under"
    " between over per after before without how if because through whose who whether inside within until since"
)

TECHNICAL: Final = _words(
    "api rest graphql grpc jwt oauth saml sso token authentication authorisation authorization database schema sql"
    " postgresql mysql mongodb redis cache queue worker cron websocket webhook encryption session permission retry"
    " pagination index migration react vue svelte component docker kubernetes ci pipeline logging streaming"
    " scheduler parser orm replication failover sharding autoscaling secret monitoring validation offline routing"
    " localisation billing playwright django concurrency deadlock race pool connection event service"
)

INTEGRATION: Final = _words(
    "integrate integration service services third-party provider stripe github kafka redis email sms push webhook"
    " gateway identity_provider client clients end-to-end real-time live sync synchronise synchronisation both between"
    " public browser mobile databases"
)

RISK: Final = _words(
    "security payment money refund production downtime data_loss losing race deadlock migrate migration encryption"
    " authentication customer_data personal_data compliance accounts existing backfill oauth saml concurrency load"
    " zero-downtime audit permissions jwt sso"
)

SCOPE: Final = _words(
    "architecture platform monolith microservices multi-tenant entire whole everything system-wide across throughout"
    " regions all"
)

SMALL: Final = _words(
    "typo rename bump pin tooltip colour color spinner flag option --quiet label message wording unit off-by-one"
    " version changelog docstring variable newest nothing one-line small minor simple trivial docs unused dead_code"
    " environment elapsed readme index button"
)

AREAS: Final[dict[str, frozenset[str]]] = {
    "interface": NOUNS["api_development"] | _words("backend server service"),
    "screens": NOUNS["frontend_development"] | _words("web mobile"),
    "data": NOUNS["database_development"] | _words("storage data"),
    "documents": NOUNS["documentation_update"],
    "tests": NOUNS["testing_project"],
    "operations": NOUNS["general_development"] | _words("monitoring infrastructure background_job job worker queue"),
    "access": _words("authentication authorisation authorization login permission oauth saml jwt session identity"),
    "money": _words("billing payment invoice refund pricing checkout"),
}
