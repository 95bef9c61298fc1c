-- Keys get a table of their own: during a rotation of the secret an attempt has one row for each
-- secret, and all of them meet one unique constraint. A key that is freed or has expired is
-- deleted, and with it what it was bound to.
CREATE TABLE attempt_keys (
  key_digest BLOB    NOT NULL PRIMARY KEY,
  attempt_id BLOB    NOT NULL,
  binding    BLOB    NOT NULL,  -- 16 bits of a keyed digest of e-mail address and password
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_keys_attempt_id ON attempt_keys (attempt_id);
CREATE INDEX attempt_keys_expires_at ON attempt_keys (expires_at);

INSERT INTO attempt_keys (key_digest, attempt_id, binding, expires_at)
SELECT key_digest, id, substr(binding_digest, 1, 2), key_expires_at
FROM attempts WHERE key_digest IS NOT NULL;

DROP INDEX attempts_key_digest;
DROP INDEX attempts_key_expires_at;
ALTER TABLE attempts DROP COLUMN key_digest;
ALTER TABLE attempts DROP COLUMN binding_digest;
ALTER TABLE attempts DROP COLUMN key_expires_at;
-- The tenant's time at the start.
ALTER TABLE attempts ADD COLUMN tenant_started_at INTEGER;
-- The process that works on the attempt for a request.
ALTER TABLE attempts ADD COLUMN worker BLOB;
ALTER TABLE attempts ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;

-- For `attempts forget`, and for the attempts that may have created a user.
CREATE INDEX attempts_email_digest ON attempts (email_digest);

-- The processes that had a heartbeat. A process that opens the file for service deletes those of
-- earlier ones, which have ended.
CREATE TABLE processes (
  id      BLOB    NOT NULL PRIMARY KEY,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is known about each tenant's connections.
CREATE TABLE connections (
  digest         BLOB    NOT NULL PRIMARY KEY,
  keeps_user_ids INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
