-- Plainer names for columns, a table and their indexes. No value changes. The files before this one
-- keep the old names.
ALTER TABLE attempts RENAME COLUMN code TO outcome_code;
ALTER TABLE attempts RENAME COLUMN begun_at TO started_at;
-- While the outcome is pending: when the lease ends, or when the next lookup is due. NULL: never.
ALTER TABLE attempts RENAME COLUMN due_at TO next_check_at;
-- The process that leased the attempt last.
ALTER TABLE attempts RENAME COLUMN owner TO lease_owner;
-- How often the reconciler has leased the attempt.
ALTER TABLE attempts RENAME COLUMN looks TO check_count;

ALTER TABLE redeemed_proofs RENAME TO used_proofs;

-- SQLite cannot rename an index. Both hold few rows: pending attempts, and proofs of a few minutes.
DROP INDEX attempts_due_at;
CREATE INDEX attempts_next_check_at ON attempts (next_check_at) WHERE next_check_at IS NOT NULL;
DROP INDEX redeemed_proofs_expires_at;
CREATE INDEX used_proofs_expires_at ON used_proofs (expires_at);
