//! A stored password, which is never printed.

use std::fmt;

/// The number of bytes that the tenant's hash function reads.
pub(super) const HASHED_BYTES: usize = 72;

/// A password truncated to the part that the tenant's hash function reads.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoredPassword(Vec<u8>);

impl StoredPassword {
    /// Stores the significant part of `password`.
    pub(crate) fn new(password: &str) -> Self {
        Self(password.bytes().take(HASHED_BYTES).collect())
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_after_the_72nd_are_ignored() {
        let long = "x".repeat(72);
        assert_eq!(StoredPassword::new(&long), StoredPassword::new(&format!("{long}y")));
        assert_ne!(StoredPassword::new(&long), StoredPassword::new(long.get(1..).unwrap()));
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert!(!format!("{:?}", StoredPassword::new("hunter2")).contains("hunter2"));
    }
}
