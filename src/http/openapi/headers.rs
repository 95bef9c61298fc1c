//! The headers of responses, and of conditional requests.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Response};

/// Headers with a description each.
type Headers = &'static [(&'static str, &'static str)];

const OF_EVERY_RESPONSE: Headers = &[("X-Request-Id", "The id of the request")];

const OF_POSTS: Headers = &[
    ("RateLimit", "The client's use of the limit that was met last, where it is its own"),
    ("RateLimit-Policy", "That limit"),
];

/// The headers of the responses 200 and 304 of an operation that has both.
const OF_CONDITIONAL: Headers = &[
    ("ETag", "The validator"),
    ("Cache-Control", "How long the copy may be reused"),
    ("Access-Control-Allow-Origin", "Any origin"),
];

/// The readiness probe. Its 503 has no `Retry-After`, since an orchestrator probes at its own interval.
const READYZ: &str = "/readyz";

/// The responses that an idempotency key can repeat.
const REPLAYED: [&str; 6] = ["200", "201", "202", "303", "409", "504"];

/// Adds the headers of an operation at this path to its responses, and `If-None-Match` to one that has a
/// 304.
pub(super) fn add(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let is_post = *method == HttpMethod::Post;
    let has_form = operation.request_body.is_some();
    let is_conditional = operation.responses.responses.contains_key("304");
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        extend(response, OF_EVERY_RESPONSE);
        extend(response, of_status(path, status));
        if is_conditional && matches!(status.as_str(), "200" | "304") {
            extend(response, OF_CONDITIONAL);
        }
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
    if is_conditional {
        let if_none_match = ParameterBuilder::new()
            .name("If-None-Match")
            .parameter_in(ParameterIn::Header)
            .description(Some("The validator of the caller's copy"))
            .required(Required::False)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        operation.parameters.get_or_insert_default().push(if_none_match.build().into());
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
fn header(text: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(text))
        .build()
}
