//! The check for personal information in a password.

use serde_json::{Map, Value};

use super::policy::ProfileDataOptions;
use crate::tenant::Tenant;

/// The members that the legacy check compares. Given and family name are not among them.
const LEGACY_FIELDS: [&str; 7] = [
    "name",
    "username",
    "nickname",
    "user_metadata.name",
    "user_metadata.first",
    "user_metadata.last",
    "email",
];

/// Returns whether `password` contains personal information from `profile`.
pub(super) fn rejects(tenant: &Tenant, password: &str, profile: &Map<String, Value>) -> bool {
    let own = match &tenant.password_options {
        Some(options) => options.profile_data.clone(),
        None => ProfileDataOptions { active: tenant.no_personal_info, blocked_fields: Vec::new() },
    };
    if !own.active {
        return false;
    }
    let lower = password.to_lowercase();
    let contains = |field: &str| {
        value_of(profile, field).is_some_and(|value| {
            // Of an e-mail only the local part counts.
            let part = match field {
                "email" => value.rsplit_once('@').map_or(value, |(local, _)| local),
                _ => value,
            };
            !part.is_empty() && lower.contains(&part.to_lowercase())
        })
    };
    if own.blocked_fields.is_empty() {
        LEGACY_FIELDS.into_iter().any(contains)
    } else {
        own.blocked_fields.iter().any(|field| contains(field))
    }
}

/// The string at a dotted path of the profile.
fn value_of<'a>(profile: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    let mut steps = path.split('.');
    let first = profile.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::password::PasswordOptions;

    fn profile() -> Map<String, Value> {
        let profile = json!({
            "email": "ada.l@example.com", "nickname": "Jo", "given_name": "Augusta",
            "user_metadata": {"last": "Lovelace"},
        });
        profile.as_object().unwrap().clone()
    }

    #[test]
    fn the_legacy_check_compares_local_part_nickname_and_metadata() {
        let tenant = Tenant { no_personal_info: true, ..Tenant::default() };
        for (password, rejected) in [
            ("xADA.L9", true),
            ("banjo99", true),
            ("lovelace", true),
            ("augusta", false),
            ("example.com", false),
        ] {
            assert_eq!(rejects(&tenant, password, &profile()), rejected, "{password}");
        }
    }

    #[test]
    fn the_check_is_off_by_default() {
        assert!(!rejects(&Tenant::default(), "ada.l", &profile()));
    }

    #[test]
    fn a_flexible_policy_selects_its_own_members() {
        let profile_data =
            ProfileDataOptions { active: true, blocked_fields: vec!["given_name".to_owned()] };
        let options = PasswordOptions { profile_data, ..PasswordOptions::default() };
        let tenant = Tenant { password_options: Some(options), ..Tenant::default() };
        assert!(rejects(&tenant, "augusta1", &profile()));
        assert!(!rejects(&tenant, "lovelace", &profile()));
    }
}
