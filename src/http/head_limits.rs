//! Checks on the head of a request, with a problem for each. The server's own bounds are wider, and
//! its response has no body.

use axum::extract::Request;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Version};

use super::problem::{Problem, ProblemCode};

/// The most header fields.
const MAX_FIELDS: usize = 100;
/// The most bytes of the target and of all names and values.
const MAX_BYTES: usize = 32 * 1024;

/// Rejects a head that is too large, or that does not name one host.
///
/// # Errors
/// When it exceeds a bound, or has no valid `Host` or several.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = request.headers();
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    if headers.len() > MAX_FIELDS || target + bytes.sum::<usize>() > MAX_BYTES {
        return Err(Problem::new(ProblemCode::HeadersTooLarge));
    }
    if has_one_host(request) { Ok(()) } else { Err(Problem::new(ProblemCode::MalformedRequest)) }
}

/// Returns whether there is one valid `Host` (RFC 9112, 3.2). HTTP/1.0 may leave it out.
fn has_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, _) => request.version() < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// Returns whether a text is a host with or without a port, or the empty value of a target without
/// one.
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.is_empty() || (Authority::try_from(bytes).is_ok() && !bytes.contains(&b'@'))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn code(version: Version, hosts: &[&'static str]) -> Option<ProblemCode> {
        let mut request = Request::builder().uri("/livez").version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(Body::empty()).unwrap()).err().map(|problem| problem.code)
    }

    #[test]
    fn a_request_names_one_host() {
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        for host in ["a", "a.example:8080", "127.0.0.1", "[::1]:80", "my_service", ""] {
            assert_eq!(code(new, &[host]), None, "{host}");
            assert_eq!(code(old, &[host]), None, "{host}");
        }
        assert_eq!(code(old, &[]), None);
        let malformed = Some(ProblemCode::MalformedRequest);
        assert_eq!(code(new, &[]), malformed);
        for hosts in [["a", "b"], ["a", "a"], ["a", ""]] {
            assert_eq!(code(new, &hosts), malformed, "{hosts:?}");
            assert_eq!(code(old, &hosts), malformed, "{hosts:?}");
        }
        for host in ["a, b", "a/b", "a b", "user@a", "http://a", "a?b"] {
            assert_eq!(code(new, &[host]), malformed, "{host}");
        }
    }
}
