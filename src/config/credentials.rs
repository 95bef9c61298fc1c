//! The credentials of the machine-to-machine application: a secret, or a key that signs assertions
//! (`private_key_jwt`), and a second secret that is tried when the first credential is rejected.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::identifiers::parse_client_id;
use super::reader::Reader;

/// The credentials to try.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// Tried first.
    pub current: ClientCredential,
    /// Tried when Auth0 rejects the first, so that a rotation needs no exact moment.
    pub previous: Option<ClientCredential>,
}

/// One credential.
#[derive(Debug, Clone)]
pub enum ClientCredential {
    /// A client secret.
    Secret {
        /// The secret.
        secret: SecretString,
        /// The way in which it is sent.
        method: SecretMethod,
    },
    /// A private key.
    Key(AssertionKey),
}

/// The way in which a client secret is sent. An application at Auth0 accepts one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretMethod {
    /// The body: "Client Secret (Post)".
    Body,
    /// The `Authorization` header: "Client Secret (Basic)".
    Basic,
}

/// A private key that signs assertions.
#[derive(Debug, Clone)]
pub struct AssertionKey {
    /// The key.
    pub key: EncodingKey,
    /// The signature's algorithm.
    pub algorithm: Algorithm,
    /// The `kid` of the header. Auth0 needs none.
    pub key_id: Option<String>,
}

const SECRET: &str = "auth0.client_secret";
const KEY: &str = "auth0.client_assertion_signing_key";

/// Lengths of an RSA signature in bytes, of keys with 2048 to 4096 bits, which Auth0 accepts.
const SIGNATURE_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

pub(super) fn read(reader: &mut Reader<'_>) -> ClientCredentials {
    let methods = [("body", SecretMethod::Body), ("basic", SecretMethod::Basic)];
    let method = reader.choice("auth0.client_secret_in", &methods).unwrap_or(SecretMethod::Body);
    let with_method = |secret| ClientCredential::Secret { secret, method };
    let previous = reader.optional_secret("auth0.client_secret_previous").map(with_method);
    let secret = reader.optional_secret(SECRET);
    let current = match key(reader) {
        Some(key) => {
            if reader.is_set(SECRET) && secret.is_some() {
                reader.reject(SECRET, format_args!("either a secret or {KEY}, not both"));
            }
            ClientCredential::Key(key)
        }
        None if reader.is_given(KEY) => with_method(SecretString::default()),
        None => with_method(reader.secret(SECRET)),
    };
    ClientCredentials { current, previous }
}

/// Reads the key, and signs with it once, so that `config check` finds a key that cannot sign.
fn key(reader: &mut Reader<'_>) -> Option<AssertionKey> {
    let algorithms =
        [("RS256", Algorithm::RS256), ("RS384", Algorithm::RS384), ("PS256", Algorithm::PS256)];
    let algorithm = reader.choice("auth0.client_assertion_signing_alg", &algorithms);
    let algorithm = algorithm.unwrap_or(Algorithm::RS256);
    let expected = "one line of visible ASCII characters";
    let key_id = reader.parsed("auth0.client_assertion_key_id", expected, parse_client_id);
    let pem = reader.optional_pem(KEY)?;
    let parsed = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).ok();
    let parsed = parsed.filter(|key| can_sign(key, algorithm));
    let Some(key) = parsed else {
        reader.reject(KEY, "a private RSA key of 2048 to 4096 bits in PEM, without a password");
        return None;
    };
    Some(AssertionKey { key, algorithm, key_id })
}

/// Returns whether a key signs, with a signature as long as those of the keys that Auth0 accepts.
fn can_sign(key: &EncodingKey, algorithm: Algorithm) -> bool {
    let signed = encode(&Header::new(algorithm), &serde_json::json!({}), key).unwrap_or_default();
    let signature = signed.rsplit('.').next().unwrap_or_default();
    SIGNATURE_BYTES.contains(&(signature.len() * 3 / 4))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::super::error::ConfigErrors;
    use super::super::layers::Layers;
    use super::*;

    /// A new key in PEM.
    fn new_key() -> String {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let lines = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
    }

    fn credentials(variables: &[(&str, &str)]) -> Result<ClientCredentials, Vec<String>> {
        let (layers, errors) = Layers::from_variables(variables);
        let mut reader = Reader::new(&layers, errors);
        let read = read(&mut reader);
        let errors = |errors: ConfigErrors| errors.iter().map(ToString::to_string).collect();
        reader.finish(Some(read)).map_err(errors)
    }

    const SECRET: (&str, &str) = ("AUTH0_CLIENT_SECRET", "canary-secret");
    const KEY: &str = "AUTH0_CLIENT_ASSERTION_SIGNING_KEY";

    #[test]
    fn a_key_may_have_its_line_ends_escaped_as_in_env_files() {
        let pem = new_key();
        for pem in [pem.clone(), pem.replace('\n', "\\n"), pem.replace('\n', "\r\n")] {
            let read = credentials(&[(KEY, &pem)]).unwrap();
            assert!(matches!(read.current, ClientCredential::Key(_)), "{read:?}");
            assert!(!format!("{read:?}").contains("MII"), "{read:?}");
        }
        let alg = ("AUTH0_CLIENT_ASSERTION_SIGNING_ALG", "PS256");
        let previous = ("AUTH0_CLIENT_SECRET_PREVIOUS", "canary-secret");
        let read = credentials(&[(KEY, &pem), alg, previous]).unwrap();
        assert!(matches!(read.previous, Some(ClientCredential::Secret { .. })));
        let ClientCredential::Key(key) = read.current else { panic!("{read:?}") };
        assert_eq!(key.algorithm, Algorithm::PS256);
    }

    #[test]
    fn a_key_that_auth0_would_reject_is_one_error() {
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        let good = new_key();
        for pem in [public, "canary-secret", &good[..400]] {
            let errors = credentials(&[(KEY, pem)]).unwrap_err();
            let named = errors[0].starts_with("auth0.client_assertion_signing_key (");
            assert!(errors.len() == 1 && named, "{errors:?}");
            assert!(!errors[0].contains("canary") && !errors[0].contains("MII"), "{errors:?}");
        }
        let errors = credentials(&[(KEY, &*good), SECRET]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains("not both"), "{errors:?}");
        let es256 = ("AUTH0_CLIENT_ASSERTION_SIGNING_ALG", "ES256");
        assert!(credentials(&[(KEY, &*good), es256]).is_err());
        assert!(credentials(&[]).is_err());
        assert!(credentials(&[("SIGNUP__AUTH0__CLIENT_SECRET_IN", "basic"), SECRET]).is_ok());
    }
}
