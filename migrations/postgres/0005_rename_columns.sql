-- Plainer names for columns, a table and their indexes. No value changes. The files before this one
-- keep the old names.
ALTER TABLE attempts RENAME COLUMN code TO outcome_code;
ALTER TABLE attempts RENAME COLUMN begun_at TO started_at;
-- While the outcome is pending: the end of the lease, or the time of the next check. NULL: none.
ALTER TABLE attempts RENAME COLUMN due_at TO next_check_at;
-- The replica that leased the attempt; NULL once released.
ALTER TABLE attempts RENAME COLUMN owner TO lease_owner;
-- The number of times that the reconciler leased the attempt.
ALTER TABLE attempts RENAME COLUMN looks TO check_count;
ALTER INDEX attempts_due_at RENAME TO attempts_next_check_at;

ALTER TABLE redeemed_proofs RENAME TO used_proofs;
ALTER INDEX redeemed_proofs_pkey RENAME TO used_proofs_pkey;
ALTER INDEX redeemed_proofs_expires_at RENAME TO used_proofs_expires_at;
