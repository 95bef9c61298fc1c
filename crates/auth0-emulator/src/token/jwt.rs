//! Parsing and signing of JSON Web Tokens in compact form.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::keys;

/// A parsed token whose signature has not been checked.
#[derive(Debug)]
pub(super) struct ParsedJwt<'a> {
    /// The header.
    pub(super) header: Value,
    /// The claims.
    pub(super) claims: Value,
    /// The signed bytes.
    pub(super) signed: &'a [u8],
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> ParsedJwt<'a> {
    /// Parses `token`, which must be three segments, the first two JSON objects.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let bytes = |segment: &str| BASE64_URL_SAFE_NO_PAD.decode(segment).ok();
        let object = |segment: &str| -> Option<Value> {
            serde_json::from_slice(&bytes(segment)?).ok().filter(Value::is_object)
        };
        Some(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed: signed.as_bytes(),
            signature: bytes(signature)?,
        })
    }

    /// The string value of a claim.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// The integer value of a claim.
    pub(super) fn number(&self, claim: &str) -> Option<i64> {
        self.claims.get(claim)?.as_i64()
    }
}

/// Signs a token with these claims. Returns `None` if there is no signing key.
pub(crate) fn sign(key_id: &str, claims: &Value) -> Option<String> {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
    let segment = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", segment(&header), segment(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(keys::signature(signed.as_bytes())?);
    Some(format!("{signed}.{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_token_parses_and_verifies() {
        let token = sign("k", &json!({ "sub": "x", "exp": 5 })).unwrap();
        let jwt = ParsedJwt::parse(&token).unwrap();
        assert_eq!((jwt.text("sub"), jwt.number("exp")), (Some("x"), Some(5)));
        assert!(keys::verifies(jwt.signed, &jwt.signature));
        assert!(!keys::verifies(b"other", &jwt.signature));
    }

    #[test]
    fn an_invalid_token_does_not_parse() {
        for text in ["", "a.b", "a.b.c", "e30.e30", "e30.WzFd.AA"] {
            assert!(ParsedJwt::parse(text).is_none(), "{text}");
        }
    }
}
