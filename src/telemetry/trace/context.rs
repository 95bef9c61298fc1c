//! The W3C Trace Context: `traceparent` and `tracestate` (<https://www.w3.org/TR/trace-context/>).

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of a `traceparent` of version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
const LENGTH: usize = 55;

/// The flag of a trace that its caller records.
const SAMPLED: u8 = 0x01;

/// The flag of a trace id with at least 56 random bits (Level 2). Others are unknown, and are cleared.
const RANDOM: u8 = 0x02;

/// The most characters of a `tracestate` that are passed on: as many as each service has to.
const MAX_STATE: usize = 512;

/// The most members of a `tracestate` (3.3.1.1).
const MAX_MEMBERS: usize = 32;

/// A span's place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// The context that a caller sent. `None` without a valid `traceparent`, whatever `tracestate` is.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let parsed = Self::parse(value.as_bytes())?;
        Some(Self { state: state(headers), ..parsed })
    }

    /// Parses a `traceparent`. Of a later version than 00, only the part that it has in common.
    fn parse(value: &[u8]) -> Option<Self> {
        let (common, rest) = value.split_at_checked(LENGTH)?;
        let [version, trace_id, span_id, flags] =
            <[&[u8]; 4]>::try_from(common.split(|byte| *byte == b'-').collect::<Vec<_>>()).ok()?;
        let version = hex(version, 2)?;
        let is_extended = version > 0 && rest.first() == Some(&b'-');
        if version == 0xff || !(rest.is_empty() || is_extended) {
            return None;
        }
        let flags = u8::try_from(hex(flags, 2)?).ok()? & (SAMPLED | RANDOM);
        let span_id = u64::try_from(hex(span_id, 16)?).ok()?;
        let trace_id = hex(trace_id, 32)?;
        let is_valid = trace_id != 0 && span_id != 0;
        is_valid.then_some(Self { trace_id, span_id, flags, state: None })
    }

    /// The context of a new trace.
    pub fn root(is_sampled: bool) -> Self {
        let flags = RANDOM | if is_sampled { SAMPLED } else { 0 };
        Self { trace_id: rand::random::<u128>().max(1), span_id: new_span_id(), flags, state: None }
    }

    /// The context of a new span below this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: new_span_id(), ..self.clone() }
    }

    /// Writes the headers of a request that belongs to this span.
    pub fn write(&self, headers: &mut HeaderMap) {
        let Self { trace_id, span_id, flags, state } = self;
        let parent = format!("00-{trace_id:032x}-{span_id:016x}-{flags:02x}");
        // Always valid: it is hexadecimal digits and dashes.
        if let Ok(parent) = HeaderValue::try_from(parent) {
            headers.insert(TRACEPARENT, parent);
            if let Some(state) = state {
                headers.insert(TRACESTATE, state.clone());
            }
        }
    }

    /// The id of the trace. Never 0.
    pub const fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The id of the span. Never 0.
    pub const fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The flags: 1 sampled, 2 random.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// Returns whether the trace is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The `tracestate`, valid and in one line.
    pub fn state(&self) -> Option<&str> {
        self.state.as_ref().and_then(|state| state.to_str().ok())
    }
}

fn new_span_id() -> u64 {
    rand::random::<u64>().max(1)
}

