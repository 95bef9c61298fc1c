//! The check that a sign-up would work: the same statements, rolled back.

use uuid::Uuid;

use super::statement::{End, Statement, statement};
use super::statements;
use crate::digest::Digest;

/// Does what a sign-up does, and keeps nothing. The row is true in a ledger of this secret.
pub(super) fn try_attempt(secret: Option<&Digest>) -> Statement {
    // Another replica's attempt must not wait for this one.
    let digest: [u8; 32] = rand::random();
    statement(statements::TRY_ATTEMPT)
        .bind(Uuid::now_v7())
        .bind(digest.to_vec())
        .bind(secret.map(|secret| secret.as_bytes().to_vec()))
        .end(End::Rollback)
}
