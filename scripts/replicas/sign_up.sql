-- For pgbench: the statements of one sign-up, as src/ledger/postgres/ sends them to a server without
-- a pooler. With `synchronous = full` each has a transaction around it, whose messages are sent
-- together, and the start of the attempt is synced afterwards.
\set id random(1, 9000000000000000000)
\if :synced
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config('synchronous_commit', 'on', true), set_config('search_path', 'public', true), set_config('statement_timeout', '1400', true), set_config('lock_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true);
SELECT ledger_now(), EXISTS (SELECT FROM attempt_keys WHERE key_digest = ANY (ARRAY[sha256(:id::text::bytea)]) AND expires_at > (SELECT ledger_now()));
COMMIT;
\endpipeline
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config('synchronous_commit', 'off', true), set_config('search_path', 'public', true), set_config('statement_timeout', '1400', true), set_config('lock_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true);
SELECT result, limited_bucket, limited_for, limits_error FROM start_attempt(md5(:id::text)::uuid, sha256(('email' || :id::text)::bytea), md5(:id::text), :id::text, NULL, 1, md5('process')::uuid, 30000, ARRAY[sha256(:id::text::bytea)], ARRAY['\x0102'::bytea], 86400000, NULL, NULL, ARRAY[sha256('address'), sha256('service'), sha256(('email' || :id::text)::bytea)], ARRAY[1, 1, 1], ARRAY[1000000, 1000000, 1000000]);
COMMIT;
BEGIN;
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
SELECT pg_logical_emit_message(true, 'auth0-signup', '');
COMMIT;
\endpipeline
\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT set_config('synchronous_commit', 'on', true), set_config('search_path', 'public', true), set_config('statement_timeout', '1400', true), set_config('lock_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true);
SELECT finish_attempt(md5(:id::text)::uuid, 1::smallint, 'created', NULL, '1fa9c4f4d3fd7b2a1f5e', NULL, NULL, false);
COMMIT;
\endpipeline
\else
SELECT ledger_now(), EXISTS (SELECT FROM attempt_keys WHERE key_digest = ANY (ARRAY[sha256(:id::text::bytea)]) AND expires_at > (SELECT ledger_now()));
SELECT result, limited_bucket, limited_for, limits_error FROM start_attempt(md5(:id::text)::uuid, sha256(('email' || :id::text)::bytea), md5(:id::text), :id::text, NULL, 1, md5('process')::uuid, 30000, ARRAY[sha256(:id::text::bytea)], ARRAY['\x0102'::bytea], 86400000, NULL, NULL, ARRAY[sha256('address'), sha256('service'), sha256(('email' || :id::text)::bytea)], ARRAY[1, 1, 1], ARRAY[1000000, 1000000, 1000000]);
SELECT finish_attempt(md5(:id::text)::uuid, 1::smallint, 'created', NULL, '1fa9c4f4d3fd7b2a1f5e', NULL, NULL, false);
\endif
