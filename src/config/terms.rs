//! `[terms]`: what people agree to, and where Auth0 keeps that they did.

use super::page::url;
use super::reader::Reader;
use crate::domain::submission::Slot;
use crate::domain::terms::says_yes;
use crate::domain::{Rules, Terms, TermsVersion};

const VERSION: &str = "terms.version";
const KEY: &str = "terms.key";

/// The longest name of the member.
const MAX_KEY: usize = 64;

/// The names that Auth0 does not take in `app_metadata` (its documentation of metadata).
const RESERVED: [&str; 18] = [
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
];

/// Where the create call says which terms were accepted, and when.
#[derive(Debug, Clone)]
pub struct TermsMember {
    /// The object.
    pub target: TermsTarget,
    /// The name in it.
    pub key: String,
}

/// The two objects of a user that may hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermsTarget {
    /// `app_metadata`, which the tenant's own programs can change.
    AppMetadata,
    /// `user_metadata`, which its owner can change too.
    UserMetadata,
}

/// `None`: there are no terms.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Terms> {
    let (version, url) = (reader.text(VERSION), url(reader, "terms.url"));
    let required = reader.flag("terms.required");
    let Some(version) = version else {
        if url.is_some() {
            reader.fault(VERSION, "the version of the terms at terms.url");
        }
        return None;
    };
    // A form says yes or no with them, whichever terms it means.
    let is_answer = says_yes(&Slot::Text(version.as_str().into())).is_some();
    let version = TermsVersion::parse(&version).filter(|_| !is_answer);
    if version.is_none() {
        let most = TermsVersion::MAX_LENGTH;
        reader.fault(VERSION, format!(
            "1 to {most} visible ASCII characters, such as 2026-11; not true, on, 1, yes, false, off, 0 or no"
        ));
    }
    if url.is_none() && reader.text("terms.url").is_none() {
        reader.fault("terms.url", "where the terms can be read, an https address");
    }
    Some(Terms { version: version?, url: url?, required })
}

/// `rules`: those of forms, which may not fill this in.
pub(super) fn read_member(reader: &mut Reader<'_>, rules: Option<&Rules>) -> TermsMember {
    let targets =
        [("app_metadata", TermsTarget::AppMetadata), ("user_metadata", TermsTarget::UserMetadata)];
    let target = reader.choice("terms.target", &targets).unwrap_or(TermsTarget::AppMetadata);
    let key = reader.required(KEY, "a name");
    let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !plain || key.len() > MAX_KEY {
        reader.fault(KEY, format!("at most {MAX_KEY} letters a to z, digits, _ and -"));
    }
    match target {
        TermsTarget::AppMetadata if RESERVED.contains(&key.as_str()) => {
            reader.fault(KEY, "a name that Auth0 does not reserve in app_metadata");
        }
        TermsTarget::UserMetadata
            if rules.is_some_and(|rules| rules.metadata.contains_key(&key)) =>
        {
            reader.fault(KEY, "a name that [user_metadata] does not take from forms");
        }
        TermsTarget::AppMetadata | TermsTarget::UserMetadata => {}
    }
    TermsMember { target, key }
}
