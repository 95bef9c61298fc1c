//! The statements that return no attempts. [`rows`](super::rows) has those that look attempts up.

pub(super) const RESTART: &str = "\
    UPDATE attempts SET state = 0, restarts = restarts + 1, worker = $2, \
      next_check_at = ledger_now() + $3, outcome_code = NULL, finished_at = NULL, \
      connection_ended_at = NULL \
    WHERE id = $1 AND state = 4 AND restarts < $4 AND EXISTS (SELECT FROM attempt_keys \
      WHERE attempt_id = $1 AND expires_at > (SELECT ledger_now())) \
    RETURNING restarts";

/// Each call has an end of its own, also if the end of the one before was written while the clock was ahead.
pub(super) const TAKE_OVER: &str = "\
    UPDATE attempts SET state = 3, outcome_code = 'outcome_unknown', finished_at = now, \
      worker = $2, lease_owner = NULL, \
      connection_ended_at = greatest(now + $3, connection_ended_at + 1), \
      next_check_at = greatest(now + $3, connection_ended_at + 1) \
    FROM (SELECT ledger_now() AS now OFFSET 0) AS clock \
    WHERE id = $1 AND state IN (0, 3) AND coalesce(connection_ended_at, -1) = $4 \
    RETURNING connection_ended_at";

pub(super) const GIVE_BACK: &str = "\
    UPDATE attempts SET state = $3, outcome_code = $4, finished_at = $5, worker = $6, \
      next_check_at = $7, connection_ended_at = $8 \
    WHERE id = $1 AND state = 3 AND connection_ended_at = $2 \
    RETURNING true";

/// The key, unless the attempt has left this state. The change of the row ends a [`RESTART`] that waits for it:
/// a lock alone would let that go on with the keys that it has seen before.
pub(super) const FREE_KEY: &str = "\
    WITH freed AS (UPDATE attempts SET restarts = CASE state WHEN 4 THEN $3 ELSE restarts END \
      WHERE id = $1 AND state = $2 RETURNING id) \
    SELECT free_keys(ARRAY (SELECT id FROM freed))";

/// NULL if nothing was changed. The lock keeps a [`RESTART`] from coming between the comparison and the change.
pub(super) const FINISH: &str = "\
    SELECT nullif(finish_attempt($1, $2, $3, $4, $5, $6, $7, $8, $10), false) FROM (SELECT FROM attempts \
    WHERE id = $1 AND ($9::smallint IS NULL OR restarts = $9) FOR UPDATE) AS attempt";

pub(super) const RELEASE: &str = "\
    UPDATE attempts SET next_check_at = ledger_now() + $3, lease_owner = NULL, \
      check_count = check_count + $4 \
    WHERE id = $1 AND lease_owner = $2 AND state IN (0, 3)";

pub(super) const SWEEP_ATTEMPTS: &str = "\
    WITH swept AS (DELETE FROM attempts WHERE id = ANY (ARRAY \
      (SELECT id FROM attempts WHERE id < $2 ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) \
      RETURNING id) \
    SELECT count(*), free_keys(array_agg(id)) FROM swept";

/// An attempt whose time is far ahead. One that has a key or a check left may still be asked for.
pub(super) const SWEEP_ATTEMPTS_AHEAD: &str = "\
    WITH swept AS (DELETE FROM attempts WHERE id = ANY (ARRAY \
      (SELECT id FROM attempts a WHERE id > $2 AND next_check_at IS NULL \
        AND NOT EXISTS (SELECT FROM attempt_keys WHERE attempt_id = a.id) \
      ORDER BY id DESC LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT count(*) FROM swept";

pub(super) const CUT_KEYS: &str = "\
    WITH cut AS (UPDATE attempt_keys SET expires_at = ledger_now() + $2 \
      WHERE key_digest = ANY (ARRAY (SELECT key_digest FROM attempt_keys \
        WHERE expires_at > (SELECT ledger_now()) + $2 + $3 \
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT count(*) FROM cut";

pub(super) const CUT_PROOFS: &str = "\
    WITH cut AS (UPDATE used_proofs SET expires_at = ledger_now() + $2 \
      WHERE proof = ANY (ARRAY (SELECT proof FROM used_proofs \
        WHERE expires_at > (SELECT ledger_now()) + $2 + $3 \
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT count(*) FROM cut";

