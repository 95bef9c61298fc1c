//! The headers of responses, beside those of conditional requests.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Response};

/// Headers with a description each.
type Headers = &'static [(&'static str, &'static str)];

const OF_EVERY_RESPONSE: Headers = &[("X-Request-Id", "The id of the request")];

const OF_POSTS: Headers = &[
    ("RateLimit", "The client's use of the limit that was met last, where it is its own"),
    ("RateLimit-Policy", "That limit"),
];

/// The path of the probe, which is repeated at its own pace.
const READYZ: &str = "/readyz";

/// The responses that an idempotency key can repeat.
const REPLAYED: [&str; 6] = ["200", "201", "202", "303", "409", "504"];

/// Adds the headers of the responses of an operation at this path.
pub(super) fn add(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let is_post = *method == HttpMethod::Post;
    let has_form = operation.request_body.is_some();
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        extend(response, OF_EVERY_RESPONSE);
        extend(response, of_status(path, status));
        if is_post {
            extend(response, OF_POSTS);
            if has_form && REPLAYED.contains(&status.as_str()) {
                extend(
                    response,
                    &[("Idempotency-Replayed", "`true`: the response was recorded before")],
                );
            }
        }
    }
}

fn of_status(path: &str, status: &str) -> Headers {
    match status {
        "503" if path == READYZ => &[],
        "303" => &[("Location", "The page to go on to")],
        "405" => &[("Allow", "The methods of the path")],
        "409" | "429" | "503" | "504" => {
            &[("Retry-After", "The seconds to wait, where a repetition may succeed")]
        }
        _ => &[],
    }
}

fn extend(response: &mut Response, headers: Headers) {
    let headers = headers.iter().map(|(name, text)| ((*name).to_owned(), RefOr::T(header(text))));
    response.headers.extend(headers);
}

/// A header with a text value.
pub(super) fn header(text: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(text))
        .build()
}
