//! The values that a page shows.

use std::borrow::Cow;

use url::Url;

use super::form_values::FormValues;

/// An error, shown above everything else.
#[derive(Debug, Default)]
pub struct Alert<'a> {
    /// The error in a few words.
    pub title: Cow<'a, str>,
    /// Advice for the user.
    pub detail: Cow<'a, str>,
    /// The errors of fields.
    pub errors: Vec<ErrorLine>,
    /// The seconds after which a retry makes sense.
    pub retry_after: Option<u64>,
    /// True if the user may have an account and should log in.
    pub has_account: bool,
    /// The reference for support, which identifies the request in the log.
    pub reference: Option<String>,
    /// The link back, on a page without the form.
    pub back: Option<BackLink>,
}

/// The error of a field.
#[derive(Debug)]
pub struct ErrorLine {
    /// The name of the field in code.
    pub field: String,
    /// The code of the error.
    pub code: &'static str,
    /// The message.
    pub message: String,
}

/// The target of the link back on a page without the form.
#[derive(Debug)]
pub enum BackLink {
    /// The built-in form.
    Form,
    /// A page of another site: often only its origin, since many browsers report no more.
    Site(Url),
}

/// The content of the form.
#[derive(Debug)]
pub struct FormView<'a> {
    /// The values that were typed before.
    pub values: &'a FormValues,
    /// The error to show.
    pub alert: Option<&'a Alert<'a>>,
    /// The idempotency key of this form.
    pub key: &'a str,
    /// The signed time at which this form was issued.
    pub form_token: &'a str,
}
