"""The tables of `events.db`.

Every table ends with `crc`, a checksum of the row's other columns. JSON is kept as text.
"""

APPLICATION_ID = 0x53545254
"""`STRT`: tells our file from any other SQLite database."""
VERSION = 4
"""`user_version`. A file of a newer version is refused, untouched; an older one is brought up by its next writer."""

STANDING = "state IN ('open', 'taken', 'reported')"
"""Of the orders, those that still matter to their workflow. As the index has it, or SQLite would not use that."""
_ORDERS = (
    """
    CREATE TABLE orders (
        workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL,
        taker TEXT NOT NULL, taken TEXT NOT NULL, work TEXT NOT NULL, report TEXT NOT NULL, notes TEXT NOT NULL,
        crc INTEGER NOT NULL, PRIMARY KEY (workflow_id, task_id, attempt)) WITHOUT ROWID
    """,
    f"CREATE INDEX standing_orders ON orders (workflow_id) WHERE {STANDING}",
)
_THIRD = (
    """
    CREATE TABLE subscriptions (
        name TEXT PRIMARY KEY, wanted TEXT NOT NULL, cursor INTEGER NOT NULL, tries INTEGER NOT NULL,
        error TEXT NOT NULL, since TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE dead_letters (
        subscription TEXT NOT NULL, seq INTEGER NOT NULL, tries INTEGER NOT NULL, error TEXT NOT NULL,
        at TEXT NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (subscription, seq)) WITHOUT ROWID
    """,
    "CREATE INDEX workflows_by_age ON workflows (created, id)",
    "CREATE INDEX workflows_by_status ON workflows (status, created, id)",
)
LIVE = "state IN ('queued', 'active', 'reserved')"
"""Of the allocations, those that hold something or wait for it."""
_FOURTH = (
    """
    CREATE TABLE allocations (
        id TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, state TEXT NOT NULL, priority TEXT NOT NULL,
        wanted TEXT NOT NULL, granted TEXT NOT NULL, context TEXT NOT NULL, requested TEXT NOT NULL,
        since TEXT NOT NULL, until TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID
    """,
    f"CREATE INDEX live_allocations ON allocations (workflow_id) WHERE {LIVE}",
    """
    CREATE TABLE pool (
        agent_id TEXT PRIMARY KEY, role TEXT NOT NULL, state TEXT NOT NULL, workflow_id TEXT NOT NULL,
        allocation_id TEXT NOT NULL, since TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE settings (
        name TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL, at TEXT NOT NULL,
        crc INTEGER NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE savepoints (
        id TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL,
        snapshot TEXT NOT NULL, digest TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID
    """,
    "CREATE INDEX savepoints_of_workflow ON savepoints (workflow_id, name)",
)
MIGRATIONS = {1: _ORDERS, 2: _THIRD, 3: _FOURTH}
"""From each older version, the statements that lead to the next one."""

DDL = (
    """
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, workflow_id TEXT NOT NULL,
        phase TEXT NOT NULL, timestamp TEXT NOT NULL, source TEXT NOT NULL, severity TEXT NOT NULL, data TEXT NOT NULL,
        correlation_id TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, crc INTEGER NOT NULL)
    """,
    "CREATE INDEX events_of_workflow ON events (workflow_id, seq)",
    """
    CREATE TABLE workflows (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, description TEXT NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL,
        spec TEXT NOT NULL, runner TEXT NOT NULL, state_version INTEGER NOT NULL, created TEXT NOT NULL,
        updated TEXT NOT NULL, crc INTEGER NOT NULL)
    """,
    """
    CREATE TABLE attempts (
        workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, key TEXT NOT NULL,
        state TEXT NOT NULL, starts INTEGER NOT NULL, commit_sha TEXT NOT NULL, outcome TEXT NOT NULL,
        started TEXT NOT NULL, finished TEXT NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, task_id, attempt)) WITHOUT ROWID
    """,
    """
    CREATE TABLE outcomes (
        workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, outcome TEXT NOT NULL,
        crc INTEGER NOT NULL, PRIMARY KEY (workflow_id, task_id)) WITHOUT ROWID
    """,
    """
    CREATE TABLE facts (
        workflow_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, name)) WITHOUT ROWID
    """,
    """
    CREATE TABLE leases (
        workflow_id TEXT PRIMARY KEY, token INTEGER NOT NULL, released INTEGER NOT NULL, pid INTEGER NOT NULL,
        boot TEXT NOT NULL, started TEXT NOT NULL, host TEXT NOT NULL, since TEXT NOT NULL,
        crc INTEGER NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE requests (
        workflow_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, at TEXT NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, kind)) WITHOUT ROWID
    """,
    *_ORDERS,
    *_THIRD,
    *_FOURTH,
)

SELECT = {
    "events": "SELECT * FROM events",
    "workflows": "SELECT * FROM workflows",
    "attempts": "SELECT * FROM attempts",
    "outcomes": "SELECT * FROM outcomes",
    "facts": "SELECT * FROM facts",
    "leases": "SELECT * FROM leases",
    "requests": "SELECT * FROM requests",
    "orders": "SELECT * FROM orders",
    "subscriptions": "SELECT * FROM subscriptions",
    "dead_letters": "SELECT * FROM dead_letters",
    "allocations": "SELECT * FROM allocations",
    "pool": "SELECT * FROM pool",
    "settings": "SELECT * FROM settings",
    "savepoints": "SELECT * FROM savepoints",
}
INSERT = {
    "events": "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "workflows": "INSERT OR REPLACE INTO workflows VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    "attempts": "INSERT OR REPLACE INTO attempts VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    "outcomes": "INSERT INTO outcomes VALUES (?,?,?,?,?)",
    "facts": "INSERT OR REPLACE INTO facts VALUES (?,?,?,?)",
    "leases": "INSERT OR REPLACE INTO leases VALUES (?,?,?,?,?,?,?,?,?)",
    "requests": "INSERT OR REPLACE INTO requests VALUES (?,?,?,?,?)",
    "orders": "INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?,?,?,?)",
    "subscriptions": "INSERT OR REPLACE INTO subscriptions VALUES (?,?,?,?,?,?,?)",
    "dead_letters": "INSERT OR REPLACE INTO dead_letters VALUES (?,?,?,?,?,?)",
    "allocations": "INSERT OR REPLACE INTO allocations VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    "pool": "INSERT OR REPLACE INTO pool VALUES (?,?,?,?,?,?,?)",
    "settings": "INSERT OR REPLACE INTO settings VALUES (?,?,?,?,?)",
    "savepoints": "INSERT INTO savepoints VALUES (?,?,?,?,?,?,?,?)",
}
"""Events, outcomes and savepoints are written once; the rest may be replaced."""
