//! Captchas: one verifier for all services. Each takes a secret and a token as a form, and responds
//! with JSON.
//!
//! A token is sent to its service and nowhere else. It is never logged.

mod error;
mod site_verify;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Proxy, retry};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::form_urlencoded;

pub(super) use self::error::CaptchaError;
use self::error::ServiceError;
use self::site_verify::SiteVerifyResponse;
use super::proof::ProofError;
use crate::captcha_provider::CaptchaProvider;
use crate::config::{CaptchaSettings, OutboundSettings};
use crate::digest::Digest;
use crate::ledger::ProofUse;
use crate::tls;

/// Maximum length of a response in bytes. A usual one has some 200.
const MAX_RESPONSE: usize = 64 * 1024;

/// Maximum number of concurrent verifications. Further ones wait up to the timeout of one.
const MAX_CONCURRENT: usize = 128;

/// Time that a used token is remembered: longer than the lifetime of a token at any service.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Verifies the tokens of one captcha service.
#[derive(Debug)]
pub(super) struct Captcha {
    http: Client,
    settings: CaptchaSettings,
    slots: Semaphore,
}

/// Error while the client of the captcha service is built.
#[derive(Debug, thiserror::Error)]
pub enum CaptchaClientError {
    /// The TLS set-up failed: most often there are no usable certificate authorities.
    #[error("TLS cannot be set up: are the system's CA certificates installed?")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built")]
    Client(#[from] reqwest::Error),
}

impl Captcha {
    /// A verifier with these settings.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(super) fn new(settings: &CaptchaSettings) -> Result<Self, CaptchaClientError> {
        let mut builder = ClientBuilder::new()
            // The secret must not follow a redirect, and a token can be sent only once.
            .redirect(Policy::none())
            .retry(retry::never())
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .http1_only()
            .referer(false)
            // The settings decide which proxy is used.
            .no_proxy();
        let OutboundSettings { authorities, proxy } = &settings.outbound;
        if let Some(url) = proxy.as_ref().and_then(|proxy| proxy.url.as_ref().ok()) {
            builder = builder.proxy(Proxy::all(url.expose_secret())?);
        }
        builder = if settings.verify_url.scheme() == "http" {
            // Loopback needs no certificates.
            builder.tls_certs_only([])
        } else {
            let tls = tls::client_config(tls::verifier(authorities)?)?;
            builder.tls_backend_preconfigured(tls)
        };
        let (http, settings) = (builder.build()?, settings.clone());
        Ok(Self { http, settings, slots: Semaphore::new(MAX_CONCURRENT) })
    }

    /// The settings.
    pub(super) const fn settings(&self) -> &CaptchaSettings {
        &self.settings
    }

    /// Verifies a token with the service.
    ///
    /// # Errors
    /// The reason why the token was not accepted.
    pub(super) async fn verify(&self, token: &str) -> Result<ProofUse, CaptchaError> {
        let max_token = self.settings.provider.max_token;
        if token.len() > max_token || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CaptchaError::Invalid(ProofError::Malformed));
        }
        let slot = timeout(self.settings.timeout, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else { return Err(CaptchaError::Busy) };
        let response = self.post(token).await.map_err(CaptchaError::Unavailable)?;
        response.evaluate(&self.settings)?;
        let proof = proof_digest(self.settings.provider, token);
        Ok(ProofUse { proof, lasts: REMEMBERED })
    }

    /// The body of a verification. Leaves out the client's address, which no service needs.
    fn form(&self, token: &str) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("secret", self.settings.secret.expose_secret());
        form.append_pair("response", token);
        if self.settings.provider.sends_site_key {
            form.append_pair("sitekey", &self.settings.site_key);
        }
        form.finish()
    }

    /// Sends a token to the service, and reads its response.
    async fn post(&self, token: &str) -> Result<SiteVerifyResponse, ServiceError> {
        let request = self.http.post(self.settings.verify_url.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let sent = request.body(self.form(token)).send().await;
        let mut response = sent.map_err(ServiceError::Transport)?;
        let status = response.status();
        // A wrong secret may come with status 400, so any 4xx response that can be parsed counts.
        if !status.is_success() && !status.is_client_error() {
            return Err(ServiceError::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(ServiceError::Transport)? {
            if body.len() + chunk.len() > MAX_RESPONSE {
                return Err(ServiceError::Unreadable);
            }
            body.extend_from_slice(&chunk);
        }
        match serde_json::from_slice(&body) {
            Ok(response) => Ok(response),
            Err(_) if status.is_success() => Err(ServiceError::Unreadable),
            Err(_) => Err(ServiceError::Status(status.as_u16())),
        }
    }
}

/// The digest under which the ledger records the token as used. Like the service, the ledger
/// accepts a token once. A token is random, so its digest needs no key, and is the same under every
/// secret.
fn proof_digest(provider: &CaptchaProvider, token: &str) -> Digest {
    let text = format!("captcha {} {token}", provider.name);
    let made = digest(&SHA256, text.as_bytes());
    Digest::from_bytes(made.as_ref().first_chunk().copied().unwrap_or_default())
}
