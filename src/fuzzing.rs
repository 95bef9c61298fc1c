//! Doors for `fuzz/`, a crate of its own that cannot see what is private here. Only there with
//! `--cfg fuzzing`, as `cargo fuzz` builds.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request};

use crate::abuse::forwarded::{Hop, hops};
use crate::auth0::classify::classify;
use crate::config::ForwardedHeader;
use crate::domain::Rules;
use crate::form::Submission;
use crate::http::body::Form;

/// Reads and judges a body as `POST /signup` does, up to where the tenant would be asked.
pub async fn form(content_type: &'static str, body: &[u8], rules: &Rules) {
    let mut request = Request::new(Body::from(body.to_vec()));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let Ok(form) = Form::read(request, Duration::from_secs(60)).await else { return };
    let Ok(members) = form.members().await else { return };
    drop(Submission::new(members).validate(&rules));
}

/// Classifies an answer to create-user that is not a success.
pub fn create_user_error(status: u16, headers: &HeaderMap, body: &[u8]) {
    drop(classify(status, headers, body, Duration::from_secs(1_800_000_000)));
}

/// Reads both forwarded headers, one line of the input a header line, with a hop appended to the
/// last as a proxy does; `false` when that hop is not the first one read.
pub fn forwarded(sent: &[u8]) -> bool {
    let proxy_saw = IpAddr::from([192, 0, 2, 7]);
    [
        (ForwardedHeader::XForwardedFor, b", 192.0.2.7".as_slice()),
        (ForwardedHeader::Forwarded, b", for=\"192.0.2.7:80\""),
    ]
    .into_iter()
    .all(|(header, appended)| {
        let line = [sent, appended].concat();
        let mut read = hops(header, line.split(|byte| *byte == b'\n'));
        let nearest = read.next();
        read.for_each(drop);
        nearest == Some(Hop::Address(proxy_saw))
    })
}
