//! What callers may keep: an operation that can answer 304 tells how in its headers.

use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required};

/// The headers of both answers, and what each says.
const HEADERS: [(&str, &str); 3] = [
    ("ETag", "Its validator"),
    ("Cache-Control", "How long it may be used again"),
    ("Access-Control-Allow-Origin", "Any origin"),
];

/// Adds them, and the header that asks for a 304, to an operation that has one.
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
    let asked = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some("The validator of what the caller has"))
        .required(Required::False)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    operation.parameters.get_or_insert_default().push(asked.build().into());
}

fn header(text: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(text))
        .build()
}
