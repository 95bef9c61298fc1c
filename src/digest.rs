//! Keyed digests, which the ledger holds instead of e-mail addresses, keys and passwords.
//!
//! There is one secret. Each use has its own sub-key, derived by HKDF-SHA-256 from a label, so that
//! a digest of one kind never equals one of another. Digests are HMAC-SHA-256.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hkdf, hmac};
use secrecy::{ExposeSecret as _, SecretString};

/// 32 bytes of HMAC-SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A stored digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A digest in 64 hex digits; `None` if the text is none.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        // A number may start with a plus sign, a digest not.
        if text.len() != 2 * bytes.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The form that the database stores.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    /// Prints the first four bytes: enough to distinguish two in a test, too few to look one up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two, three, four, ..] = self.0;
        write!(f, "Digest({one:02x}{two:02x}{three:02x}{four:02x}…)")
    }
}

/// The digest of one value under the current secret and, during a rotation, under the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestPair {
    /// Under the current secret: the one that is written.
    pub current: Digest,
    /// Under the previous secret: older rows may have it.
    pub previous: Option<Digest>,
}

impl DigestPair {
    /// Returns whether a stored digest is one of these, in constant time.
    pub fn contains(&self, stored: &Digest) -> bool {
        self.iter().any(|digest| verify_slices_are_equal(&digest.0, &stored.0).is_ok())
    }

    /// The current one, then the previous.
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// Computes every keyed digest.
#[derive(Debug)]
pub struct Digests {
    // Boxed: the keys of a secret take kilobytes, and would enlarge every future that holds them.
    current: Box<Secret>,
    previous: Option<Box<Secret>>,
}

impl Digests {
    /// From the secret and, during a rotation, the other one: the one before it or the one after.
    pub fn new(current: &SecretString, previous: Option<&SecretString>) -> Self {
        let new = |secret| Box::new(Secret::new(secret));
        Self { current: new(current), previous: previous.map(new) }
    }

    /// The digests of an e-mail address, as validated: trimmed and in lower case.
    pub fn email(&self, email: &str) -> DigestPair {
        self.pair(|secret| secret.email.digest([email.as_bytes()]))
    }

    /// The digests of a client's idempotency key.
    pub fn idempotency_key(&self, key: &str) -> DigestPair {
        self.pair(|secret| secret.key.digest([key.as_bytes()]))
    }

    /// The digests of the e-mail address and password that a key is bound to. The length of the
    /// address goes first, so that two different pairs are never the same bytes.
    pub fn binding(&self, email: &str, password: &SecretString) -> DigestPair {
        let (length, email) = (length(email), email.as_bytes());
        let password = password.expose_secret().as_bytes();
        self.pair(|secret| secret.binding.digest([&length, email, password]))
    }

    /// The digests that stand for the idempotency key of a form without one: its e-mail address,
    /// and 16 bits of the [binding](Self::binding). No more of the password enters, so that they
    /// verify no guess even when the secret leaks.
    pub fn implicit_key(&self, email: &str, binding: &DigestPair) -> DigestPair {
        let digest = |secret: &Secret, binding: &Digest| {
            let [one, two, ..] = *binding.as_bytes();
            secret.implicit_key.digest([email.as_bytes(), &[one, two]])
        };
        self.pair_with(binding, digest)
    }

    /// The digests whose first bytes become the user id that a create call pins. 8 bits of the
    /// [binding](Self::binding) enter, which distinguish passwords: an id is public, and more of them
    /// would verify a guessed one.
    pub fn user_id(&self, parts: &UserIdParts<'_>, binding: &DigestPair) -> DigestPair {
        self.pair_with(binding, |secret, binding| secret.user_id(parts, binding))
    }

    /// The digests of a tenant's connection.
    pub fn connection(&self, tenant: &str, connection: &str) -> DigestPair {
        let length = length(tenant);
        let parts = [length.as_slice(), tenant.as_bytes(), connection.as_bytes()];
        self.pair(|secret| secret.connection.digest(parts))
    }

    /// The value by which the database recognises the secret.
    pub fn check_value(&self) -> DigestPair {
        self.pair(|secret| secret.check.digest([b"auth0-signup".as_slice()]))
    }

    /// The key for another use, under the current secret only.
    pub fn sub_key(&self, label: &str) -> SubKey {
        self.current.sub_key(label)
    }

    /// The keys for another use, under the current and the previous secret.
    pub fn sub_keys(&self, label: &str) -> SubKeys {
        let previous = self.previous.as_ref().map(|secret| secret.sub_key(label));
        SubKeys { current: self.sub_key(label), previous }
    }

