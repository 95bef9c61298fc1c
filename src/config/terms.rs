//! `[terms]`: the terms that people accept, and where Auth0 stores the acceptance.

use super::reader::Reader;
use super::urls;
use crate::domain::terms::parse_consent;
use crate::domain::{Rules, Terms, TermsVersion};

const VERSION: &str = "terms.version";
const KEY: &str = "terms.key";

/// The maximum length of the member's name.
const MAX_KEY: usize = 64;

/// The names that Auth0 rejects in `app_metadata`: those of its documentation of metadata, and
/// `username` (<https://community.auth0.com/t/156584>).
const RESERVED: [&str; 19] = [
    "__tenant",
    "_id",
    "blocked",
    "clientID",
    "created_at",
    "email",
    "email_verified",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "lastLogin",
    "loginsCount",
    "metadata",
    "multifactor",
    "multifactor_last_modified",
    "updated_at",
    "user_id",
    "username",
];

/// The member of the create call that says which terms were accepted, and when.
#[derive(Debug, Clone)]
pub struct TermsMember {
    /// The object that contains it.
    pub target: TermsTarget,
    /// Its name.
    pub key: String,
}

/// The two free-form objects of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermsTarget {
    /// `app_metadata`, which only the tenant's own programs can change.
    AppMetadata,
    /// `user_metadata`, which the user can change too.
    UserMetadata,
}

/// Reads the terms. Returns `None` if there are none.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Terms> {
    let (version, url) = (reader.text(VERSION), urls::link(reader, "terms.url"));
    let required = reader.flag("terms.required");
    let Some(version) = version else {
        if url.is_some() {
            reader.reject(VERSION, "the version of the terms at terms.url");
        }
        return None;
    };
    // A form that sends one of these words says yes or no and names no version.
    let is_consent = parse_consent(Some(&version)).is_some();
    let version = TermsVersion::parse(&version).filter(|_| !is_consent);
    if version.is_none() {
        let max = TermsVersion::MAX_LENGTH;
        reader.reject(VERSION, format!(
            "1 to {max} visible ASCII characters, such as 2026-11; not true, on, 1, yes, false, off, 0 or no"
        ));
    }
    if url.is_none() && reader.text("terms.url").is_none() {
        reader.reject("terms.url", "the https URL at which the terms can be read");
    }
    Some(Terms { version: version?, url: url?, required })
}

/// Reads where the acceptance is stored. `rules` must not let a form set that member.
pub(super) fn read_member(reader: &mut Reader<'_>, rules: Option<&Rules>) -> TermsMember {
    let targets =
        [("app_metadata", TermsTarget::AppMetadata), ("user_metadata", TermsTarget::UserMetadata)];
    let target = reader.choice("terms.target", &targets).unwrap_or(TermsTarget::AppMetadata);
    let key = reader.required(KEY, "a name");
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !plain || key.len() > MAX_KEY {
        reader.reject(KEY, format!("at most {MAX_KEY} letters a to z, digits, _ and -"));
    }
    match target {
        TermsTarget::AppMetadata if RESERVED.contains(&key.as_str()) => {
            reader.reject(KEY, "a name that Auth0 does not reserve in app_metadata");
        }
        TermsTarget::UserMetadata
            if rules.is_some_and(|rules| rules.metadata.contains_key(&key)) =>
        {
            reader.reject(KEY, "a name that [user_metadata] does not accept from forms");
        }
        TermsTarget::AppMetadata | TermsTarget::UserMetadata => {}
    }
    TermsMember { target, key }
}
