-- Two roles for the ledger in PostgreSQL: signup_owner applies migrations, signup_serve serves. Run it
-- once, as a superuser, in the ledger's own database:
--
--   psql --dbname=signup --set=ON_ERROR_STOP=1 --file=roles.sql
--
-- Then set their passwords with \password, so that they reach neither a file nor the server's log.

CREATE ROLE signup_owner LOGIN;
CREATE ROLE signup_serve LOGIN;

-- Nobody else.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO signup_owner, signup_serve', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE, CREATE ON SCHEMA public TO signup_owner;
GRANT USAGE ON SCHEMA public TO signup_serve;

-- Every table that a migration of signup_owner creates. Functions can be called by everybody who may use
-- the schema.
ALTER DEFAULT PRIVILEGES FOR ROLE signup_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO signup_serve;
