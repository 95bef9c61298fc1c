-- no transaction
-- For operators' commands. Built while the service runs: writes continue meanwhile.
CREATE INDEX CONCURRENTLY attempts_request_id ON :schema.attempts (request_id);
