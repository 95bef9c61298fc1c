//! Entry points for `fuzz/`, another package of the workspace, which cannot see private items.
//! Compiled only with the feature `fuzzing`.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::abuse::forwarded::{Hop, hops};
use crate::auth0::classify::classify;
use crate::auth0::response::ApiResponse;
use crate::config::ForwardedHeader;
use crate::domain::Rules;
use crate::domain::rules::NameOrder;
use crate::form::Submission;
use crate::http::body::Form;

/// Reads and validates a body as `POST /signup` does, without calling the tenant.
pub async fn form(content_type: &'static str, body: &[u8], rules: &Rules) {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    let Ok(form) = Form::from_bytes(&headers, body.to_vec().into()) else { return };
    let Ok(members) = form.members().await else { return };
    drop(Submission::new(members).validate(rules, NameOrder::GivenFirst));
}

/// Classifies an error response of the create-user call.
pub fn create_user_error(status: u16, headers: &HeaderMap, body: &[u8]) {
    drop(classify(&ApiResponse::new(status, headers.clone(), body.to_vec())));
}

/// Reads both forwarded headers. Each line of the input is a header line, and a hop is appended to the
/// last one as a proxy does. Returns `false` if that hop is not the first one read.
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
