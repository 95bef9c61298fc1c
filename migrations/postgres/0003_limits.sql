-- The limits that replicas share (GCRA): until when the permits of a bucket are spent ahead, in
-- microseconds since the Unix epoch by this server's clock. A row whose time has passed says
-- nothing. granted and refused are those of the last write, for its own RETURNING.
--
-- Unlogged: a crash of the server forgets who asked how often, and a write costs a quarter. The fill
-- factor leaves room for the next version of a row beside it; nothing but the key is indexed, so that
-- no index is written with it.
CREATE UNLOGGED TABLE limits (
  bucket  bytea  NOT NULL PRIMARY KEY,  -- a keyed digest
  tat     bigint NOT NULL,              -- theoretical arrival time
  every   bigint NOT NULL,              -- microseconds to the next permit
  burst   bigint NOT NULL,
  granted bigint NOT NULL,
  refused bigint NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
