-- no transaction
-- For `attempts forget`, and for the attempts that may have created a user. Built while the service
-- runs. A database may have it already: it was part of `0006_computed_identity` before 0.1.0.
CREATE INDEX CONCURRENTLY IF NOT EXISTS attempts_email_digest ON :schema.attempts (email_digest);
