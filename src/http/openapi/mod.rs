//! The service described in OpenAPI 3.1: the operations come from the handlers, the problems and
//! their examples from what is really rendered. `docs/openapi.json` is this document, held to it by a
//! test.

mod conditional;
mod problems;
pub mod schemas;

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::handlers;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "auth0-signup",
        description = "The backend of a sign-up form for Auth0. docs/api.md says more.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        handlers::signup::signup,
        handlers::page::form,
        handlers::page::success,
        handlers::assets::module,
        handlers::assets::types,
        handlers::policy::policy,
        handlers::challenge::challenge,
        handlers::dbconnections::dbconnections_signup,
        handlers::dbconnections::dbconnections_challenge,
        handlers::probes::livez,
        handlers::probes::readyz,
        handlers::openapi::openapi,
    ),
    components(schemas(schemas::Problem, schemas::Auth0Error))
)]
struct Routes;

/// The document.
pub fn document() -> OpenApi {
    let mut document = Routes::openapi();
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            conditional::add(operation);
            problems::add(path, operation);
        }
    }
    document
}

/// The document as it is committed and served, with a newline at its end.
pub fn text() -> String {
    let json = document().to_pretty_json().unwrap_or_default();
    format!("{json}\n")
}

#[cfg(test)]
mod tests {
    use super::super::ProblemCode;
    use super::*;

    #[test]
    fn the_committed_document_is_what_the_handlers_say() {
        let committed = include_str!("../../../docs/openapi.json");
        let hint = "auth0-signup openapi > docs/openapi.json";
        assert!(committed == text(), "docs/openapi.json is not up to date: {hint}");
    }

    #[test]
    fn every_problem_is_in_it() {
        let text = text();
        for code in ProblemCode::ALL {
            let kind = format!("urn:auth0-signup:problem:{}", code.name());
            assert!(text.contains(&kind), "{kind}");
        }
    }
}
