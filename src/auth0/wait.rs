//! The one judge of the waits that responses ask for.
//!
//! A wait is read as what it means: seconds, a date, or an epoch in any usual unit. The tenant's
//! edge, a firewall or a proxy can send a 429 as well. So a long wait is believed only from a
//! response that is certainly Auth0's own.
//!
//! Sources: RFC 9110, section 10.2.3; Auth0's rate limit documents; `docs/auth0.md`.

use std::time::Duration;

use super::error::Api;
use super::rate_headers::RateHeaders;
use super::response::ApiResponse;
use super::sender::is_from_auth0;

/// The longest wait that is believed from any response.
const LONGEST_UNPROVEN: Duration = Duration::from_mins(1);

/// The longest wait that is believed from Auth0: an application's token quota resets within a day.
pub(super) const LONGEST: Duration = Duration::from_hours(24);

/// The longest time without a probe, whatever wait was reported: the limit or the quota may have been
/// raised since then. A rejected token request costs no token. A longer wait is a long one.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_mins(1);

/// The longest `x-ratelimit-reset` that is accepted. No plan's bucket takes longer for a permit, so
/// a larger value means that two clocks were mixed up.
const LONGEST_RESET: Duration = Duration::from_mins(1);

/// The least number that is an epoch. As seconds from now it would be 31 years.
const FIRST_EPOCH: u64 = 1_000_000_000;

/// Upper bounds of an epoch in seconds, milliseconds and microseconds, and the units in a second.
const EPOCH_UNITS: [(u64, u64); 3] = [
    (FIRST_EPOCH * 100, 1),
    (FIRST_EPOCH * 100_000, 1_000),
    (FIRST_EPOCH * 100_000_000, 1_000_000),
];

/// The wait that a 429 asks for, as far as it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestedWait {
    /// Greater than zero; `None` when the response asks for none that makes sense. At most
    /// [`LONGEST`], or [`LONGEST_UNPROVEN`] unless the response is Auth0's.
    pub(super) wait: Option<Duration>,
    /// True if the response is Auth0's own.
    pub(super) is_from_auth0: bool,
}

impl RequestedWait {
    /// Judges the wait that a 429 of this part of the tenant asks for. The time of its arrival replaces an
    /// absent `Date`.
    pub(super) fn from_rejection(api: Api, response: &ApiResponse) -> Self {
        let headers = RateHeaders::new(&response.headers);
        let sent_at = headers.generated_at().unwrap_or(response.received_at);
        let is_from_auth0 = is_from_auth0(api, response);
        let longest = if is_from_auth0 { LONGEST } else { LONGEST_UNPROVEN };
        let retry_after = headers
            .retry_after_date()
            .map(|until| until.saturating_sub(sent_at))
            .or_else(|| meaning(headers.retry_after_number()?, sent_at))
            .map(|wait| wait.saturating_sub(headers.age()))
            .filter(|wait| !wait.is_zero());
        let wait = retry_after.or_else(|| reset_after(headers, sent_at));
        let wait = wait.map(|wait| wait.min(longest));
        Self { wait, is_from_auth0 }
    }
}

/// Returns `x-ratelimit-reset` as a wait, if it is plausible. It has a meaning only beside `Date`.
pub(super) fn reset_in(headers: RateHeaders<'_>) -> Option<Duration> {
    reset_after(headers, headers.generated_at()?)
}

/// Returns the wait until `x-ratelimit-reset` for a response that was sent at this time.
fn reset_after(headers: RateHeaders<'_>, sent_at: Duration) -> Option<Duration> {
    let reset = meaning(headers.reset_number()?, sent_at)?.saturating_sub(headers.age());
    (!reset.is_zero() && reset <= LONGEST_RESET).then_some(reset)
}

