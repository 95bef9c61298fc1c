//! The traits that all newtypes of personal data share.
//!
//! Their text can only be read explicitly, through `AsRef<str>`: `Debug` shows the type and not the
//! value.

/// Implements `AsRef<str>`, and a `Debug` that is safe in any log, for a newtype over a `String`.
macro_rules! redacted_newtype {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(_)"))
            }
        }
    };
}

pub(super) use redacted_newtype;
