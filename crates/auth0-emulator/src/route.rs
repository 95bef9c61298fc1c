//! The operations of the emulator, and the mapping from requests to them.

use http::Method;
use serde::{Deserialize, Serialize};

/// One operation of the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `GET /authorize`
    Authorize,
    /// `GET` and `POST /u/login`
    Login,
    /// `POST /oauth/token`
    Token,
    /// `GET /.well-known/jwks.json`
    Keys,
    /// `GET /.well-known/openid-configuration`
    Discovery,
    /// `POST /api/v2/users`
    CreateUser,
    /// `GET /api/v2/users/{id}`
    GetUser,
    /// `DELETE /api/v2/users/{id}`
    DeleteUser,
    /// `GET /api/v2/users-by-email`
    UsersByEmail,
    /// `GET /api/v2/connections`
    Connections,
    /// `GET /api/v2/custom-domains`
    CustomDomains,
    /// `POST /dbconnections/signup`
    Signup,
    /// `POST /dbconnections/change_password`
    ChangePassword,
    /// `GET /client/{id}.js`
    ClientScript,
    /// A CORS preflight on any path.
    Preflight,
    /// A path or method that the emulator does not support.
    Unknown,
    /// Every operation. Only used to select calls and faults; no request has this route.
    Any,
}

impl Route {
    /// The operation for a method and a path.
    pub fn from_request(method: &Method, path: &str) -> Self {
        if method == Method::OPTIONS {
            return Self::Preflight;
        }
        match (method.as_str(), path) {
            ("GET", "/authorize") => Self::Authorize,
            ("GET" | "POST", "/u/login") => Self::Login,
            ("POST", "/oauth/token") => Self::Token,
            ("GET", "/.well-known/jwks.json") => Self::Keys,
            ("GET", "/.well-known/openid-configuration") => Self::Discovery,
            ("POST", "/api/v2/users") => Self::CreateUser,
            ("GET", "/api/v2/users-by-email") => Self::UsersByEmail,
            ("GET", "/api/v2/connections") => Self::Connections,
            ("GET", "/api/v2/custom-domains") => Self::CustomDomains,
            ("POST", "/dbconnections/signup") => Self::Signup,
            ("POST", "/dbconnections/change_password") => Self::ChangePassword,
            (verb, path) if user_id_in(path).is_some() => match verb {
                "GET" => Self::GetUser,
                "DELETE" => Self::DeleteUser,
                _ => Self::Unknown,
            },
            ("GET", path) if client_id_in(path).is_some() => Self::ClientScript,
            _ => Self::Unknown,
        }
    }

    /// Returns whether a fault or query for `self` applies to a request for `requested`.
    pub(crate) fn covers(self, requested: Self) -> bool {
        self == Self::Any || self == requested
    }

    /// Returns whether this is an operation of the Management API.
    pub(crate) fn is_management(self) -> bool {
        matches!(
            self,
            Self::CreateUser
                | Self::GetUser
                | Self::DeleteUser
                | Self::UsersByEmail
                | Self::Connections
                | Self::CustomDomains
        )
    }

    /// Returns whether pages on other origins may call this operation.
    pub(crate) fn is_public(self) -> bool {
        matches!(
            self,
            Self::Token | Self::Keys | Self::Discovery | Self::Signup | Self::ChangePassword
        )
    }
}

/// The user id in a path, still percent-encoded, if there is one.
pub(crate) fn user_id_in(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/api/v2/users/")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// The client id in the path of a client script.
pub(crate) fn client_id_in(path: &str) -> Option<&str> {
    path.strip_prefix("/client/")?.strip_suffix(".js")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_id_is_a_user_and_a_deeper_path_is_unknown() {
        let get_route = |path| Route::from_request(&Method::GET, path);
        assert_eq!(get_route("/api/v2/users/auth0%7Cabc"), Route::GetUser);
        assert_eq!(get_route("/api/v2/users/auth0%7Cabc/roles"), Route::Unknown);
        assert_eq!(get_route("/api/v2/users/"), Route::Unknown);
        assert_eq!(get_route("/client/demo.js"), Route::ClientScript);
    }

    #[test]
    fn any_covers_every_route_and_a_route_only_itself() {
        assert!(Route::Any.covers(Route::Token));
        assert!(Route::Token.covers(Route::Token));
        assert!(!Route::Token.covers(Route::CreateUser));
    }
}
