-- events.db of schema 1, as the last version that wrote it left it.
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
CREATE TABLE events (
        seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, workflow_id TEXT NOT NULL,
        phase TEXT NOT NULL, timestamp TEXT NOT NULL, source TEXT NOT NULL, severity TEXT NOT NULL, data TEXT NOT NULL,
        correlation_id TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, crc INTEGER NOT NULL);
INSERT INTO "events" VALUES(1,'evt_125aac39433501ec9268eabb','WORKFLOW_CREATED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"description":"Add a shop","type":"feature"}','','','a146f0745714a011fd7404273d95d17abc882db3aa41ff030ced69598043cc13',1097302035);
INSERT INTO "events" VALUES(2,'evt_abe0f2f1d5e1216e9c0e9b75','WORKFLOW_SCHEDULED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"start_time":"immediate"}','','a146f0745714a011fd7404273d95d17abc882db3aa41ff030ced69598043cc13','c4fc4df4d083f6a6025cc801dd45e18ed1161712098c6ec1896ae59437a0fcb2',10085799);
INSERT INTO "events" VALUES(3,'evt_e419d79b1f6918690948bf83','WORKFLOW_STARTED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"branch":"b"}','','c4fc4df4d083f6a6025cc801dd45e18ed1161712098c6ec1896ae59437a0fcb2','ab3fb304facfc16cbaccb8e3b927536c354591310669afbf710bd0be1112c81d',1589702823);
INSERT INTO "events" VALUES(4,'evt_e4b591705f7f59b885ceeb93','PHASE_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"phase_id":"plan"}','','ab3fb304facfc16cbaccb8e3b927536c354591310669afbf710bd0be1112c81d','52b3984abf965f0e055ac561d6a2957b49304161bc83295cffc34d88be933882',1278840350);
INSERT INTO "events" VALUES(5,'evt_eb492fcc5556b809a66dc7b0','TASK_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T1","attempt":1,"agent_id":"a"}','','52b3984abf965f0e055ac561d6a2957b49304161bc83295cffc34d88be933882','ee578e95f0c24ae98a8215f73965c4b23b9ae7a15df475213245b68b8d7c5fd4',3534373333);
INSERT INTO "events" VALUES(6,'evt_2160b792e46034236e3041a7','TASK_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T2","attempt":1,"agent_id":"a"}','','ee578e95f0c24ae98a8215f73965c4b23b9ae7a15df475213245b68b8d7c5fd4','2ced70cb276554b63f26c2d32b7fa4b3abadc4f17bb1b749cf958c99c5ceec72',1241074384);
INSERT INTO "events" VALUES(7,'evt_2e86163dff93a1bdfc668d55','TASK_COMPLETED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T1","attempt":1}','','2ced70cb276554b63f26c2d32b7fa4b3abadc4f17bb1b749cf958c99c5ceec72','0cb85fd7efb2600a2b420c632548a00331a1ad0c26901e2ed4f67f0e0ad0e0e3',3377684370);
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
CREATE TABLE workflows (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, description TEXT NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL,
        spec TEXT NOT NULL, runner TEXT NOT NULL, state_version INTEGER NOT NULL, created TEXT NOT NULL,
        updated TEXT NOT NULL, crc INTEGER NOT NULL);
INSERT INTO "workflows" VALUES('shop_001','feature','Add a shop','RUNNING','plan','{"a":[1]}','r',4,'2026-09-21T14:13:20.250Z','2026-09-21T14:13:20.750Z',1196471470);
CREATE INDEX events_of_workflow ON events (workflow_id, seq);
COMMIT;
PRAGMA application_id=1398035028;
PRAGMA user_version=1;