/// Returns the wait that a number means at this time: seconds, or an epoch in any usual unit. `None`
/// for an epoch that is more than [`LONGEST`] away, which no header means.
fn meaning(number: u64, at: Duration) -> Option<Duration> {
    if number < FIRST_EPOCH {
        return Some(Duration::from_secs(number));
    }
    let (_, units) = EPOCH_UNITS.into_iter().find(|(bound, _)| number < *bound)?;
    let until = Duration::from_secs(number / units)
        + Duration::from_secs(number % units) / u32::try_from(units).ok()?;
    let wait = until.saturating_sub(at);
    (wait <= LONGEST).then_some(wait)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::{AGE, DATE, HeaderName, HeaderValue, RETRY_AFTER};

    use super::*;

    const NOW: u64 = 1_790_000_000;
    const ENVELOPE: &str = r#"{"statusCode":429,"error":"Too Many Requests","message":"Global …"}"#;
    const TOKEN_ERROR: &str = r#"{"error":"too_many_requests","error_description":"Client quota"}"#;

    fn date(seconds: u64) -> String {
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Judges the wait of a 429 with these headers beside `Date`, in seconds.
    fn judge(api: Api, headers: &[(&str, &str)], body: &'static str) -> Option<u64> {
        let mut map = HeaderMap::from_iter([(DATE, date(NOW).parse().unwrap())]);
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let response = ApiResponse::new(429, map, body);
        RequestedWait::from_rejection(api, &response).wait.map(|wait| wait.as_secs())
    }

    #[test]
    fn a_number_means_seconds_or_an_epoch_in_any_unit() {
        let at = |seconds: u64, factor: u64| ((NOW + seconds) * factor).to_string();
        for (value, wait) in [
            ("7".to_owned(), Some(7)),
            ("0".to_owned(), None),
            ("-1".to_owned(), None),
            (date(NOW + 30), Some(30)),
            (date(NOW - 30), None),
            (at(30, 1), Some(30)),
            (at(30, 1_000), Some(30)),
            (at(30, 1_000_000), Some(30)),
            (at(7_200, 1_000), Some(7_200)),
            // Clamped as a number of seconds, nonsense as an epoch.
            ("999999999".to_owned(), Some(86_400)),
            ("4000000000".to_owned(), None),
            (u64::MAX.to_string(), None),
        ] {
            let judged = judge(Api::Management, &[("retry-after", &value)], ENVELOPE);
            assert_eq!(judged, wait, "{value}");
        }
        for (value, wait) in [
            (at(30, 1), Some(30)),
            (at(30, 1_000), Some(30)),
            (at(3_600, 1), None),
            ((NOW - 30).to_string(), None),
        ] {
            let judged = judge(Api::Management, &[("x-ratelimit-reset", &value)], ENVELOPE);
            assert_eq!(judged, wait, "{value}");
        }
    }

    #[test]
    fn a_long_wait_is_believed_from_auth0_only() {
        let long = ("retry-after", "7200");
        let bucket = [("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0"), long];
        for (api, headers, body, wait) in [
            (Api::Management, &[long][..], "<html>", 60),
            (Api::Management, &[long], r#"{"statusCode":429}"#, 60),
            (Api::Management, &[long], TOKEN_ERROR, 60),
            (Api::Management, &[long], ENVELOPE, 7_200),
            (Api::Management, &bucket, "<html>", 7_200),
            (Api::Token, &[long], "<html>", 60),
            (Api::Token, &[long], r#"{"error":"Too Many Requests"}"#, 60),
            (Api::Token, &[long], TOKEN_ERROR, 7_200),
        ] {
            assert_eq!(judge(api, headers, body), Some(wait), "{api:?} {headers:?} {body}");
        }
    }

    #[test]
    fn a_cached_response_has_waited_already() {
        let cached = [("retry-after", "30"), (AGE.as_str(), "20")];
        assert_eq!(judge(Api::Management, &cached, ENVELOPE), Some(10));
        let until = date(NOW + 30);
        let cached = [(RETRY_AFTER.as_str(), until.as_str()), (AGE.as_str(), "20")];
        assert_eq!(judge(Api::Management, &cached, ENVELOPE), Some(10));
    }
}
