//! The files of `packages/web`, each at its own path and at that of its content.

use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, PathItem, RefOr, Required, Response};

use crate::page::web_file::WebFile;

/// Adds the operations.
pub(super) fn add(document: &mut OpenApi) {
    for file in WebFile::all() {
        let (media_type, _) = file.content_type.split_once(';').unwrap_or((file.content_type, ""));
        let pinned = format!("{}, in one version, to be pinned.", file.summary);
        for (path, summary) in
            [(file.path.to_owned(), format!("{}.", file.summary)), (file.path_template(), pinned)]
        {
            let item = PathItem::new(HttpMethod::Get, operation(&path, summary, media_type));
            document.paths.paths.insert(path, item);
        }
    }
}

fn operation(path: &str, summary: String, media_type: &str) -> Operation {
    let mut operation = Operation::new();
    operation.summary = Some(summary);
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
