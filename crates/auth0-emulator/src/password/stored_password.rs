//! A stored password, which shows itself to nobody.

use std::fmt;

/// How many bytes the tenant's hash function looks at.
const HASHED_BYTES: usize = 72;

/// A password as the store keeps it: cut where the tenant's hash function stops reading.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoredPassword(Vec<u8>);

impl StoredPassword {
    /// Keeps the part of `password` that counts.
    pub(crate) fn new(password: &str) -> Self {
        Self(password.bytes().take(HASHED_BYTES).collect())
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_72_bytes_does_not_count() {
        let long = "x".repeat(72);
        assert_eq!(StoredPassword::new(&long), StoredPassword::new(&format!("{long}y")));
        assert_ne!(StoredPassword::new(&long), StoredPassword::new(long.get(1..).unwrap()));
    }

    #[test]
    fn it_does_not_print() {
        assert!(!format!("{:?}", StoredPassword::new("hunter2")).contains("hunter2"));
    }
}
