//! Captchas: one verifier for Turnstile, hCaptcha and reCAPTCHA, which all take a secret and a token
//! as a form and answer in JSON.
//!
//! A token is sent to its service and nowhere else; it is never logged.

mod answer;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, retry};
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::form_urlencoded;

use self::answer::{Answer, Judgement};
use super::proof::ProofFault;
use crate::config::{CaptchaSettings, Provider};
use crate::ledger::{Digest, ProofUse};

/// The most bytes of a token: Turnstile's own bound, and more than the longest of the others.
const MAX_TOKEN: [usize; 2] = [2 * 1024, 8 * 1024];

/// The most bytes of an answer that are read. One has some 200.
const MAX_ANSWER: usize = 64 * 1024;

/// Verifications under way at once; more of them wait, as long as one may take.
const MOST: usize = 128;

/// How long a token is remembered as used: longer than any service lets one live.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Judges the tokens of one captcha service.
#[derive(Debug)]
pub(super) struct Captcha {
    http: Client,
    settings: CaptchaSettings,
    room: Semaphore,
}

/// Why a token is no proof.
#[derive(Debug)]
pub(super) enum CaptchaFault {
    /// For a reason that is the sender's.
    Refused(ProofFault),
    /// For a reason that is the operator's: the code that the service named.
    Misconfigured(&'static str),
    /// The service did not answer.
    Unavailable(Unavailable),
    /// So many tokens are being judged that this one was not. Not the service's fault: whoever
    /// sends that many must not gain by it.
    Busy,
}

/// Why a captcha service did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unavailable {
    /// No connection, or it broke, or no answer in time.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// With a status that is none of a verdict.
    #[error("an answer with status {0}")]
    Status(u16),
    /// With something that is no verdict.
    #[error("an answer that is no verdict")]
    Unreadable,
    /// The service says that it failed.
    #[error("the service failed")]
    Internal,
}

impl Captcha {
    /// Judges tokens by these settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(settings: &CaptchaSettings) -> Result<Self, reqwest::Error> {
        let mut builder = ClientBuilder::new()
            // The secret follows no redirect, and a token that was sent is used up.
            .redirect(Policy::none())
            .retry(retry::never())
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .http1_only()
            .referer(false);
        if settings.verify_url.scheme() == "http" {
            // Loopback: neither the proxy of the environment nor a certificate is for it.
            builder = builder.no_proxy().tls_certs_only([]);
        }
        let (http, settings) = (builder.build()?, settings.clone());
        Ok(Self { http, settings, room: Semaphore::new(MOST) })
    }

    /// What it was made of.
    pub(super) const fn settings(&self) -> &CaptchaSettings {
        &self.settings
    }

    /// Judges a token at this time.
    ///
    /// # Errors
    /// Whose fault it is that it is no proof.
    pub(super) async fn judge(&self, token: &str, now: Duration) -> Result<ProofUse, CaptchaFault> {
        let [turnstile, others] = MAX_TOKEN;
        let most = match self.settings.provider {
            Provider::Turnstile => turnstile,
            Provider::HCaptcha | Provider::ReCaptchaV2 | Provider::ReCaptchaV3 => others,
        };
        if token.len() > most || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CaptchaFault::Refused(ProofFault::Malformed));
        }
        let room = timeout(self.settings.timeout, self.room.acquire()).await;
        let Ok(Ok(_room)) = room else { return Err(CaptchaFault::Busy) };
        let answer = self.ask(token).await.map_err(CaptchaFault::Unavailable)?;
        match answer.judge(&self.settings) {
            Judgement::Passed => {
                let proof = digested(self.settings.provider, token);
                Ok(ProofUse { proof, expires_at: now + REMEMBERED })
            }
            Judgement::Refused(fault) => Err(CaptchaFault::Refused(fault)),
            Judgement::Misconfigured(code) => Err(CaptchaFault::Misconfigured(code)),
            Judgement::Failed => Err(CaptchaFault::Unavailable(Unavailable::Internal)),
        }
    }

    /// The body of a verification. Without the address of the person, which no service needs.
    fn form(&self, token: &str) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("secret", self.settings.secret.expose_secret());
        form.append_pair("response", token);
        if self.settings.provider == Provider::HCaptcha {
            // Its answer does not say which site the token is of.
            form.append_pair("sitekey", &self.settings.site_key);
        }
        form.finish()
    }

    async fn ask(&self, token: &str) -> Result<Answer, Unavailable> {
        let request = self.http.post(self.settings.verify_url.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let sent = request.body(self.form(token)).send().await;
        let mut response = sent.map_err(Unavailable::Transport)?;
        let status = response.status();
        // A wrong secret may come with 400: whatever has a verdict in it is one.
        if !status.is_success() && !status.is_client_error() {
            return Err(Unavailable::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Unavailable::Transport)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Unavailable::Unreadable);
            }
            body.extend_from_slice(&chunk);
        }
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok(answer),
            Err(_) if status.is_success() => Err(Unavailable::Unreadable),
            Err(_) => Err(Unavailable::Status(status.as_u16())),
        }
    }
}

/// What a token redeems: the service takes it once, and so does the ledger. A token is random, so
/// that its digest needs no key, and is the same under every secret.
fn digested(provider: Provider, token: &str) -> Digest {
    let text = format!("captcha {} {token}", provider.name());
    let mut bytes = [0; 32];
    for (byte, made) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
        *byte = *made;
    }
    Digest::from_bytes(bytes)
}
