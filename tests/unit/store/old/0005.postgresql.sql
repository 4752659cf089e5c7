CREATE TABLE public.acts (
    seq integer NOT NULL,
    at double precision NOT NULL,
    type text NOT NULL,
    device text NOT NULL,
    data text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.deliveries (
    rollout_id text NOT NULL,
    seq integer NOT NULL,
    hook integer NOT NULL,
    event text NOT NULL,
    "to" text NOT NULL,
    attempts integer NOT NULL,
    delivered integer NOT NULL,
    at double precision NOT NULL,
    detail text NOT NULL
);
CREATE TABLE public.devices (
    rollout_id text NOT NULL,
    device text NOT NULL,
    state text NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.held (
    device text NOT NULL,
    artifact_sha256 text NOT NULL,
    since double precision NOT NULL,
    why text NOT NULL,
    rollout_id text NOT NULL,
    everywhere integer NOT NULL,
    freed_at double precision,
    freed_by text,
    freed_why text
);
CREATE TABLE public.journal (
    rollout_id text NOT NULL,
    seq integer NOT NULL,
    at double precision NOT NULL,
    type text NOT NULL,
    wave text NOT NULL,
    device text NOT NULL,
    data text NOT NULL,
    epoch integer NOT NULL,
    hash text DEFAULT ''::text NOT NULL
);
CREATE TABLE public.leases (
    rollout_id text NOT NULL,
    owner text NOT NULL,
    epoch integer NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.meta (
    key text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.outbox (
    rollout_id text NOT NULL,
    settled_seq integer NOT NULL
);
CREATE TABLE public.requests (
    id integer NOT NULL,
    rollout_id text NOT NULL,
    at double precision NOT NULL,
    ask text NOT NULL,
    who text NOT NULL,
    body text NOT NULL
);
CREATE SEQUENCE public.requests_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.requests_id_seq OWNED BY public.requests.id;
CREATE TABLE public.rollouts (
    id text NOT NULL,
    plan_name text NOT NULL,
    plan_digest text NOT NULL,
    plan_sha256 text NOT NULL,
    inventory_sha256 text NOT NULL,
    artifact_sha256 text NOT NULL,
    state text NOT NULL,
    exit_code integer,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    last_seq integer NOT NULL,
    plan_json bytea NOT NULL,
    body text NOT NULL,
    component text DEFAULT 'main'::text NOT NULL,
    priority integer DEFAULT 500 NOT NULL,
    release text DEFAULT ''::text NOT NULL,
    number integer DEFAULT 0 NOT NULL,
    origin text DEFAULT ''::text NOT NULL
);
ALTER TABLE ONLY public.requests ALTER COLUMN id SET DEFAULT nextval('public.requests_id_seq'::regclass);
INSERT INTO public.acts VALUES (1, 1004.5, 'device_shell', 'dev-1', '{"who":"ann@desk","why":"look \u0000\ud800","login":"admin"}', 'bb429146176fbd21232997e3cc7973f44e705845990659f0f7551bd616d7431d');
INSERT INTO public.acts VALUES (2, 1060.25, 'act_ended', 'dev-1', '{"who":"ann@desk","act":1,"result":"ok","exit_code":0}', 'e61bf41aed396bb80151254f6a94fbc729d7da2ffebef8ebc4c27734be68ceb8');
INSERT INTO public.alembic_version VALUES ('0005');
INSERT INTO public.devices VALUES ('r-1', 'dev-1', 'queued', '{"state":"queued","detail":"\u0000"}');
INSERT INTO public.journal VALUES ('r-1', 1, 1001, 'rollout_started', '', '', '{}', 0, '887fc636cd615a67862e5625b24be5411e341c596df457f45bc288fe706d0284');
INSERT INTO public.journal VALUES ('r-1', 2, 1002, 'device_state', 'canary', 'dev-1', '{"to":"queued","text":"\u0000\ud800"}', 1, 'c612d7daf876b7a136543b57a162c99470eb75af8b926eb8d0b847e6d3bbc1ff');
INSERT INTO public.leases VALUES ('r-1', '', 1, 0);
INSERT INTO public.meta VALUES ('controller_id', '40948300bf3d293b');
INSERT INTO public.meta VALUES ('last_epoch', '1');
INSERT INTO public.meta VALUES ('last_act', '2');
INSERT INTO public.requests VALUES (1, 'r-1', 1003.5, 'pause', 'ann', '{"why":"lunch","accept_failures":false,"devices":[],"wave":null,"only":null,"take_back":"none","full":false,"digest":"","roles":[],"targets":"","statement":"","signature":"","joiners":{}}');
INSERT INTO public.rollouts VALUES ('r-1', 'web', 'dfcb1d3d485411ae23d75dc181f584c2c1718cd27a206995ba5ad5ea198b559d', '9999999999999999999999999999999999999999999999999999999999999999', '1111111111111111111111111111111111111111111111111111111111111111', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'running', NULL, 1001, 1002, 2, '\x7b226e616d65223a2022776562222c2022706c616e5f736861323536223a202239393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939393939222c2022696e76656e746f72795f736861323536223a202231313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131313131222c20226172746966616374223a207b22736861323536223a202261616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161227d7d', '{"state":"running"}', 'main', 500, '', 1, '757e8664e7be0ad4a1925b428dc0d4f4f8c5bca505668a987c1b77adcaac647c');
SELECT pg_catalog.setval('public.requests_id_seq', 1, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.acts
    ADD CONSTRAINT pk_acts PRIMARY KEY (seq);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT pk_deliveries PRIMARY KEY (rollout_id, seq, hook);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT pk_devices PRIMARY KEY (rollout_id, device);
ALTER TABLE ONLY public.held
    ADD CONSTRAINT pk_held PRIMARY KEY (device, artifact_sha256);
ALTER TABLE ONLY public.journal
    ADD CONSTRAINT pk_journal PRIMARY KEY (rollout_id, seq);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (rollout_id);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT pk_meta PRIMARY KEY (key);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT pk_outbox PRIMARY KEY (rollout_id);
ALTER TABLE ONLY public.requests
    ADD CONSTRAINT pk_requests PRIMARY KEY (id);
ALTER TABLE ONLY public.rollouts
    ADD CONSTRAINT pk_rollouts PRIMARY KEY (id);
CREATE INDEX ix_acts_device ON public.acts USING btree (device, seq);
CREATE INDEX ix_requests_rollout_id ON public.requests USING btree (rollout_id, id);
CREATE INDEX ix_rollouts_inputs ON public.rollouts USING btree (plan_sha256, inventory_sha256, artifact_sha256);
CREATE UNIQUE INDEX ix_rollouts_number ON public.rollouts USING btree (number);
CREATE INDEX ix_rollouts_plan_name ON public.rollouts USING btree (plan_name, created_at);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT fk_deliveries_rollout_id FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT fk_devices_rollout_id FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);
ALTER TABLE ONLY public.journal
    ADD CONSTRAINT fk_journal_rollout_id FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT fk_outbox_rollout_id FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);
ALTER TABLE ONLY public.requests
    ADD CONSTRAINT fk_requests_rollout_id FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);
