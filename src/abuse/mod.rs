//! What keeps the tenant safe behind the service: who a client is, how often it may try, what it
//! has to prove. Stands between the surface and the use case; knows nothing of routes or answers.

mod form_token;

pub use form_token::FormToken;
