-- Two roles for the ledger in PostgreSQL: signup_owner applies migrations, signup_serve serves. Run it
-- as a superuser in the ledger's own database, and again in each new one, such as that of a restore:
--
--   psql --dbname=signup --set=ON_ERROR_STOP=1 --file=roles.sql
--
-- Then set the passwords of new roles with \password, so that they reach neither a file nor the server's
-- log.

-- Roles belong to the server: those of another database on it may exist already.
SELECT format('CREATE ROLE %I LOGIN', name)
  FROM (VALUES ('signup_owner'), ('signup_serve')) AS roles (name)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- Nobody else.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO signup_owner, signup_serve', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

GRANT USAGE, CREATE ON SCHEMA public TO signup_owner;
GRANT USAGE ON SCHEMA public TO signup_serve;

-- Every table and function that a migration of signup_owner creates, and those that are there.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO signup_serve;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO signup_serve;
ALTER DEFAULT PRIVILEGES FOR ROLE signup_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO signup_serve;
ALTER DEFAULT PRIVILEGES FOR ROLE signup_owner IN SCHEMA public
  GRANT EXECUTE ON FUNCTIONS TO signup_serve;
