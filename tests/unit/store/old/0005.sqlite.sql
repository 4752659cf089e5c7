BEGIN TRANSACTION;
CREATE TABLE acts (
	seq INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	type TEXT NOT NULL, 
	device TEXT NOT NULL, 
	data TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_acts PRIMARY KEY (seq)
);
INSERT INTO "acts" VALUES(1,1004.5,'device_shell','dev-1','{"who":"ann@desk","why":"look \u0000\ud800","login":"admin"}','e544b54ffef1cdb13e7b428c3cd0d1fec37a5589dff5952c073138a043a0fffd');
INSERT INTO "acts" VALUES(2,1060.25,'act_ended','dev-1','{"who":"ann@desk","act":1,"result":"ok","exit_code":0}','90fc351df84a5fbb0497312a320b4a3c51e793aa3497027122cade4e4e91185d');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE deliveries (
	rollout_id TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	hook INTEGER NOT NULL, 
	event TEXT NOT NULL, 
	"to" TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	delivered INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	detail TEXT NOT NULL, 
	CONSTRAINT pk_deliveries PRIMARY KEY (rollout_id, seq, hook), 
	CONSTRAINT fk_deliveries_rollout_id FOREIGN KEY(rollout_id) REFERENCES rollouts (id)
);
CREATE TABLE devices (
	rollout_id TEXT NOT NULL, 
	device TEXT NOT NULL, 
	state TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_devices PRIMARY KEY (rollout_id, device), 
	CONSTRAINT fk_devices_rollout_id FOREIGN KEY(rollout_id) REFERENCES rollouts (id)
)
 WITHOUT ROWID

;
INSERT INTO "devices" VALUES('r-1','dev-1','queued','{"state":"queued","detail":"\u0000"}');
CREATE TABLE held (
	device TEXT NOT NULL, 
	artifact_sha256 TEXT NOT NULL, 
	since FLOAT NOT NULL, 
	why TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	everywhere INTEGER NOT NULL, 
	freed_at FLOAT, 
	freed_by TEXT, 
	freed_why TEXT, 
	CONSTRAINT pk_held PRIMARY KEY (device, artifact_sha256)
);
CREATE TABLE journal (
	rollout_id TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	type TEXT NOT NULL, 
	wave TEXT NOT NULL, 
	device TEXT NOT NULL, 
	data TEXT NOT NULL, 
	epoch INTEGER NOT NULL, hash TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_journal PRIMARY KEY (rollout_id, seq), 
	CONSTRAINT fk_journal_rollout_id FOREIGN KEY(rollout_id) REFERENCES rollouts (id)
)
 WITHOUT ROWID

;
INSERT INTO "journal" VALUES('r-1',1,1001.0,'rollout_started','','','{}',0,'94cd6f05d0ed2bbebb2c7de2b5afd8809699976fe5ffe677997a2202d91ea33f');
INSERT INTO "journal" VALUES('r-1',2,1002.0,'device_state','canary','dev-1','{"to":"queued","text":"\u0000\ud800"}',1,'95be13cca0051550d68c1a527e498dc3ad6ecb6ab42409f043124b580d74e735');
CREATE TABLE leases (
	rollout_id TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	epoch INTEGER NOT NULL, 
	expires_at FLOAT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (rollout_id)
);
INSERT INTO "leases" VALUES('r-1','',1,0.0);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('controller_id','578163024b500726');
INSERT INTO "meta" VALUES('last_epoch','1');
INSERT INTO "meta" VALUES('last_act','2');
CREATE TABLE outbox (
	rollout_id TEXT NOT NULL, 
	settled_seq INTEGER NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (rollout_id), 
	CONSTRAINT fk_outbox_rollout_id FOREIGN KEY(rollout_id) REFERENCES rollouts (id)
);
CREATE TABLE requests (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	rollout_id TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	ask TEXT NOT NULL, 
	who TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT fk_requests_rollout_id FOREIGN KEY(rollout_id) REFERENCES rollouts (id)
);
INSERT INTO "requests" VALUES(1,'r-1',1003.5,'pause','ann','{"why":"lunch","accept_failures":false,"devices":[],"wave":null,"only":null,"take_back":"none","full":false,"digest":"","roles":[],"targets":"","statement":"","signature":"","joiners":{}}');
CREATE TABLE rollouts (
	id TEXT NOT NULL, 
	plan_name TEXT NOT NULL, 
	plan_digest TEXT NOT NULL, 
	plan_sha256 TEXT NOT NULL, 
	inventory_sha256 TEXT NOT NULL, 
	artifact_sha256 TEXT NOT NULL, 
	state TEXT NOT NULL, 
	exit_code INTEGER, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	last_seq INTEGER NOT NULL, 
	plan_json BLOB NOT NULL, 
	body TEXT NOT NULL, component TEXT DEFAULT 'main' NOT NULL, priority INTEGER DEFAULT '500' NOT NULL, release TEXT DEFAULT '' NOT NULL, number INTEGER DEFAULT '0' NOT NULL, origin TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_rollouts PRIMARY KEY (id)
);
INSERT INTO "rollouts" VALUES('r-1','web','dfcb1d3d485411ae23d75dc181f584c2c1718cd27a206995ba5ad5ea198b559d','9999999999999999999999999999999999999999999999999999999999999999','1111111111111111111111111111111111111111111111111111111111111111','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','running',NULL,1001.0,1002.0,2,X'7B226E616D65223A2022776562222C2022706C616E5F736861323536223A202239393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939222C2022696E76656E746F72795F736861323536223A202231313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131222C20226172746966616374223A207B22736861323536223A202261616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161227D7D','{"state":"running"}','main',500,'',1,'6469307b122718d795eecd686b30df13d89e3203aabc3d86570a53cb18243c72');
CREATE INDEX ix_rollouts_plan_name ON rollouts (plan_name, created_at);
CREATE INDEX ix_rollouts_inputs ON rollouts (plan_sha256, inventory_sha256, artifact_sha256);
CREATE INDEX ix_requests_rollout_id ON requests (rollout_id, id);
CREATE UNIQUE INDEX ix_rollouts_number ON rollouts (number);
CREATE INDEX ix_acts_device ON acts (device, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('requests',1);
COMMIT;
