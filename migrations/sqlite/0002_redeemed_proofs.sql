-- Proofs that were used up: each is good for one attempt. Times are milliseconds since the Unix
-- epoch; a proof is forgotten once it has expired.
CREATE TABLE redeemed_proofs (
  proof      BLOB    NOT NULL PRIMARY KEY,
  attempt_id BLOB    NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX redeemed_proofs_expires_at ON redeemed_proofs (expires_at);
