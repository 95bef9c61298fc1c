//! The logins under way: from `/authorize` to the token.

use std::collections::HashMap;

use crate::journal::JournalEntry;

/// The parameters of an authorization request that the later steps need.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    /// The application's client id.
    pub(crate) client_id: String,
    /// The address to return to.
    pub(crate) redirect_uri: String,
    /// The application's own value, which returns with the code.
    pub(crate) state: Option<String>,
    /// The value that the id token repeats.
    pub(crate) nonce: Option<String>,
    /// The requested scopes.
    pub(crate) scope: String,
    /// The PKCE challenge, by SHA-256.
    pub(crate) code_challenge: Option<String>,
    /// The e-mail address to fill in.
    pub(crate) login_hint: Option<String>,
}

impl AuthorizationRequest {
    /// Reads the query of a request. `None` without a client id or a callback.
    pub(crate) fn read(entry: &JournalEntry) -> Option<Self> {
        Some(Self {
            client_id: entry.query_value("client_id")?,
            redirect_uri: entry.query_value("redirect_uri")?,
            state: entry.query_value("state"),
            nonce: entry.query_value("nonce"),
            scope: entry.query_value("scope").unwrap_or_default(),
            code_challenge: entry.query_value("code_challenge"),
            login_hint: entry.query_value("login_hint"),
        })
    }

    /// The callback with these parameters and the application's state.
    pub(crate) fn callback(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        query.extend_pairs(self.state.as_ref().map(|state| ("state", state)));
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }
}

/// The logins that wait for a password, and those that wait for the exchange of their code.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    /// The requests by the state of their login page.
    pages: HashMap<String, AuthorizationRequest>,
    /// The requests and the user ids by their code.
    codes: HashMap<String, (AuthorizationRequest, String)>,
}

impl Logins {
    /// Remembers a request under the state of its login page.
    pub(crate) fn start(&mut self, state: String, request: AuthorizationRequest) {
        self.pages.insert(state, request);
    }

    /// The request of a login page.
    pub(crate) fn request(&self, state: &str) -> Option<AuthorizationRequest> {
        self.pages.get(state).cloned()
    }

    /// Ends a login page with a code for this user.
    pub(crate) fn finish(&mut self, state: &str, code: String, user_id: String) {
        if let Some(request) = self.pages.remove(state) {
            self.codes.insert(code, (request, user_id));
        }
    }

    /// Takes the request and the user id of a code, which is valid once.
    pub(crate) fn redeem(&mut self, code: &str) -> Option<(AuthorizationRequest, String)> {
        self.codes.remove(code)
    }
}