/// Parses exactly so many lower-case hexadecimal digits.
fn hex(digits: &[u8], length: usize) -> Option<u128> {
    if digits.len() != length {
        return None;
    }
    digits.iter().try_fold(0, |value: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// The `tracestate` of a request in one line. `None` if it is empty, malformed or too long.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Option<Vec<_>> =
        headers.get_all(TRACESTATE).iter().map(|line| line.to_str().ok()).collect();
    let lines = lines?;
    let members = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
    let members = members.filter(|member| !member.is_empty());
    // Bounded before the keys are compared: a head has room for thousands.
    let members: Vec<_> = members.take(MAX_MEMBERS + 1).collect();
    if members.len() > MAX_MEMBERS {
        return None;
    }
    let keys: Vec<_> = members.iter().map(|member| state_key(member)).collect::<Option<_>>()?;
    let is_unique =
        keys.iter().enumerate().all(|(at, key)| !keys.iter().take(at).any(|k| k == key));
    let state = members.join(",");
    let is_usable = is_unique && (1..=MAX_STATE).contains(&state.len());
    if is_usable { HeaderValue::try_from(state).ok() } else { None }
}

/// The key of a valid member of `tracestate` (3.3.1.3).
fn state_key(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let is_key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let starts = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let is_valid = starts
        && key.len() <= 256
        && key.bytes().all(is_key)
        && (1..=256).contains(&value.len())
        && value.bytes().all(is_value);
    is_valid.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn context(lines: &[(&'static str, &str)]) -> Option<TraceContext> {
        let headers = lines.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        TraceContext::from_headers(&headers.collect())
    }

    fn written(context: &TraceContext) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        context.write(&mut headers);
        let text = |name| Some(headers.get(name)?.to_str().unwrap().to_owned());
        (text(TRACEPARENT).unwrap(), text(TRACESTATE))
    }

    #[test]
    fn a_valid_context_is_passed_on_unchanged() {
        for parent in [PARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"] {
            let context = context(&[("traceparent", parent)]).unwrap();
            assert_eq!(written(&context), (parent.to_owned(), None));
            assert_eq!(context.is_sampled(), parent.ends_with('1'));
        }
        let context = context(&[
            ("traceparent", PARENT),
            ("tracestate", "rojo=00f067aa0ba902b7, ,congo=t61rc WkgMzE"),
            ("tracestate", "\tfw529a3039@dt=FfTwW "),
        ]);
        let state = "rojo=00f067aa0ba902b7,congo=t61rc WkgMzE,fw529a3039@dt=FfTwW";
        assert_eq!(written(&context.unwrap()), (PARENT.to_owned(), Some(state.to_owned())));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for parent in [PARENT.replace("00-4b", "cc-4b"), PARENT.replace("00-4b", "01-4b") + "-more"]
        {
            let context = context(&[("traceparent", &parent)]).unwrap();
            assert_eq!(written(&context).0, PARENT, "{parent}");
        }
        let context = context(&[("traceparent", &PARENT.replace("-01", "-ff"))]).unwrap();
        assert!(written(&context).0.ends_with("-03"), "unknown flags are cleared");
    }

    #[test]
    fn an_invalid_parent_is_no_context() {
        for parent in [
            "",
            "00",
            &PARENT[..54],
            &format!("{PARENT}-"),
            &format!("{PARENT}-more"),
            &format!("{PARENT}0"),
            &format!(" 0{PARENT}"),
            &PARENT.to_uppercase(),
            &PARENT.replace("00-4b", "ff-4b"),
            &PARENT.replace("00-4b", "0g-4b"),
            &PARENT.replace("00-4b", "01-4b").replace("b7-01", "b7-01x"),
            &PARENT.replace('-', "_"),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &PARENT.replace("4bf92", "+bf92"),
            &PARENT.replace("b7-01", "b7-1-"),
        ] {
            assert_eq!(
                context(&[("traceparent", parent), ("tracestate", "a=1")]),
                None,
                "{parent}"
            );
        }
        assert_eq!(context(&[("traceparent", PARENT), ("traceparent", PARENT)]), None);
        assert_eq!(context(&[("tracestate", "a=1")]), None);
    }

    #[test]
    fn an_invalid_state_is_dropped_and_the_parent_kept() {
        let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        let long = format!("a={}", "x".repeat(257));
        let wide = format!("a={0},b={0}", "x".repeat(256));
        for state in [
            "", " , ", "a", "a=", "=1", "A=1", "a=1=2", "a b=1", "_a=1", "a=1,a=2", "a=\u{7f}",
            "a=\tx", &many, &long, &wide,
        ] {
            if HeaderValue::from_str(state).is_err() {
                continue;
            }
            let context = context(&[("traceparent", PARENT), ("tracestate", state)]).unwrap();
            assert_eq!(written(&context), (PARENT.to_owned(), None), "{state}");
        }
    }

    #[test]
    fn a_child_has_the_trace_of_its_parent() {
        let root = TraceContext::root(true);
        let child = root.child();
        assert!(root.trace_id() != 0 && child.trace_id() == root.trace_id());
        assert!(child.is_sampled() && child.span_id() != root.span_id());
        assert!(!TraceContext::root(false).is_sampled());
        assert!(TraceContext::parse(written(&child).0.as_bytes()).is_some());
    }
}
