//! The statements that write a batch: one statement, one transaction, one round trip.

/// Both parts see the rows as they were before the statement. A new attempt whose key is taken or
/// freed in the same batch is therefore resolved afterwards.
///
/// A resolution that was written before is written again: its reply was lost with a connection.
macro_rules! write_sql {
    (with $costs:literal where $may_begin:literal select $more:literal) => {
        concat!(
            "WITH ",
            $costs,
            "started AS ( \
              INSERT INTO attempts (id, email_digest, key_digest, binding_digest, key_expires_at, \
                user_id, request_id, state, started_at, next_check_at, terms_version) \
              SELECT id, email_digest, key_digest, binding_digest, key_expires_at, \
                user_id, request_id, 0, started_at, next_check_at, terms_version \
              FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], \
                $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[]) \
                AS new (id, email_digest, key_digest, previous_digest, binding_digest, \
                key_expires_at, user_id, request_id, started_at, next_check_at, terms_version) \
              WHERE NOT EXISTS (SELECT FROM attempts known \
                WHERE known.key_digest = new.previous_digest \
                AND known.key_digest IS NOT NULL AND known.key_expires_at > new.started_at) ",
            $may_begin,
            "ON CONFLICT DO NOTHING \
              RETURNING id \
            ), finished AS ( \
              UPDATE attempts a SET state = f.state, outcome_code = f.outcome_code, \
                auth0_user_id = f.auth0_user_id, \
                auth0_request_id = coalesce(f.auth0_request_id, a.auth0_request_id), \
                finished_at = f.finished_at, \
                connection_ended_at = greatest(f.connection_ended_at, a.connection_ended_at), \
                next_check_at = f.next_check_at, lease_owner = NULL, \
                key_digest = CASE WHEN f.state <> 4 THEN a.key_digest END, \
                binding_digest = CASE WHEN f.state <> 4 THEN a.binding_digest END, \
                key_expires_at = CASE WHEN f.state <> 4 THEN a.key_expires_at END \
              FROM unnest($12::uuid[], $13::smallint[], $14::text[], $15::text[], $16::text[], \
                $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[]) \
                AS f (id, state, outcome_code, auth0_user_id, auth0_request_id, finished_at, \
                connection_ended_at, next_check_at, expected_connection_ended_at) \
              WHERE a.id = f.id AND ((a.state IN (0, 3) OR (f.state = 1 AND a.state IN (2, 4))) \
                AND (f.expected_connection_ended_at IS NULL \
                  OR coalesce(a.connection_ended_at, -1) = f.expected_connection_ended_at) \
                OR (f.state = a.state AND f.finished_at = a.finished_at)) \
              RETURNING a.id \
            ) \
            SELECT (SELECT array_agg(id) FROM started), (SELECT array_agg(id) FROM finished)",
            $more,
        )
    };
}

/// For a batch of attempts without costs.
pub(super) const WRITE: &str = write_sql!(with "" where "" select "");

/// For every other batch. Permits come first: the remaining permits of a bucket go to the attempts
/// that asked first. An attempt that lacks a permit does not use its proof and does not start.
///
/// The time is read when the row is locked, because the `now()` of a transaction that waited would
/// be stale. A stored time more than a whole burst ahead comes from a clock that was set back, and
/// is cut to one burst.
///
/// The arrays are materialised once, before the first row is inserted.
pub(super) const WRITE_WITH_COSTS: &str = write_sql!(
    with "spent AS ( \
      INSERT INTO limits AS l (bucket, tat, every, burst, granted, refused) \
      SELECT bucket, now + every * least(permits, burst), every, burst, least(permits, burst), \
        permits - least(permits, burst) \
      FROM unnest($21::bytea[], $22::bigint[], $23::bigint[], $24::bigint[]) \
        AS demand (bucket, permits, every, burst), \
        (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now OFFSET 0) AS clock \
      ON CONFLICT (bucket) DO UPDATE SET (tat, every, burst, granted, refused) = ( \
        SELECT base + given * excluded.every, excluded.every, excluded.burst, given, \
          excluded.granted + excluded.refused - given \
        FROM (SELECT base, least(excluded.granted + excluded.refused, \
            (now + excluded.every * excluded.burst - base) / excluded.every) AS given \
          FROM (SELECT now, \
              least(greatest(l.tat, now), now + excluded.every * excluded.burst) AS base \
            FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now OFFSET 0) \
              AS clock OFFSET 0) AS based OFFSET 0) AS given) \
      RETURNING bucket, refused, \
        tat - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS ahead \
    ), short AS MATERIALIZED ( \
      SELECT bucket, refused, ahead FROM spent WHERE refused > 0 \
    ), limited AS MATERIALIZED ( \
      SELECT coalesce(array_agg(request.id), '{}') AS ids FROM short \
      JOIN unnest($25::uuid[], $26::bytea[], $27::bigint[]) AS request (id, bucket, later) \
        ON request.bucket = short.bucket AND request.later < short.refused \
    ), used AS ( \
      INSERT INTO used_proofs (proof, attempt_id, expires_at) \
      SELECT proof, id, expires_at \
      FROM unnest($28::bytea[], $29::uuid[], $30::bigint[]) AS given (proof, id, expires_at) \
      WHERE id <> ALL ((SELECT ids FROM limited)::uuid[]) \
      ON CONFLICT DO NOTHING \
      RETURNING attempt_id \
    ), proven AS MATERIALIZED ( \
      SELECT coalesce(array_agg(attempt_id), '{}') AS ids FROM used \
    ), "
    where "AND new.id <> ALL ((SELECT ids FROM limited)::uuid[]) \
      AND (new.id <> ALL ($29::uuid[]) OR new.id = ANY ((SELECT ids FROM proven)::uuid[])) "
    select ", (SELECT ids FROM proven), \
      (SELECT array_agg(bucket ORDER BY bucket) FROM short), \
      (SELECT array_agg(refused ORDER BY bucket) FROM short), \
      (SELECT array_agg(ahead ORDER BY bucket) FROM short)"
);

pub(super) const FREE_EXPIRED: &str = "\
    UPDATE attempts a SET key_digest = NULL, binding_digest = NULL, key_expires_at = NULL \
    FROM unnest($1::bytea[], $2::bigint[]) AS new (key_digest, started_at) \
    WHERE a.key_digest = new.key_digest AND a.key_digest IS NOT NULL \
      AND a.key_expires_at <= new.started_at";
