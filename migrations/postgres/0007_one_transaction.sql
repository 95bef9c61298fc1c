-- The start of an attempt is one transaction, so that a lost reply costs no permit, and no setting
-- outlasts a transaction. `begin_attempt` stays for replicas of the release before.
--
-- Starts an attempt: charges its permits, then records the attempt with its keys and its proof. The
-- result is 'started', 'existing' (another attempt holds a key), 'limited' (a bucket has no permit
-- left) or 'proof_used'. Only 'started' leaves anything written, except for permits, which stay
-- spent when the key was taken meanwhile or the proof was used before. A repeated call with the
-- same id is 'started' again, and must come without buckets.
--
-- The commit must not wait for the disk: the row of a popular bucket is locked until it ends. Who
-- needs a durable attempt waits afterwards. Buckets and keys come sorted, which prevents deadlocks.
CREATE FUNCTION start_attempt(
  new_id uuid, new_email bytea, new_user_id text, new_request_id text, new_terms text,
  new_tenant_time bigint, new_worker uuid, lease bigint,
  new_keys bytea[], new_bindings bytea[], keys_last bigint,
  new_proof bytea, proof_lasts bigint,
  buckets bytea[], everys bigint[], bursts bigint[],
  OUT result text, OUT limited_bucket bytea, OUT limited_for bigint, OUT limits_error text
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
    BEGIN
      -- A blocked table of limits must not block sign-ups.
      PERFORM set_config('lock_timeout', '500ms', true);
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
        result := 'limited';
        RAISE EXCEPTION USING ERRCODE = 'AS001';
      END IF;
    EXCEPTION
      -- Undoes what this block has written.
      WHEN SQLSTATE 'AS001' THEN RETURN;
      WHEN OTHERS THEN limits_error := SQLERRM;
    END;
    PERFORM set_config('lock_timeout', '0', true);
    now := ledger_now();
  END IF;

  IF new_proof IS NOT NULL THEN
    INSERT INTO used_proofs AS known (proof, attempt_id, expires_at)
    VALUES (new_proof, new_id, now + proof_lasts)
    ON CONFLICT (proof) DO UPDATE SET attempt_id = new_id WHERE known.attempt_id = new_id;
    IF NOT FOUND THEN
      -- A duplicate may have written both meanwhile; the key decides.
      PERFORM FROM attempt_keys WHERE key_digest = ANY (new_keys) AND expires_at > now;
      result := CASE WHEN FOUND THEN 'existing' ELSE 'proof_used' END;
      RETURN;
    END IF;
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
    -- Cheaper than a block that can be undone, since it is rare.
    DELETE FROM attempt_keys WHERE attempt_id = new_id;
    DELETE FROM used_proofs WHERE proof = new_proof AND attempt_id = new_id;
    result := 'existing';
    RETURN;
  END IF;

  INSERT INTO attempts (id, email_digest, user_id, request_id, state, started_at,
    tenant_started_at, next_check_at, worker, terms_version)
  VALUES (new_id, new_email, new_user_id, new_request_id, 0, now,
    new_tenant_time, now + lease, new_worker, new_terms)
  ON CONFLICT (id) DO NOTHING;
  result := 'started';
END $$;

-- Records the result of an attempt, unless it has one or its basis is void; -1 stands for a
-- connection that has not ended. An ambiguous call has just ended.
CREATE FUNCTION finish_attempt(
  done_id uuid, new_state smallint, new_code text, new_user_id text, new_request_id text,
  expected_end bigint, expected_worker uuid, frees_key boolean
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  now bigint := ledger_now();
BEGIN
  UPDATE attempts SET state = new_state, outcome_code = new_code, auth0_user_id = new_user_id,
    auth0_request_id = coalesce(new_request_id, auth0_request_id), finished_at = now,
    connection_ended_at = CASE WHEN new_state = 3
      THEN greatest(now, connection_ended_at) ELSE connection_ended_at END,
    next_check_at = CASE WHEN new_state = 3 THEN greatest(now, connection_ended_at) END,
    worker = NULL, lease_owner = NULL
  WHERE id = done_id AND (state IN (0, 3) OR (new_state = 1 AND state IN (2, 4)))
    AND (expected_end IS NULL OR coalesce(connection_ended_at, -1) = expected_end)
    AND (expected_worker IS NULL OR worker = expected_worker);
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF frees_key THEN
    PERFORM free_keys(ARRAY[done_id]);
  END IF;
  RETURN true;
END $$;

-- Writes all that a sign-up writes, for a transaction that is rolled back. Returns whether that
-- worked in a ledger of this secret.
CREATE FUNCTION try_attempt(new_id uuid, digest bytea, secret bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  started text;
BEGIN
  SELECT result INTO started FROM start_attempt(new_id, digest, 'probe', 'probe', NULL, NULL,
    new_id, 0, ARRAY[digest], ARRAY[decode('0000', 'hex')], 1000, digest, 1000,
    '{}', '{}', '{}');
  RETURN started = 'started'
    AND finish_attempt(new_id, 4::smallint, 'probe', NULL, NULL, NULL, new_id, true)
    AND EXISTS (SELECT FROM secret_checks WHERE value = secret);
END $$;
