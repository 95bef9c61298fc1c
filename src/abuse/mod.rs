//! Abuse protection: identifies the client, limits its attempts, and asks for proofs.
//!
//! Sits between `http` and `signup`. Of a request it reads the headers that name its client, and the parts of
//! its form that show whether a person filled it in ([`ClientSignals`]). Of a response it knows only the
//! limits that its headers report ([`RateLimitReport`]), and nothing of bodies and status codes.

mod active_limit;
mod address_log;
mod captcha;
mod challenges;
mod client_address;
mod client_signals;
mod email_key;
mod existence;
mod form_token;
pub(crate) mod forwarded;
mod gcra;
mod issued_challenge;
mod keyed_limiter;
mod limits;
mod network;
mod network_limiter;
mod pressure;
mod proof;
mod proxies;
mod rate_limit_report;
mod server_clients;
mod signup_switch;
mod source_counts;
mod state;
mod windows;
mod work;

pub use address_log::AddressLog;
pub use captcha::CaptchaClientError;
pub use challenges::Challenges;
pub use client_address::ClientAddress;
pub use client_signals::ClientSignals;
pub use existence::ExistencePolicy;
pub use form_token::FormTokens;
pub use issued_challenge::{CHALLENGE_PATH, ChallengeInfo, IssueError, IssuedChallenge};
pub use limits::{AcquiredPermits, Limits};
pub use network::Network;
pub use proxies::{Proxies, Resolved};
pub use rate_limit_report::{Quota, RateLimitReport};
pub use signup_switch::SignupSwitch;
pub use source_counts::{Counted, SourceCounts};
pub use state::AbuseState;
