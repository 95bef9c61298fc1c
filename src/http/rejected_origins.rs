//! The log of origins that were rejected: a site that is missing in the settings, or a stranger's.

use std::collections::HashMap;
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The shortest time between two lines about the same origin.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// The most origins that are remembered, and so the most lines in [`LOG_EVERY`]. A client may send any
/// number of them.
const MAX_REMEMBERED: usize = 32;

/// The most bytes of an origin that are logged: two long labels of a host and its domain.
const MAX_LENGTH: usize = 200;

/// The origins that were logged recently.
#[derive(Debug, Default)]
pub(super) struct RejectedOrigins {
    logged: Mutex<HashMap<String, Instant>>,
}

impl RejectedOrigins {
    /// Logs a rejected origin, once a minute each. `None`: the request names none.
    pub(super) fn report(&self, origin: Option<&HeaderValue>) {
        let origin = shown(origin);
        if self.is_due(&origin) {
            tracing::warn!(
                origin,
                setting = "http.allowed_origins",
                "rejected a post from {origin}: is it in http.allowed_origins?"
            );
        }
    }

    fn is_due(&self, origin: &str) -> bool {
        let now = Instant::now();
        let is_old = |at: Instant| now.duration_since(at) >= LOG_EVERY;
        let mut logged = self.logged.lock();
        if let Some(at) = logged.get_mut(origin) {
            let due = is_old(*at);
            if due {
                *at = now;
            }
            return due;
        }
        if logged.len() >= MAX_REMEMBERED {
            logged.retain(|_, at| !is_old(*at));
        }
        let has_room = logged.len() < MAX_REMEMBERED;
        if has_room {
            logged.insert(origin.to_owned(), now);
        }
        has_room
    }
}

/// The text of an origin for the log. A client chose it, so only what an origin consists of is shown, cut
/// to a bound.
fn shown(origin: Option<&HeaderValue>) -> String {
    let Some(origin) = origin else { return "a page without an origin".to_owned() };
    let text = origin.to_str().unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]/+".contains(&byte);
    let is_origin = text == "null" || (text.contains("://") && text.bytes().all(is_part));
    match text.get(..MAX_LENGTH) {
        _ if !is_origin => "something that is no origin".to_owned(),
        Some(start) if start.len() < text.len() => format!("{start}…"),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_origin_is_due_once_a_minute_and_few_are_remembered() {
        let rejected = RejectedOrigins::default();
        assert!(rejected.is_due("https://a.example") && !rejected.is_due("https://a.example"));
        let due = (0..1_000).filter(|n| rejected.is_due(&format!("https://{n}.example"))).count();
        assert_eq!(due, MAX_REMEMBERED - 1);
        assert_eq!(rejected.logged.lock().len(), MAX_REMEMBERED);
        advance(LOG_EVERY).await;
        assert!(rejected.is_due("https://a.example") && rejected.is_due("https://b.example"));
    }

    #[test]
    fn only_the_shape_of_an_origin_is_shown() {
        let shown = |text: &[u8]| shown(Some(&HeaderValue::from_bytes(text).unwrap()));
        for origin in
            ["https://www.example.com:8443", "capacitor://localhost", "http://[::1]", "null"]
        {
            assert_eq!(shown(origin.as_bytes()), origin);
        }
        for other in [
            "https://ada@example.com",
            "https://x\ty",
            "x",
            "https://x?a=b",
            "https://x \u{1b}[31m",
            "https://\"x\"",
            "https://xé",
        ] {
            if HeaderValue::from_bytes(other.as_bytes()).is_ok() {
                assert_eq!(shown(other.as_bytes()), "something that is no origin", "{other}");
            }
        }
        let long = |length: usize| format!("https://{}", "a".repeat(length - "https://".len()));
        assert_eq!(shown(long(MAX_LENGTH).as_bytes()), long(MAX_LENGTH));
        let cut = format!("{}…", long(MAX_LENGTH));
        assert_eq!(shown(long(MAX_LENGTH + 1).as_bytes()), cut);
    }
}
