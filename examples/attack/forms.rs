//! Requests of attackers and of honest people.

use std::net::SocketAddr;

use altcha::{Challenge, SolveChallengeOptions, solve_challenge};
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

pub(crate) const PASSWORD: &str = "Difference-Engine-1843";

/// A request: the address that its client claims, and its form.
pub(crate) type AttackRequest = (String, Value);

/// The form of the n-th robot.
pub(crate) fn robot(n: u32) -> Value {
    json!({ "email": format!("bot{n}@example.com"), "password": PASSWORD })
}

/// Another password for an address that has an account.
pub(crate) fn guess(email: &str, n: u32) -> Value {
    json!({ "email": email, "password": format!("Stolen-Password-{n}") })
}

/// The form with one more field.
pub(crate) fn with(mut form: Value, name: &str, value: &str) -> Value {
    if let Some(form) = form.as_object_mut() {
        form.insert(name.into(), value.into());
    }
    form
}

/// The n-th IPv4 address of many.
pub(crate) fn ipv4(n: u32) -> String {
    format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)
}

/// The n-th /64 of one /48.
pub(crate) fn of_one_site(n: u32) -> String {
    format!("2001:db8:7:{:x}::1", n & 0xffff)
}

/// An address of the n-th /48 of one /32.
pub(crate) fn of_one_block(n: u32) -> String {
    format!("2001:db8:{:x}::1", n & 0xffff)
}

/// Posts a form and returns the status.
pub(crate) async fn post(
    client: &Client,
    address: SocketAddr,
    (from, form): AttackRequest,
) -> anyhow::Result<u16> {
    let request = client.post(format!("http://{address}/signup")).json(&form);
    let response = request.header("x-forwarded-for", from).send().await?;
    let status = response.status().as_u16();
    drop(response.bytes().await?);
    Ok(status)
}

/// Requests a challenge, and returns its status and its text.
pub(crate) async fn challenge(
    client: &Client,
    address: SocketAddr,
    from: &str,
) -> anyhow::Result<(u16, String)> {
    let request = client.get(format!("http://{address}/signup/challenge"));
    let response = request.header("x-forwarded-for", from).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// A proof of work in the format that the widget adds to a form.
pub(crate) async fn proof(
    client: &Client,
    address: SocketAddr,
    from: &str,
) -> anyhow::Result<String> {
    let (_, text) = challenge(client, address, from).await?;
    let challenge: Challenge = serde_json::from_str(&text)?;
    // Takes as long as on a person's own machine, so it must not block a runtime thread.
    let solved = spawn_blocking(move || {
        let solution = solve_challenge(SolveChallengeOptions::new(&challenge)).ok().flatten()?;
        Some(json!({ "challenge": challenge, "solution": solution }).to_string())
    });
    Ok(STANDARD.encode(solved.await?.context("no solution")?))
}