    fn pair(&self, digest: impl Fn(&Secret) -> Digest) -> DigestPair {
        DigestPair {
            current: digest(&self.current),
            previous: self.previous.as_deref().map(digest),
        }
    }

    /// The digests that each secret makes of another one of its own.
    fn pair_with(
        &self,
        other: &DigestPair,
        digest: impl Fn(&Secret, &Digest) -> Digest,
    ) -> DigestPair {
        let previous = self.previous.as_deref().zip(other.previous.as_ref());
        DigestPair {
            current: digest(&self.current, &other.current),
            previous: previous.map(|(secret, other)| digest(secret, other)),
        }
    }
}

/// The parts of a sign-up that its pinned user id is computed from.
#[derive(Debug, Clone, Copy)]
pub struct UserIdParts<'p> {
    /// The tenant.
    pub tenant: &'p str,
    /// The connection's name.
    pub connection: &'p str,
    /// The UTC day, counted from the Unix epoch. It keeps a later sign-up from getting the id of a
    /// deleted user.
    pub day: u64,
    /// The e-mail address as it is sent.
    pub email: &'p str,
    /// The client's idempotency key, if it sent one.
    pub key: Option<&'p str>,
}

/// The length of a text as it goes before it, so that two different lists of texts are never the
/// same bytes.
fn length(text: &str) -> [u8; 8] {
    // usize has at most 64 bits on every target.
    u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes()
}

/// The sub-keys of one secret, derived once.
#[derive(Debug)]
struct Secret {
    root: hkdf::Prk,
    email: SubKey,
    key: SubKey,
    binding: SubKey,
    implicit_key: SubKey,
    user_id: SubKey,
    connection: SubKey,
    check: SubKey,
}

impl Secret {
    fn new(secret: &SecretString) -> Self {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"auth0-signup");
        let root = salt.extract(secret.expose_secret().as_bytes());
        Self {
            email: SubKey::derive(&root, "ledger email v1"),
            key: SubKey::derive(&root, "ledger idempotency key v1"),
            binding: SubKey::derive(&root, "ledger binding v1"),
            implicit_key: SubKey::derive(&root, "ledger implicit key v1"),
            user_id: SubKey::derive(&root, "pinned user id v1"),
            connection: SubKey::derive(&root, "ledger connection v1"),
            check: SubKey::derive(&root, "ledger check value v1"),
            root,
        }
    }

    fn sub_key(&self, label: &str) -> SubKey {
        SubKey::derive(&self.root, label)
    }

    fn user_id(&self, parts: &UserIdParts<'_>, binding: &Digest) -> Digest {
        let UserIdParts { tenant, connection, day, email, key } = *parts;
        let [password, ..] = *binding.as_bytes();
        self.user_id.digest([
            &length(tenant),
            tenant.as_bytes(),
            &length(connection),
            connection.as_bytes(),
            &day.to_be_bytes(),
            &length(email),
            email.as_bytes(),
            &[password],
            // The last part, so it needs no length. No key is empty.
            key.unwrap_or_default().as_bytes(),
        ])
    }
}

/// The keys for one use, under the current secret and, during a rotation, under the other one.
#[derive(Debug)]
pub struct SubKeys {
    /// Under the current secret: the one that signs.
    pub current: SubKey,
    /// Under the previous secret: it may have signed what comes back.
    pub previous: Option<SubKey>,
}

impl SubKeys {
    /// The current one, then the previous.
    pub fn iter(&self) -> impl Iterator<Item = &SubKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// An HMAC-SHA-256 key for one use.
#[derive(Debug, Clone)]
pub struct SubKey(hmac::Key);

impl SubKey {
    #[expect(
        clippy::expect_used,
        reason = "HKDF-SHA-256 yields up to 8160 bytes; this requests 32"
    )]
    fn derive(root: &hkdf::Prk, label: &str) -> Self {
        let info = [label.as_bytes()];
        let okm = root.expand(&info, hmac::HMAC_SHA256).expect("32 bytes are within the bound");
        Self(okm.into())
    }

    /// The digest of these parts, concatenated. A part of varying length needs its length before
    /// it.
    pub fn digest<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        // The tag of HMAC-SHA-256 has exactly 32 bytes.
        Digest(context.sign().as_ref().first_chunk().copied().unwrap_or_default())
    }
}

