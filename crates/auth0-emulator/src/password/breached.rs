//! Breached passwords: those listed in the settings.

use crate::tenant::Tenant;

/// Returns whether `password` is on the tenant's list.
pub(crate) fn rejects(tenant: &Tenant, password: &str) -> bool {
    tenant.breached_passwords.iter().any(|known| known == password)
}
