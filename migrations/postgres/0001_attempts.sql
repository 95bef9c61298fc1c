-- One row an attempt to sign somebody up. Times are milliseconds since the Unix epoch.
CREATE TABLE attempts (
  id                  uuid     NOT NULL PRIMARY KEY,  -- version 7, in order of time
  email_digest        bytea    NOT NULL,
  key_digest          bytea,                          -- NULL: no key, freed or expired
  binding_digest      bytea,
  key_expires_at      bigint,
  user_id             text     NOT NULL,              -- pinned
  auth0_user_id       text,                           -- where Auth0 answered another
  request_id          text     NOT NULL,
  auth0_request_id    text,
  state               smallint NOT NULL,              -- 0 open 1 created 2 exists 3 unknown 4 not created
  code                text,
  begun_at            bigint   NOT NULL,
  finished_at         bigint,
  connection_ended_at bigint,
  due_at              bigint,                         -- unsettled: the end of the lease, or the next look
  owner               uuid,                           -- who leased it last
  looks               integer  NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX attempts_key_digest ON attempts (key_digest) WHERE key_digest IS NOT NULL;
CREATE INDEX attempts_key_expires_at ON attempts (key_expires_at) WHERE key_expires_at IS NOT NULL;
CREATE INDEX attempts_due_at ON attempts (due_at) WHERE due_at IS NOT NULL;

-- Every row is written twice within seconds, and unsettled rows are few among many: dead versions
-- are cleared early, so that the due index stays short.
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

-- What the secret is recognised by: the current one's, and the other's during a rotation.
CREATE TABLE secret_checks (
  value   bytea  NOT NULL PRIMARY KEY,
  seen_at bigint NOT NULL
);
