//! An Auth0 tenant on loopback that stores users and responds like a real tenant.
//!
//! ```
//! use auth0_emulator::{Emulator, Fault, PolicyPreset, Route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let auth0 = Emulator::builder().tenant(|t| t.policy = PolicyPreset::Low).start().await?;
//! auth0.fault(Route::CreateUser, Fault::answer(503).times(2));
//! println!("the tenant is at {}", auth0.url());
//! assert!(auth0.calls(Route::CreateUser).is_empty());
//! auth0.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod api;
mod body;
mod builder;
mod clock;
mod control;
mod defaults;
mod emulator;
mod fault;
mod ids;
mod journal;
mod latency;
mod locked;
mod logins;
mod password;
mod rate;
mod register;
mod response;
mod route;
mod schema;
mod server;
mod state;
mod tasks;
mod tenant;
mod token;
mod users;

pub use crate::builder::Builder;
pub use crate::emulator::Emulator;
pub use crate::fault::{Fault, Gate};
pub use crate::journal::JournalEntry;
pub use crate::latency::Latency;
pub use crate::password::{
    CharacterKind, CharacterKindRule, ComplexityOptions, DictionaryOptions, MaxLengthExceeded,
    PasswordOptions, PolicyPreset, ProfileDataOptions, Switch,
};
pub use crate::rate::{ClientQuota, Plan};
pub use crate::route::Route;
pub use crate::tenant::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_CONNECTION, DEFAULT_LOGIN_CLIENT_ID, Tenant,
};
