-- events.db of schema 2, as the last version that wrote it left it.
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
CREATE TABLE events (
        seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, workflow_id TEXT NOT NULL,
        phase TEXT NOT NULL, timestamp TEXT NOT NULL, source TEXT NOT NULL, severity TEXT NOT NULL, data TEXT NOT NULL,
        correlation_id TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL, crc INTEGER NOT NULL);
INSERT INTO "events" VALUES(1,'evt_39bcf591d7baf0115ab5c6a0','WORKFLOW_CREATED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"description":"Add a shop","type":"feature"}','','','6a6f22464e5ad363751fdac8252b22a784647d2f78058f0eadecb0edfeea236e',2754517854);
INSERT INTO "events" VALUES(2,'evt_9a9f25ce92e29d018b7d35b6','WORKFLOW_SCHEDULED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"start_time":"immediate"}','','6a6f22464e5ad363751fdac8252b22a784647d2f78058f0eadecb0edfeea236e','83636fe5447cc4c17e9286e828a2c550f98d3950253fd857f94ae6b9acf0b83a',3138821529);
INSERT INTO "events" VALUES(3,'evt_3b9c669a53cb0f0278d1c32c','WORKFLOW_STARTED','shop_001','setup','2026-09-21T14:13:20.250Z','stretto','info','{"branch":"b"}','','83636fe5447cc4c17e9286e828a2c550f98d3950253fd857f94ae6b9acf0b83a','b8f972b13bb8760f4ee67672013778e67279d61cdc7c30e8e28efbaf7a5a81af',3088057382);
INSERT INTO "events" VALUES(4,'evt_93e61ce2df25ee2d8a1c4c7e','PHASE_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"phase_id":"plan"}','','b8f972b13bb8760f4ee67672013778e67279d61cdc7c30e8e28efbaf7a5a81af','13816a0e1b7624c918c1b9cec75e9be580bc768789d63e092931f570dc120b64',2918365416);
INSERT INTO "events" VALUES(5,'evt_78a370f1958dd186866fc562','TASK_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T1","attempt":1,"agent_id":"a"}','','13816a0e1b7624c918c1b9cec75e9be580bc768789d63e092931f570dc120b64','757ec5dc744a61293c22bfc22a25decd898358e1a8c29fc27b2fa51e76ec6595',2597904547);
INSERT INTO "events" VALUES(6,'evt_11a82b7cf841960d0cd51f24','TASK_STARTED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T2","attempt":1,"agent_id":"a"}','','757ec5dc744a61293c22bfc22a25decd898358e1a8c29fc27b2fa51e76ec6595','e5fb4e95941d5639c3e31cf3583f18e7b28eb4d721b96a2bcc3650424a062bdc',3939529466);
INSERT INTO "events" VALUES(7,'evt_84ea25477790daf8ca383f68','TASK_COMPLETED','shop_001','plan','2026-09-21T14:13:20.750Z','stretto','info','{"task_id":"plan/T1","attempt":1}','','e5fb4e95941d5639c3e31cf3583f18e7b28eb4d721b96a2bcc3650424a062bdc','7ecc22f70912409cc5b0f47e8d9ec9422acb2c74287e134e855a0f99a33b6167',903278040);
INSERT INTO "events" VALUES(8,'evt_d4d5aa855aeba168d4256468','TASK_ASSIGNED','shop_001','plan','2026-09-21T14:13:21.000Z','stretto','info','{"task_id":"plan/T3","attempt":1,"order":"shop_001/plan/T3#1","agent_id":"a"}','','7ecc22f70912409cc5b0f47e8d9ec9422acb2c74287e134e855a0f99a33b6167','c605046366a11abaeb6270426ffef4a0ada7eae9d3b7f69d79219f872fc77262',395341365);
INSERT INTO "events" VALUES(9,'evt_6a14eba17528436295c93e56','TASK_STARTED','shop_001','plan','2026-09-21T14:13:21.000Z','stretto','info','{"task_id":"plan/T3","attempt":1,"agent_id":"a","order":"shop_001/plan/T3#1","session":"s"}','','c605046366a11abaeb6270426ffef4a0ada7eae9d3b7f69d79219f872fc77262','5cf7b6c494ba7b9d2d89298619111c87e57157e85abb7f078f5a2ad278d36fb1',3881123805);
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
CREATE TABLE workflows (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, description TEXT NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL,
        spec TEXT NOT NULL, runner TEXT NOT NULL, state_version INTEGER NOT NULL, created TEXT NOT NULL,
        updated TEXT NOT NULL, crc INTEGER NOT NULL);
INSERT INTO "workflows" VALUES('shop_001','feature','Add a shop','RUNNING','plan','{"a":[1]}','r',4,'2026-09-21T14:13:20.250Z','2026-09-21T14:13:20.750Z',1196471470);
CREATE INDEX events_of_workflow ON events (workflow_id, seq);
CREATE INDEX standing_orders ON orders (workflow_id) WHERE state IN ('open', 'taken', 'reported');
COMMIT;
PRAGMA application_id=1398035028;
PRAGMA user_version=2;
