CREATE TABLE events (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, workflow_id TEXT NOT NULL,
    phase TEXT NOT NULL, timestamp TEXT NOT NULL, source TEXT NOT NULL, severity TEXT NOT NULL, data TEXT NOT NULL,
    correlation_id TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX events_of_workflow ON events (workflow_id, seq);
CREATE TABLE workflows (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, description TEXT NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL,
    spec TEXT NOT NULL, runner TEXT NOT NULL, state_version INTEGER NOT NULL, created TEXT NOT NULL,
    updated TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE attempts (
    workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, key TEXT NOT NULL,
    state TEXT NOT NULL, starts INTEGER NOT NULL, commit_sha TEXT NOT NULL, outcome TEXT NOT NULL,
    started TEXT NOT NULL, finished TEXT NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, task_id, attempt)) WITHOUT ROWID;
CREATE TABLE outcomes (
    workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, outcome TEXT NOT NULL,
    crc INTEGER NOT NULL, PRIMARY KEY (workflow_id, task_id)) WITHOUT ROWID;
CREATE TABLE facts (
    workflow_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, name)) WITHOUT ROWID;
CREATE TABLE leases (
    workflow_id TEXT PRIMARY KEY, token INTEGER NOT NULL, released INTEGER NOT NULL, pid INTEGER NOT NULL,
    boot TEXT NOT NULL, started TEXT NOT NULL, host TEXT NOT NULL, since TEXT NOT NULL,
    crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
    workflow_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, at TEXT NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, kind)) WITHOUT ROWID;
PRAGMA application_id = 1398035028;
PRAGMA user_version = 1;