/// The bytes in lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.repeat(32).into()
    }

    #[test]
    fn no_two_pairs_share_a_binding() {
        let digests = Digests::new(&secret("k"), None);
        let binding =
            |email: &str, password: &str| digests.binding(email, &password.into()).current;
        assert_eq!(binding("a@b.de", "x"), binding("a@b.de", "x"));
        assert_ne!(binding("a@b.de", "x"), binding("a@b.d", "ex"));
        assert_ne!(binding("a@b.de", "x"), binding("a@b.de", "y"));
    }

    #[test]
    fn a_digest_in_hex_is_read_back_and_nothing_else_is() {
        let digest = Digests::new(&secret("k"), None).email("a@b.de").current;
        let text = hex(digest.as_bytes());
        assert_eq!(Digest::from_hex(&text), Some(digest));
        for other in [String::new(), text[1..].to_owned(), format!("+{}", &text[1..]), text + "0"] {
            assert_eq!(Digest::from_hex(&other), None, "{other}");
        }
    }

    #[test]
    fn digests_differ_by_kind_and_by_secret() {
        let digests = Digests::new(&secret("k"), None);
        assert_ne!(digests.email("same"), digests.idempotency_key("same"));
        assert_ne!(digests.email("same"), Digests::new(&secret("l"), None).email("same"));
        let (one, other) = (digests.sub_key("one"), digests.sub_key("other"));
        assert_ne!(one.digest([b"x".as_slice()]), other.digest([b"x".as_slice()]));
    }

    #[test]
    fn a_digest_under_the_previous_secret_is_recognised() {
        let before = Digests::new(&secret("k"), None).email("a@b.de").current;
        let rotated = Digests::new(&secret("l"), Some(&secret("k"))).email("a@b.de");
        assert!(rotated.contains(&before) && rotated.contains(&rotated.current));
        assert!(!Digests::new(&secret("l"), None).email("a@b.de").contains(&before));
    }

    #[test]
    fn hmac_and_hkdf_are_the_standard_ones() {
        // Computed with Python's hmac and hashlib: RFC 5869, then RFC 2104.
        let digests = Digests::new(&secret("k"), None);
        assert_eq!(
            hex(digests.email("ada@example.com").current.as_bytes()),
            "b6d438526e7c07599a69c23afd2d20eb0e255e8460c188133809fe3e27a6cc0b"
        );
    }

    #[test]
    fn a_user_id_depends_on_every_part_and_on_eight_bits_of_the_password() {
        let digests = Digests::new(&secret("k"), None);
        let parts = UserIdParts {
            tenant: "acme.eu.auth0.com",
            connection: "Users",
            day: 20_000,
            email: "ada@example.com",
            key: None,
        };
        let id = |parts: UserIdParts<'_>, password: &str| {
            let binding = digests.binding(parts.email, &password.into());
            digests.user_id(&parts, &binding).current
        };
        let base = id(parts, "one");
        for other in [
            UserIdParts { tenant: "acme.eu.auth0.co", connection: "mUsers", ..parts },
            UserIdParts { connection: "Other", ..parts },
            UserIdParts { day: 20_001, ..parts },
            UserIdParts { email: "eda@example.com", ..parts },
            UserIdParts { key: Some("8e03978e-40d5-43dd"), ..parts },
        ] {
            assert_ne!(id(other, "one"), base, "{other:?}");
        }
        for key in [None, Some("8e03978e-40d5-43dd")] {
            let parts = UserIdParts { key, ..parts };
            let ids: std::collections::HashSet<_> =
                (0..2_000).map(|number| id(parts, &format!("password-{number}"))).collect();
            assert!((200..=256).contains(&ids.len()), "{key:?}: {}", ids.len());
        }
    }

    #[test]
    fn an_implicit_key_has_sixteen_bits_of_the_password() {
        let digests = Digests::new(&secret("k"), Some(&secret("l")));
        let binding = |byte| {
            let mut current = [byte; 32];
            current[..2].copy_from_slice(&[1, 2]);
            DigestPair { current: Digest(current), previous: Some(Digest([byte; 32])) }
        };
        let one = digests.implicit_key("ada@example.com", &binding(3));
        let other = digests.implicit_key("ada@example.com", &binding(4));
        assert_eq!(one.current, other.current);
        assert_ne!(one.previous, other.previous);
        assert_ne!(one, digests.implicit_key("eda@example.com", &binding(3)));
    }

    #[test]
    fn debug_reveals_no_secret() {
        let text = format!("{:?}", Digests::new(&"canary".repeat(6).into(), None));
        assert!(!text.contains("canary"), "{text}");
    }
}
