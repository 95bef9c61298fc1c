-- A request that takes an attempt over records until when its call may run. Once that has ended without
-- a result, its true end is recorded, so that the outcome is known sooner. The default serves replicas
-- of the release before, and `try_attempt`.
DROP FUNCTION finish_attempt(uuid, smallint, text, text, text, bigint, uuid, boolean);

-- Records the result of an attempt, unless it has one or its basis is void; -1 stands for a
-- connection that has not ended. An ambiguous call has just ended. The calls before it may end later:
-- `earlier_calls_end`, or without it the recorded end, stays, and each end is another one.
CREATE FUNCTION finish_attempt(
  done_id uuid, new_state smallint, new_code text, new_user_id text, new_request_id text,
  expected_end bigint, expected_worker uuid, frees_key boolean,
  earlier_calls_end bigint DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  now bigint := ledger_now();
BEGIN
  UPDATE attempts SET state = new_state, outcome_code = new_code, auth0_user_id = new_user_id,
    auth0_request_id = coalesce(new_request_id, auth0_request_id), finished_at = now,
    connection_ended_at = CASE WHEN new_state = 3
      THEN greatest(now, coalesce(earlier_calls_end + 1, connection_ended_at))
      ELSE connection_ended_at END,
    next_check_at = CASE WHEN new_state = 3
      THEN greatest(now, coalesce(earlier_calls_end + 1, connection_ended_at)) END,
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
