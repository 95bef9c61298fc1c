//! A role of its own for a test, with the rights of a service.

use uuid::Uuid;

use crate::backend::{Backend, admin};
use crate::server::{connect, server};

/// A role that may log in without a password.
pub(crate) struct Role {
    pub(crate) name: String,
}

impl Role {
    /// Creates a role that owns nothing and may create tables in the schema `public`.
    pub(crate) async fn create(backend: &Backend) -> Self {
        let name = format!("role_{}", Uuid::now_v7().simple());
        admin(&format!("CREATE ROLE {name} LOGIN")).await;
        backend.execute(&format!("GRANT CREATE ON SCHEMA public TO {name}")).await;
        Self { name }
    }

    /// The rights of a service that does not migrate, on the tables that there are.
    pub(crate) async fn grant(&self, backend: &Backend) {
        let rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public";
        backend.execute(&format!("GRANT {rights} TO {}", self.name)).await;
    }

    /// Changes the role, as in `ALTER ROLE name …`.
    pub(crate) async fn alter(&self, change: &str) {
        admin(&format!("ALTER ROLE {} {change}", self.name)).await;
    }

    /// From now on the role needs a password to log in.
    pub(crate) async fn needs_password(&self) {
        // Ignored: another test may have created the role.
        let _created = connect(server()).await.batch_execute("CREATE ROLE password").await;
        admin(&format!("GRANT password TO {}", self.name)).await;
    }

    /// The database as this role.
    pub(crate) fn of(&self, backend: &Backend) -> Backend {
        backend.through(&backend.url().replace("postgres@", &format!("{}@", self.name)))
    }
}
