//! The words of the pages that are neither a problem nor a message about a field.

use crate::domain::Field;

/// One language.
#[derive(Debug)]
pub struct Words {
    /// Its BCP 47 tag.
    pub lang: &'static str,
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    pub(super) create_account: &'static str,
    pub(super) error: &'static str,
    pub(super) optional: &'static str,
    pub(super) show: &'static str,
    pub(super) show_password: &'static str,
    pub(super) password_rules: &'static str,
    pub(super) type_again: &'static str,
    pub(super) submit: &'static str,
    pub(super) have_account: &'static str,
    pub(super) log_in: &'static str,
    pub(super) reset_password: &'static str,
    pub(super) privacy: &'static str,
    pub(super) choose: &'static str,
    pub(super) created: &'static str,
    pub(super) created_mail: &'static str,
    pub(super) created_log_in: &'static str,
    pub(super) back_to_form: &'static str,
    pub(super) try_again_in: &'static str,
    pub(super) seconds: &'static str,
    pub(super) reference: &'static str,
    fields: [&'static str; Field::ALL.len()],
}

impl Words {
    /// What a field is called.
    pub(super) fn field(&self, field: Field) -> &'static str {
        let at = Field::ALL.iter().position(|known| *known == field);
        at.and_then(|at| self.fields.get(at)).copied().unwrap_or_default()
    }
}

/// English.
pub static ENGLISH: Words = Words {
    lang: "en",
    dir: "ltr",
    create_account: "Create your account",
    error: "Error",
    optional: "optional",
    show: "Show",
    show_password: "Show password",
    password_rules: "The password needs all of this",
    type_again: "Type the password again; it is not kept.",
    submit: "Create account",
    have_account: "Already have an account?",
    log_in: "Log in",
    reset_password: "Reset the password",
    privacy: "Privacy",
    choose: "Choose",
    created: "Welcome",
    created_mail: "Look into your mail: there may be a message to confirm your address.",
    created_log_in: "Then log in with your e-mail address and password.",
    back_to_form: "Back to the form",
    try_again_in: "Try again in",
    seconds: "s",
    reference: "Reference",
    fields: [
        "E-mail address",
        "Password",
        "First name",
        "Last name",
        "Name",
        "Nickname",
        "Picture (web address)",
        "Username",
        "Phone number",
    ],
};
