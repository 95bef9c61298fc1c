//! The files of `packages/web`, each at its own path and at that of its content.

use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, PathItem, RefOr, Required, Response};

/// The documented paths, each with what is there and its media type.
const FILES: [(&str, &str, &str); 9] = [
    ("/signup.js", "The module that enhances forms", "text/javascript"),
    ("/signup-{digest}.js", "The module of this release, to be pinned", "text/javascript"),
    (
        "/signup-extras-{digest}.js",
        "The part of the module that it loads when it is wanted",
        "text/javascript",
    ),
    ("/signup.js.map", "The source map of the module", "application/json"),
    ("/signup-extras.js.map", "The source map of its second part", "application/json"),
    ("/signup.css", "The style of forms", "text/css"),
    ("/signup-{digest}.css", "The style of this release, to be pinned", "text/css"),
    ("/signup.d.ts", "The types of the module, for TypeScript", "text/plain"),
    ("/signup-{digest}.d.ts", "The types of this release, to be pinned", "text/plain"),
];

/// Adds the operations.
pub(super) fn add(document: &mut OpenApi) {
    for (path, summary, media_type) in FILES {
        let item = PathItem::new(HttpMethod::Get, operation(path, summary, media_type));
        document.paths.paths.insert(path.to_owned(), item);
    }
}

fn operation(path: &str, summary: &str, media_type: &str) -> Operation {
    let mut operation = Operation::new();
    operation.summary = Some(format!("{summary}."));
    operation.tags = Some(vec!["page".to_owned()]);
    let id = path.trim_start_matches('/').replace(['.', '-', '{', '}'], "_");
    operation.operation_id = Some(id);
    let text = RefOr::T(ObjectBuilder::new().schema_type(Type::String).build().into());
    if path.contains("{digest}") {
        let mut digest = Parameter::new("digest");
        digest.parameter_in = ParameterIn::Path;
        digest.required = Required::True;
        let meaning =
            "The first 16 hex digits of the content's SHA-256, as in `assets` of the policy";
        digest.description = Some(meaning.to_owned());
        digest.schema = Some(text.clone());
        operation.parameters = Some(vec![RefOr::T(digest)]);
    }
    let compressed = "The file, compressed with gzip if the caller accepts that";
    let mut found = Response::new(compressed);
    let map = RefOr::T(ObjectBuilder::new().schema_type(Type::Object).build().into());
    let schema = if media_type == "application/json" { map } else { text };
    found.content.insert(media_type.to_owned(), RefOr::T(Content::new(Some(schema))));
    let known = Response::new("The caller's copy is current");
    for (status, response) in [("200", found), ("304", known)] {
        operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
    }
    operation
}
