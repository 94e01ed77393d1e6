-- events.db of schema 3, as the last version that wrote it left it.
PRAGMA journal_mode=WAL;
BEGIN TRANSACTION;
CREATE TABLE attempts (
        workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, key TEXT NOT NULL,
        state TEXT NOT NULL, starts INTEGER NOT NULL, commit_sha TEXT NOT NULL, outcome TEXT NOT NULL,
        started TEXT NOT NULL, finished TEXT NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, task_id, attempt)) WITHOUT ROWID
    ;
INSERT INTO "attempts" VALUES('shop_001','plan/T1',1,'shop_001/plan/T1#1','completed',1,'','{"status":"completed","summary":"done"}','2026-09-21T14:13:20.750Z','2026-09-21T14:13:20.750Z',3548652992);
INSERT INTO "attempts" VALUES('shop_001','plan/T2',1,'shop_001/plan/T2#1','started',1,'','','2026-09-21T14:13:20.750Z','',2053791933);
INSERT INTO "attempts" VALUES('shop_001','plan/T3',1,'shop_001/plan/T3#1','started',1,'','','2026-09-21T14:13:21.000Z','',3920205392);
CREATE TABLE dead_letters (
        subscription TEXT NOT NULL, seq INTEGER NOT NULL, tries INTEGER NOT NULL, error TEXT NOT NULL,
        at TEXT NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (subscription, seq)) WITHOUT ROWID
    ;
CREATE TABLE events (
        seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, workflow_id TEXT NOT NULL,
        phase TEXT NOT NULL, timestamp TEXT NOT NULL, source TEXT NOT NULL, severity TEXT NOT NULL, data TEXT NOT NULL,
        correlation_id TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, crc INTEGER NOT NULL);
INSERT INTO "events" VALUES(1,'evt_01a205be56af547771bebd53','WORKFLOW_CREATED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"description":"Add a shop","type":"feature"}','','','2eafac666a5a45dee740f9813f6f625a9641245ded3fd131f915e5bee49ef9d3',3231864358);
INSERT INTO "events" VALUES(2,'evt_01a205be56b342a10cc1543d','WORKFLOW_SCHEDULED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"start_time":"immediate"}','','2eafac666a5a45dee740f9813f6f625a9641245ded3fd131f915e5bee49ef9d3','6eba7c449a39d44b8d9e7acbc4cff45b8a21e68d34c9e5729fc29c242aa6ae4f',4242609960);
INSERT INTO "events" VALUES(3,'evt_01a205be56b396512797cfcf','WORKFLOW_STARTED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"branch":"b"}','','6eba7c449a39d44b8d9e7acbc4cff45b8a21e68d34c9e5729fc29c242aa6ae4f','e2129ad7b1f8b45982c11677ba159a0669781a9c2379effb2898198a7ae432d1',3245144285);
INSERT INTO "events" VALUES(4,'evt_01a205be56b6bf8f1297c95c','PHASE_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"phase_id":"plan"}','','e2129ad7b1f8b45982c11677ba159a0669781a9c2379effb2898198a7ae432d1','26ebbfb0dbcdc12a0a1d851c2f4cb50ac5c85b3d6726e3b5962bda4cef1c3ba2',3974756575);
INSERT INTO "events" VALUES(5,'evt_01a205be56b6079beb33f0aa','TASK_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T1","attempt":1,"agent_id":"a"}','','26ebbfb0dbcdc12a0a1d851c2f4cb50ac5c85b3d6726e3b5962bda4cef1c3ba2','901f235a25e102625c23be5d5b069072ce44c9b52b75795a674c53b083caf657',1939131116);
INSERT INTO "events" VALUES(6,'evt_01a205be56b73d59b4857f32','TASK_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T2","attempt":1,"agent_id":"a"}','','901f235a25e102625c23be5d5b069072ce44c9b52b75795a674c53b083caf657','4343fd382b547949bb8ebe3270ecbd5c31cfc362dc8f56ca85238925c8c1340c',652837308);
INSERT INTO "events" VALUES(7,'evt_01a205be56b7e6d7e55b2a7f','TASK_COMPLETED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T1","attempt":1}','','4343fd382b547949bb8ebe3270ecbd5c31cfc362dc8f56ca85238925c8c1340c','32273fc90a6e4f0f73e6bb2fa4c576ed457cd5c23b57d13e9b7dc0c66a8424ae',286444344);
INSERT INTO "events" VALUES(8,'evt_01a205be56c5054f1387f3f5','TASK_ASSIGNED','shop_001','plan','2026-09-21T14:13:21.000Z','stretto','info','{"task_id":"plan/T3","attempt":1,"order":"shop_001/plan/T3#1","agent_id":"a"}','','32273fc90a6e4f0f73e6bb2fa4c576ed457cd5c23b57d13e9b7dc0c66a8424ae','9b2168783dd91ca238caaf74ae3e92c44372b1d1bc942d4fad541483d73eb0b1',1986858352);
INSERT INTO "events" VALUES(9,'evt_01a205be56c5cc60f0dd64d4','TASK_STARTED','shop_001','plan','2026-09-21T14:13:21.000Z','stretto','info','{"task_id":"plan/T3","attempt":1,"agent_id":"a","order":"shop_001/plan/T3#1","session":"s"}','','9b2168783dd91ca238caaf74ae3e92c44372b1d1bc942d4fad541483d73eb0b1','0a89461903d790770b73f9ebee05ffa374215428f6a83f5533f4bbdb102adf6c',3544216174);
CREATE TABLE facts (
        workflow_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, name)) WITHOUT ROWID
    ;
