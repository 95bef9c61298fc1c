-- The columns of the primary key come first. With another order `PRAGMA integrity_check` of SQLite 3.40, which
-- Debian 12 has, reports every row of an intact file as "NULL value in attempt_keys.binding".
CREATE TABLE ordered_keys (
  expires_at INTEGER NOT NULL,
  attempt_id BLOB    NOT NULL,
  key_digest BLOB    NOT NULL,
  binding    BLOB    NOT NULL,  -- 16 bits of a keyed digest of e-mail address and password
  PRIMARY KEY (expires_at, attempt_id, key_digest)
) STRICT, WITHOUT ROWID;

INSERT INTO ordered_keys (expires_at, attempt_id, key_digest, binding)
SELECT expires_at, attempt_id, key_digest, binding FROM attempt_keys;

DROP TABLE attempt_keys;
ALTER TABLE ordered_keys RENAME TO attempt_keys;
CREATE UNIQUE INDEX attempt_keys_key_digest ON attempt_keys (key_digest);
