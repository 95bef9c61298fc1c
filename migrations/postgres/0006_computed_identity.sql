-- Keys get a table of their own: during a rotation of the secret an attempt has one row for each
-- secret, and all of them meet one unique constraint. A key that is freed or has expired is
-- deleted, and with it what it was bound to.
CREATE TABLE attempt_keys (
  key_digest bytea  NOT NULL PRIMARY KEY,
  attempt_id uuid   NOT NULL,
  binding    bytea  NOT NULL,  -- 16 bits of a keyed digest of e-mail address and password
  expires_at bigint NOT NULL
);
CREATE INDEX attempt_keys_attempt_id ON attempt_keys (attempt_id);
CREATE INDEX attempt_keys_expires_at ON attempt_keys (expires_at);

INSERT INTO attempt_keys (key_digest, attempt_id, binding, expires_at)
SELECT key_digest, id, substring(binding_digest FROM 1 FOR 2), key_expires_at
FROM attempts WHERE key_digest IS NOT NULL;

-- Drops the indexes of the columns too.
ALTER TABLE attempts
  DROP COLUMN key_digest,
  DROP COLUMN binding_digest,
  DROP COLUMN key_expires_at,
  ADD COLUMN tenant_started_at bigint,                     -- the tenant's time at the start
  ADD COLUMN worker            uuid,                       -- the process that works on it for a request
  ADD COLUMN restarts          smallint NOT NULL DEFAULT 0;

-- For `attempts forget`, and for the attempts that may have created a user.
CREATE INDEX attempts_email_digest ON attempts (email_digest);

-- The processes that had a heartbeat. Unlogged: after a crash of the server every process writes
-- its own again.
CREATE UNLOGGED TABLE processes (
  id      uuid   NOT NULL PRIMARY KEY,
  seen_at bigint NOT NULL
);

-- What is known about each tenant's connections.
CREATE TABLE connections (
  digest         bytea   NOT NULL PRIMARY KEY,
  keeps_user_ids boolean NOT NULL
);

-- The ledger's time: milliseconds since the Unix epoch by this server's clock at the
-- moment of the call. Every time in these tables comes from here.
CREATE FUNCTION ledger_now() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;
