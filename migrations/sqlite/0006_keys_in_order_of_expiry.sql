-- Keys are stored in the order in which they expire. With that, one index serves the sweep and the lookup
-- by attempt, which had one each: a sign-up writes one page less.
-- The time at which an attempt's keys expire; kept when they are freed. NULL: it had none at this migration.
ALTER TABLE attempts ADD COLUMN key_expires_at INTEGER;
UPDATE attempts SET key_expires_at = expires_at FROM attempt_keys WHERE attempt_id = id;

CREATE TABLE keys_by_expiry (
  key_digest BLOB    NOT NULL,
  attempt_id BLOB    NOT NULL,
  binding    BLOB    NOT NULL,  -- 16 bits of a keyed digest of e-mail address and password
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (expires_at, attempt_id, key_digest)
) STRICT, WITHOUT ROWID;

INSERT INTO keys_by_expiry (key_digest, attempt_id, binding, expires_at)
SELECT key_digest, attempt_id, binding, key_expires_at
FROM attempt_keys JOIN attempts ON attempts.id = attempt_id;

DROP TABLE attempt_keys;
ALTER TABLE keys_by_expiry RENAME TO attempt_keys;
CREATE UNIQUE INDEX attempt_keys_key_digest ON attempt_keys (key_digest);
