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

-- The processes that had a heartbeat. Unlogged: after a crash of the server every process writes
-- its own again.
CREATE UNLOGGED TABLE processes (
  id      uuid   NOT NULL PRIMARY KEY,
  seen_at bigint NOT NULL
);

-- The transaction that charges permits is rolled back when one is missing, so a row need not say so.
ALTER TABLE limits DROP COLUMN granted, DROP COLUMN refused;

-- What is known about each tenant's connections.
CREATE TABLE connections (
  digest         bytea   NOT NULL PRIMARY KEY,
  keeps_user_ids boolean NOT NULL
);

-- The ledger's time: milliseconds since the Unix epoch by this server's clock at the
-- moment of the call. Every time in these tables comes from here.
CREATE FUNCTION ledger_now() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- The time by which limits count: microseconds by the same clock.
CREATE FUNCTION limits_now() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

-- The time until which a bucket is spent after one more permit. It is computed once the row is
-- locked, so that the clock is not read before a wait. A stored time more than a whole burst ahead
-- comes from a clock that was set back, and is cut to one burst.
CREATE FUNCTION spend_permit(tat bigint, every bigint, burst bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now bigint := limits_now();
BEGIN
  RETURN least(greatest(tat, now), now + every * burst) + every;
END $$;

-- Makes the commit of this transaction wait for the disk; a stronger setting (a standby's) stays.
CREATE FUNCTION wait_for_sync() RETURNS void LANGUAGE sql VOLATILE AS
$$ SELECT set_config('synchronous_commit', 'on', true)
   WHERE current_setting('synchronous_commit') = 'off' $$;

-- Uses a proof for an attempt; false if another attempt used it before.
CREATE FUNCTION use_proof(new_proof bytea, new_id uuid, lasts bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO used_proofs AS known (proof, attempt_id, expires_at)
  VALUES (new_proof, new_id, ledger_now() + lasts)
  ON CONFLICT (proof) DO UPDATE SET attempt_id = new_id WHERE known.attempt_id = new_id;
  IF FOUND THEN
    PERFORM wait_for_sync();
  END IF;
  RETURN FOUND;
END $$;

-- Frees the keys of attempts. Key rows are always locked in the order of their digests, so that no
-- two transactions wait for each other.
CREATE FUNCTION free_keys(ids uuid[]) RETURNS void LANGUAGE sql VOLATILE AS $$
  DELETE FROM attempt_keys WHERE key_digest = ANY (ARRAY (
    SELECT key_digest FROM attempt_keys WHERE attempt_id = ANY (ids)
    ORDER BY key_digest FOR UPDATE))
$$;

-- Starts an attempt: charges its permits, then records the attempt with its keys and its proof. The
-- result is 'started', 'existing' (another attempt holds a key), 'limited' (a bucket has no permit
-- left) or 'proof_used'. Only 'started' leaves anything written, except for permits, which stay
-- spent. A repeated call with the same id is 'started' again and costs nothing.
--
-- Permits have a transaction of their own, so that the row of a popular bucket is not locked while
-- the attempt waits for the disk. Buckets and keys come sorted, which prevents deadlocks.
CREATE PROCEDURE begin_attempt(
  new_id uuid, new_email bytea, new_user_id text, new_request_id text, new_terms text,
  new_tenant_time bigint, new_worker uuid, lease bigint,
  new_keys bytea[], new_bindings bytea[], keys_last bigint,
  new_proof bytea, proof_lasts bigint,
  buckets bytea[], everys bigint[], bursts bigint[], synced boolean,
  INOUT result text, INOUT limited_bucket bytea, INOUT limited_for bigint
) LANGUAGE plpgsql AS $$
DECLARE
  now bigint := ledger_now();
  holder uuid;
  keys_written bigint;
BEGIN
  SELECT attempt_id INTO holder FROM attempt_keys
  WHERE key_digest = ANY (new_keys) AND expires_at > now;
  IF FOUND THEN
    result := CASE holder WHEN new_id THEN 'started' ELSE 'existing' END;
    RETURN;
  END IF;

  IF cardinality(buckets) > 0 THEN
    -- A blocked table of limits must not block sign-ups.
    PERFORM set_config('lock_timeout', '1s', true);
    WITH charged AS (
      INSERT INTO limits AS spent (bucket, tat, every, burst)
      SELECT bucket, spend_permit(0, every, burst), every, burst
      FROM unnest(buckets, everys, bursts) AS charge (bucket, every, burst) ORDER BY bucket
      ON CONFLICT (bucket) DO UPDATE SET
        tat = spend_permit(spent.tat, excluded.every, excluded.burst),
        every = excluded.every, burst = excluded.burst
      RETURNING bucket, tat - every * burst - limits_now() AS wait
    )
    SELECT bucket, wait INTO limited_bucket, limited_for
    FROM charged WHERE wait > 0 ORDER BY wait DESC LIMIT 1;
    IF FOUND THEN
      ROLLBACK;
      result := 'limited';
      RETURN;
    END IF;
    COMMIT;
    now := ledger_now();
  END IF;

  -- Waits for another transaction that writes one of the keys. An expired key is replaced.
  INSERT INTO attempt_keys AS known (key_digest, attempt_id, binding, expires_at)
  SELECT key_digest, new_id, binding, now + keys_last
  FROM unnest(new_keys, new_bindings) AS new (key_digest, binding) ORDER BY key_digest
  ON CONFLICT (key_digest) DO UPDATE SET
    attempt_id = excluded.attempt_id, binding = excluded.binding, expires_at = excluded.expires_at
    WHERE known.expires_at <= now OR known.attempt_id = new_id;
  GET DIAGNOSTICS keys_written = ROW_COUNT;
  IF keys_written < cardinality(new_keys) THEN
    ROLLBACK;
    result := 'existing';
    RETURN;
  END IF;

  IF new_proof IS NOT NULL AND NOT use_proof(new_proof, new_id, proof_lasts) THEN
    ROLLBACK;
    result := 'proof_used';
    RETURN;
  END IF;

  INSERT INTO attempts (id, email_digest, user_id, request_id, state, started_at,
    tenant_started_at, next_check_at, worker, terms_version)
  VALUES (new_id, new_email, new_user_id, new_request_id, 0, now,
    new_tenant_time, now + lease, new_worker, new_terms)
  ON CONFLICT (id) DO NOTHING;
  IF synced THEN
    PERFORM wait_for_sync();
  END IF;
  result := 'started';
END $$;