INSERT INTO "facts" VALUES('shop_001','base','{"value":"abc"}',2654462693);
CREATE TABLE leases (
        workflow_id TEXT PRIMARY KEY, token INTEGER NOT NULL, released INTEGER NOT NULL, pid INTEGER NOT NULL,
        boot TEXT NOT NULL, started TEXT NOT NULL, host TEXT NOT NULL, since TEXT NOT NULL,
        crc INTEGER NOT NULL) WITHOUT ROWID
    ;
INSERT INTO "leases" VALUES('shop_001',1,1,4321,'boot','1','host','2026-09-21T14:13:20.500Z',2318253818);
CREATE TABLE orders (
        workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL,
        taker TEXT NOT NULL, taken TEXT NOT NULL, work TEXT NOT NULL, report TEXT NOT NULL, notes TEXT NOT NULL,
        crc INTEGER NOT NULL, PRIMARY KEY (workflow_id, task_id, attempt)) WITHOUT ROWID
    ;
INSERT INTO "orders" VALUES('shop_001','plan/T3',1,'taken','{"session":"s","agent":"a","pid":0,"boot":"","started":"","host":""}','2026-09-21T14:13:21.000Z','{"phase":"plan","started":{"agent_id":"a"}}','','{"notes":[]}',3966370511);
CREATE TABLE outcomes (
        workflow_id TEXT NOT NULL, task_id TEXT NOT NULL, attempt INTEGER NOT NULL, outcome TEXT NOT NULL,
        crc INTEGER NOT NULL, PRIMARY KEY (workflow_id, task_id)) WITHOUT ROWID
    ;
INSERT INTO "outcomes" VALUES('shop_001','plan/T1',1,'{"status":"completed","summary":"done"}',4106649778);
CREATE TABLE requests (
        workflow_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, at TEXT NOT NULL, crc INTEGER NOT NULL,
        PRIMARY KEY (workflow_id, kind)) WITHOUT ROWID
    ;
INSERT INTO "requests" VALUES('shop_001','drain','{}','2026-09-21T14:13:20.750Z',557665634);
CREATE TABLE subscriptions (
        name TEXT PRIMARY KEY, wanted TEXT NOT NULL, cursor INTEGER NOT NULL, tries INTEGER NOT NULL,
        error TEXT NOT NULL, since TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID
    ;
INSERT INTO "subscriptions" VALUES('keeper','{"patterns":[],"classes":[],"severity":"","workflow":""}',9,0,'','2026-11-23T00:11:29.869Z',2160687367);
CREATE TABLE workflows (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, description TEXT NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL,
        spec TEXT NOT NULL, runner TEXT NOT NULL, state_version INTEGER NOT NULL, created TEXT NOT NULL,
        updated TEXT NOT NULL, crc INTEGER NOT NULL);
INSERT INTO "workflows" VALUES('shop_001','feature','Add a shop','RUNNING','plan','{"a":[1]}','r',4,'2026-09-21T14:13:20.250Z','2026-09-21T14:13:20.750Z',1196471470);
CREATE INDEX events_of_workflow ON events (workflow_id, seq);
CREATE INDEX standing_orders ON orders (workflow_id) WHERE state IN ('open', 'taken', 'reported');
CREATE INDEX workflows_by_age ON workflows (created, id);
CREATE INDEX workflows_by_status ON workflows (status, created, id);
COMMIT;
PRAGMA application_id=1398035028;
PRAGMA user_version=3;
