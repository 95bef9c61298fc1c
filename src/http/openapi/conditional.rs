//! Conditional requests: the headers of every operation that can respond 304.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required};

use super::headers::header;

/// The headers of the responses 200 and 304, with their descriptions.
const HEADERS: [(&str, &str); 3] = [
    ("ETag", "The validator"),
    ("Cache-Control", "How long the copy may be reused"),
    ("Access-Control-Allow-Origin", "Any origin"),
];

/// Adds these headers and `If-None-Match` to an operation that has a 304.
pub(super) fn add(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    if !responses.contains_key("304") {
        return;
    }
    for status in ["200", "304"] {
        if let Some(RefOr::T(response)) = responses.get_mut(status) {
            let headers = HEADERS.map(|(name, text)| (name.to_owned(), RefOr::T(header(text))));
            response.headers.extend(headers);
        }
    }
    let if_none_match = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some("The validator of the caller's copy"))
        .required(Required::False)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    operation.parameters.get_or_insert_default().push(if_none_match.build().into());
}
