//! The person that the page after a sign-up greets.

/// The person that the page after a sign-up addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Greeting {
    /// The first name, the nickname or the full name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
}
