//! Passwords known from breaches: the ones the settings list.

use crate::tenant::Tenant;

/// Whether `password` is on the tenant's list.
pub(crate) fn rejects(tenant: &Tenant, password: &str) -> bool {
    tenant.breached_passwords.iter().any(|known| known == password)
}
