//! The use case: a [`NewUser`] in, an [`Outcome`] out.
//!
//! Knows Auth0's client and nothing of HTTP.

mod outcome;

use std::sync::Arc;

pub use outcome::{Done, Outcome};

use crate::auth0::Client;
use crate::domain::NewUser;
use crate::lifecycle::Lifecycle;

/// Signs people up.
#[derive(Debug)]
pub struct Signups {
    auth0: Arc<Client>,
    lifecycle: Lifecycle,
}

impl Signups {
    /// Signs people up at this tenant.
    pub const fn new(auth0: Arc<Client>, lifecycle: Lifecycle) -> Self {
        Self { auth0, lifecycle }
    }

    /// Creates the user and says what came of it.
    ///
    /// The work runs in a task of its own that a stop waits for. Dropping the returned future (the
    /// caller hung up, a deadline passed) does not cancel it.
    pub async fn create(&self, user: NewUser, request_id: &str) -> Done {
        let auth0 = Arc::clone(&self.auth0);
        let request_id = request_id.to_owned();
        let work = async move { auth0.create_user(&user, &request_id).await };
        match self.lifecycle.spawn(work).await {
            Ok(Ok(user)) => Done::new(Outcome::Created(Box::new(user))),
            Ok(Err(error)) => error.into(),
            // The task panicked: how far it came is not known.
            Err(panic) => Done { outcome: Outcome::Unknown, cause: Some(Arc::new(panic)) },
        }
    }
}
