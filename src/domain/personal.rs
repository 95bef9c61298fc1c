//! What every newtype of personal data shares: it is read on purpose, through `AsRef<str>`, and
//! never by accident, since its `Debug` shows the type and not the value.

/// Gives a newtype over a `String` a reader and a `Debug` that is safe in any log.
macro_rules! personal_text {
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

pub(super) use personal_text;
