-- One row an attempt to sign somebody up. Times are milliseconds since the Unix epoch.
--
-- WITHOUT ROWID: the table is the index of its id. Ids are in order of time, so rows are appended
-- side by side and removed in one stretch.
CREATE TABLE attempts (
  id                  BLOB    NOT NULL PRIMARY KEY,  -- UUID v7
  email_digest        BLOB    NOT NULL,
  key_digest          BLOB,                          -- NULL: no key, freed or expired
  binding_digest      BLOB,
  key_expires_at      INTEGER,
  user_id             TEXT    NOT NULL,              -- pinned
  auth0_user_id       TEXT,                          -- where Auth0 answered another
  request_id          TEXT    NOT NULL,
  auth0_request_id    TEXT,
  state               INTEGER NOT NULL,              -- 0 open 1 created 2 exists 3 unknown 4 not created
  code                TEXT,
  begun_at            INTEGER NOT NULL,
  finished_at         INTEGER,
  connection_ended_at INTEGER,
  due_at              INTEGER,                       -- unsettled: the end of the lease, or the next look
  owner               BLOB,                          -- who leased it last
  looks               INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX attempts_key_digest ON attempts (key_digest) WHERE key_digest IS NOT NULL;
CREATE INDEX attempts_key_expires_at ON attempts (key_expires_at) WHERE key_expires_at IS NOT NULL;
CREATE INDEX attempts_due_at ON attempts (due_at) WHERE due_at IS NOT NULL;

-- What the secret is recognised by: the current one's, and the other's during a rotation.
CREATE TABLE secret_checks (
  value   BLOB    NOT NULL PRIMARY KEY,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
