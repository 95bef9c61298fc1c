//! The OpenAPI 3.1 document. The operations come from the handlers, the problems and their examples
//! from the real rendering. A test compares `docs/openapi.json` with it.

mod attributes;
mod headers;
mod problems;
mod web_files;

use std::sync::LazyLock;

use bytes::Bytes;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::HttpMethod;

use super::{auth0_compat, handlers, schemas};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "auth0-signup",
        description = "The backend of a sign-up form for Auth0. docs/api.md has the details.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        handlers::signup::signup,
        handlers::page::form,
        handlers::page::success,
        handlers::assets::common_passwords,
        handlers::policy::policy,
        handlers::challenge::challenge,
        auth0_compat::handler::dbconnections_signup,
        auth0_compat::handler::dbconnections_challenge,
        handlers::probes::livez,
        handlers::probes::readyz,
        handlers::openapi::openapi,
    ),
    components(schemas(schemas::ProblemSchema, schemas::Auth0Error))
)]
struct Routes;

/// The document.
pub fn document() -> OpenApi {
    let mut document = Routes::openapi();
    attributes::add(&mut document);
    web_files::add(&mut document);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in
            [(HttpMethod::Get, &mut item.get), (HttpMethod::Post, &mut item.post)]
        {
            let Some(operation) = operation else { continue };
            problems::add(path, &method, operation);
            headers::add(path, &method, operation);
        }
    }
    document
}

/// The document as committed and served, with a final newline.
pub fn text() -> String {
    let json = document().to_pretty_json().unwrap_or_default();
    format!("{json}\n")
}

/// The served document, made at the first request.
pub(super) fn bytes() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| text().into());
    DOCUMENT.clone()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::{FieldError, PasswordRule, Violation};
    use crate::form::ControlField;
    use crate::http::problem::{Problem, ProblemCode};
    use crate::texts::Locale;

    #[test]
    fn the_committed_document_is_current() {
        let committed = include_str!("../../../docs/openapi.json");
        let hint = "auth0-signup openapi > docs/openapi.json";
        assert!(committed == text(), "docs/openapi.json is not up to date: {hint}");
    }

    #[test]
    fn posts_can_be_limited_and_rejected_by_origin() {
        for (path, item) in document().paths.paths {
            for (operation, is_post) in [(item.get, false), (item.post, true)] {
                let Some(operation) = operation else { continue };
                let has = |status| operation.responses.responses.contains_key(status);
                assert_eq!(has("429"), is_post || path == "/signup/challenge", "{path}");
                assert!(has("403") || !is_post, "{path}");
            }
        }
    }

    #[test]
    fn the_document_has_every_control_field() {
        let document = serde_json::to_value(document()).unwrap();
        let fields = &document["components"]["schemas"]["SignUp"]["properties"];
        for name in ControlField::names() {
            assert!(fields[name]["description"].is_string(), "{name}");
        }
    }

    #[test]
    fn the_responses_of_a_sign_up_have_their_headers() {
        let document = serde_json::to_value(document()).unwrap();
        let responses = &document["paths"]["/signup"]["post"]["responses"];
        for (status, header) in [
            ("201", "X-Request-Id"),
            ("201", "Idempotency-Replayed"),
            ("303", "Location"),
            ("405", "Allow"),
            ("429", "Retry-After"),
            ("429", "RateLimit"),
            ("429", "RateLimit-Policy"),
        ] {
            assert!(responses[status]["headers"][header].is_object(), "{status} {header}");
        }
    }

    #[test]
    fn only_what_is_sent_is_documented_of_probes_and_of_auth0s_errors() {
        let document = serde_json::to_value(document()).unwrap();
        let probe = &document["paths"]["/readyz"]["get"]["responses"]["503"]["headers"];
        assert!(probe["X-Request-Id"].is_object() && probe["Retry-After"].is_null(), "{probe}");
        let schema = &document["components"]["schemas"]["Auth0Error"]["properties"];
        let documented: BTreeSet<_> = schema.as_object().unwrap().keys().cloned().collect();
        let error = |problem| auth0_compat::error(&problem, None, Locale::En).body;
        let weak = FieldError::at("/password", Violation::Password(PasswordRule::TooWeak));
        let sent = [
            error(Problem::new(ProblemCode::EmailTaken)),
            error(Problem::invalid_fields(vec![weak])),
        ];
        let sent = sent.iter().flat_map(|body| body.as_object().unwrap().keys().cloned());
        assert_eq!(documented, sent.collect());
    }

    #[test]
    fn the_document_has_every_problem() {
        let text = text();
        for code in ProblemCode::ALL {
            let kind = format!("urn:auth0-signup:problem:{}", code.name());
            assert!(text.contains(&kind), "{kind}");
        }
    }
}
