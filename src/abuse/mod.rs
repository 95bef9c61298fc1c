//! What keeps the tenant safe behind the service: who a client is, how often it may try, what it
//! has to prove. Stands between the surface and the use case; knows nothing of requests or answers.

mod captcha;
mod challenges;
mod client_address;
mod evidence;
mod existence;
mod form_token;
pub(crate) mod forwarded;
mod gate;
mod gcra;
mod limits;
mod mailbox;
mod network;
mod offer;
mod pace;
mod permits;
mod pressure;
mod proof;
mod proxies;
mod tally;
mod work;

pub use challenges::Challenges;
pub use client_address::ClientAddress;
pub use evidence::Evidence;
pub use existence::Existence;
pub use form_token::{Filled, FormToken};
pub use gate::Gate;
pub use limits::Limits;
pub use network::Network;
pub use offer::{Described, ENDPOINT, NoOffer, Offer};
pub use proxies::{Proxies, Resolved};
pub use tally::{Quota, Tally};
