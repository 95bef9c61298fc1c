//! `GET /signup/challenge`: whether a form needs a proof now, and a challenge to solve.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::http::extensions::client;
use crate::http::pipeline::SignupPipeline;
use crate::http::problem::{Problem, ProblemCode};
use crate::http::schemas;

/// Issues a challenge for the client's address.
#[utoipa::path(
    get,
    path = "/signup/challenge",
    tag = "sign-up",
    responses(
        (status = 200, description = "The challenge to solve, if a proof is required", content_type = "application/json", body = schemas::ChallengeSchema, example = json!({
            "required": true,
            "kind": "proof_of_work",
            "parameters": {
                "algorithm": "PBKDF2/SHA-256",
                "cost": 5000,
                "keyLength": 32,
                "keyPrefix": "8f2c1e0b5a7d4c39",
                "nonce": "d3b07384d113edec49eaa6238ad5ff00",
                "salt": "c157a79031e1c40f85931829bc5fc552",
                "expiresAt": 1_795_612_345,
            },
            "signature": "7d0a6e1f3c5b48929ab0c4d6e8f01a2b3c4d5e6f708192a3b4c5d6e7f8091a2b",
        })),
    )
)]
pub(in crate::http) async fn challenge(
    State(pipeline): State<Arc<SignupPipeline>>,
    request: Request,
) -> Result<Response, Problem> {
    // The address that asks pays a permit, and a foreign page would spend those of its visitors.
    pipeline.origins.check_page(&request)?;
    let client = client(&request);
    // Frees an unexpected body before the challenge is made.
    drop(request);
    let challenge = pipeline.challenges.issue(client.ip()).await?;
    let body = serde_json::to_vec(&challenge).map_err(|_| Problem::new(ProblemCode::Internal))?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