pub(super) const SWEEP_KEYS: &str = "\
    WITH swept AS (DELETE FROM attempt_keys WHERE key_digest = ANY (ARRAY \
      (SELECT key_digest FROM attempt_keys WHERE expires_at <= (SELECT ledger_now()) \
      ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT count(*) FROM swept";

pub(super) const SWEEP_PROOFS: &str = "\
    WITH swept AS (DELETE FROM used_proofs WHERE proof = ANY (ARRAY \
      (SELECT proof FROM used_proofs WHERE expires_at <= (SELECT ledger_now()) \
      ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT count(*) FROM swept";

/// Reads the whole table, which holds only the buckets that were used recently.
pub(super) const SWEEP_BUCKETS: &str = "\
    WITH swept AS (DELETE FROM limits WHERE bucket = ANY (ARRAY \
      (SELECT bucket FROM limits WHERE tat < (SELECT limits_now()) \
      LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT count(*) FROM swept";

/// Also deletes those that were last seen before the clock was set back: a living one writes its own again.
pub(super) const SWEEP_PROCESSES: &str = "\
    DELETE FROM processes WHERE seen_at NOT BETWEEN ledger_now() - $1 AND ledger_now() + $2";

/// Sorts the ids: PostgreSQL has no `min` of UUIDs before version 18.
pub(super) const COUNT_PENDING: &str = "\
    SELECT ledger_now(), count(*), (array_agg(id ORDER BY id))[1] FROM \
    (SELECT id FROM attempts WHERE next_check_at IS NOT NULL ORDER BY next_check_at LIMIT $1) \
    AS pending";

/// A notice to the owner of an address is recorded under the digest of the address. The proof of a
/// challenge stays used, but no longer names its attempt.
pub(super) const DELETE_BY_EMAIL: &str = "\
    WITH deleted AS (DELETE FROM attempts WHERE email_digest = ANY ($1) RETURNING id), \
      notices AS (DELETE FROM used_proofs WHERE proof = ANY ($1)), \
      detached AS (UPDATE used_proofs SET attempt_id = '00000000-0000-0000-0000-000000000000' \
        WHERE attempt_id IN (SELECT id FROM deleted) AND proof <> ALL ($1)) \
    SELECT count(*), free_keys(array_agg(id)) FROM deleted";

/// Also written by [`TRY_ATTEMPT`].
macro_rules! heartbeat {
    () => {
        "INSERT INTO processes (id, seen_at) VALUES ($1, ledger_now()) \
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at RETURNING seen_at"
    };
}

pub(super) const HEARTBEAT: &str = heartbeat!();

pub(super) const RECORD_USER_IDS: &str = "\
    INSERT INTO connections (digest, keeps_user_ids) \
    SELECT digest, $2 FROM unnest($1::bytea[]) AS digest ORDER BY digest \
    ON CONFLICT (digest) DO UPDATE SET keeps_user_ids = excluded.keeps_user_ids WHERE $3";

pub(super) const KEEPS_USER_IDS: &str = "\
    SELECT keeps_user_ids FROM connections WHERE digest = ANY ($1::bytea[]) \
    ORDER BY digest <> ($1::bytea[])[1] LIMIT 1";

/// All that a sign-up needs: a heartbeat, and an attempt of its process. Limits and what is known
/// about connections are not needed.
pub(super) const TRY_ATTEMPT: &str =
    concat!("WITH beat AS (", heartbeat!(), ") SELECT try_attempt($1, $2, $3) FROM beat");

/// Returns a row for each mark, unless another attempt recorded one of them before that has not expired.
pub(super) const RECORD_ONCE: &str = "\
    INSERT INTO used_proofs AS known (proof, attempt_id, expires_at) \
    SELECT mark, $2, ledger_now() + $3 FROM unnest($1::bytea[]) AS mark \
    WHERE NOT EXISTS (SELECT FROM used_proofs WHERE proof = ANY ($1) AND attempt_id <> $2 \
      AND expires_at > (SELECT ledger_now())) \
    ORDER BY mark \
    ON CONFLICT (proof) DO UPDATE SET attempt_id = $2, expires_at = excluded.expires_at \
      WHERE known.attempt_id = $2 OR known.expires_at <= ledger_now() \
    RETURNING true";

pub(super) const DELETE_MARK: &str =
    "DELETE FROM used_proofs WHERE proof = ANY ($1) AND attempt_id = $2";
