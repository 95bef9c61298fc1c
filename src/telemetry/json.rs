//! One event as one line of JSON, written directly into the log's buffer.
//!
//! tracing-subscriber's own format makes a string of every value before it escapes it, which is
//! half the cost of an event. The members are the same: `timestamp`, `level`, the event's fields,
//! `target` and, within a span, `span`. An event of a request with a trace has `trace_id` and `span_id`.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::trace::active_ids;

/// The JSON format of the log.
#[derive(Debug)]
pub(super) struct Json;

/// Formats the fields of a span as members of an object, which are stored with the span.
#[derive(Debug)]
pub(super) struct JsonFields;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        line.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut line)?;
        write!(line, "\",\"level\":\"{}\"", metadata.level())?;
        MemberWriter::visit(&mut line, true, |members| event.record(members))?;
        if let Some((trace_id, span_id)) = active_ids() {
            write!(line, ",\"trace_id\":\"{trace_id:032x}\",\"span_id\":\"{span_id:016x}\"")?;
        }
        line.write_str(",\"target\":")?;
        quoted(&mut line, format_args!("{}", metadata.target()))?;
        if let Some(span) = context.parent_span() {
            line.write_str(",\"span\":{")?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(line, "{fields},")?;
            }
            line.write_str("\"name\":")?;
            quoted(&mut line, format_args!("{}", span.name()))?;
            line.write_char('}')?;
        }
        line.write_str("}\n")
    }
}

impl<'w> FormatFields<'w> for JsonFields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(
        &self,
        mut writer: Writer<'w>,
        fields: R,
    ) -> fmt::Result {
        MemberWriter::visit(&mut writer, false, |members| fields.record(members))
    }
}

/// Writes fields as `"name":value`, separated by commas. Keeps the first error.
struct MemberWriter<'a, W> {
    line: &'a mut W,
    /// True if a comma has to precede the next member.
    separate: bool,
    result: fmt::Result,
}

impl<'a, W: fmt::Write> MemberWriter<'a, W> {
    fn visit(line: &'a mut W, separate: bool, record: impl FnOnce(&mut Self)) -> fmt::Result {
        let mut members = Self { line, separate, result: Ok(()) };
        record(&mut members);
        members.result
    }

    fn member(&mut self, field: &Field, value: impl FnOnce(&mut W) -> fmt::Result) {
        if self.result.is_err() {
            return;
        }
        let comma = if self.separate { "," } else { "" };
        self.separate = true;
        // Names are Rust identifiers and dots, and need no escape. `r#type` becomes `type`.
        let name = field.name().trim_start_matches("r#");
        self.result = write!(self.line, "{comma}\"{name}\":").and_then(|()| value(&mut *self.line));
    }
}

impl<W: fmt::Write> Visit for MemberWriter<'_, W> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has neither infinities nor NaN.
        let finite = value.is_finite();
        self.member(
            field,
            |line| {
                if finite { write!(line, "{value:?}") } else { line.write_str("null") }
            },
        );
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |line| quoted(line, format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field, |line| quoted(line, format_args!("{value:?}")));
    }
}

/// The most bytes of one string, before escapes. Whatever a value quotes, it cannot make an event much longer.
const MAX_STRING: usize = 4 * 1024;

/// Writes a JSON string, cut after [`MAX_STRING`] bytes.
fn quoted(line: &mut impl fmt::Write, text: fmt::Arguments<'_>) -> fmt::Result {
    line.write_char('"')?;
    let mut escaped = Escaped { line: &mut *line, left: Some(MAX_STRING) };
    match text.as_str() {
        Some(text) => escaped.write_str(text)?,
        None => escaped.write_fmt(text)?,
    }
    line.write_char('"')
}

/// Escapes text as RFC 8259, section 7, requires, and cuts it.
struct Escaped<'a, W> {
    line: &'a mut W,
    /// The bytes of text that are still written. `None`: the text is cut.
    left: Option<usize>,
}

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Some(left) = self.left else { return Ok(()) };
        let kept = text.get(..text.floor_char_boundary(left)).unwrap_or_default();
        self.write_escaped(kept)?;
        if kept.len() < text.len() {
            self.left = None;
            return self.line.write_str("…");
        }
        self.left = Some(left - kept.len());
        Ok(())
    }
}

impl<W: fmt::Write> Escaped<'_, W> {
    fn write_escaped(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            let (plain, from) = rest.split_at(at);
            self.line.write_str(plain)?;
            let mut chars = from.chars();
            match chars.next() {
                Some('"') => self.line.write_str("\\\"")?,
                Some('\\') => self.line.write_str("\\\\")?,
                Some('\n') => self.line.write_str("\\n")?,
                Some('\t') => self.line.write_str("\\t")?,
                Some(control) => write!(self.line, "\\u{:04x}", u32::from(control))?,
                None => {}
            }
            rest = chars.as_str();
        }
        self.line.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields)
            .event_format(Json)
            .with_writer(buffer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = buffer.0.lock();
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_kind_of_value_is_a_member_and_an_event_is_one_line() {
        let nasty = "a \"quoted\" \\ \n\r\t\u{1}\u{7f} ä\u{2028}😀";
        let cause: &dyn std::error::Error = &std::io::Error::other(nasty);
        let [line] = &lines(|| {
            tracing::warn!(
                one.dotted = 1_u8,
                minus = -1,
                half = 0.5,
                whole = 2.0,
                wide = 343_u128,
                nothing = f64::NAN,
                yes = true,
                nasty,
                shown = %nasty,
                absent = Option::<u8>::None,
                error = cause,
                r#type = ?Some(1),
                "a message: {nasty}"
            );
        })[..] else {
            panic!("one event is one line")
        };
        let mut line = line.clone();
        let timestamp = line.as_object_mut().unwrap().remove("timestamp").unwrap();
        assert_eq!(timestamp.as_str().unwrap().len(), "2026-11-25T06:00:00.000000Z".len());
        let expected = json!({
            "level": "WARN",
            "message": format!("a message: {nasty}"),
            "one.dotted": 1,
            "minus": -1,
            "half": 0.5,
            "whole": 2.0,
            "wide": 343,
            "nothing": null,
            "yes": true,
            "nasty": nasty,
            "shown": nasty,
            "error": nasty,
            "type": "Some(1)",
            "target": "auth0_signup::telemetry::json::tests",
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn a_long_value_is_cut() {
        let long = "ä\n".repeat(60_000);
        let (full, rest) = ("x".repeat(MAX_STRING), "y");
        let lines = lines(|| {
            let parts = format_args!("{full}{rest}");
            tracing::info!(long, shown = %long, %parts, "a message: {long}");
        });
        for name in ["long", "shown", "parts", "message"] {
            let value = lines[0][name].as_str().unwrap();
            assert!((4_000..4_200).contains(&value.len()) && value.ends_with('…'), "{name}");
        }
    }

    #[test]
    fn an_event_names_its_span() {
        let lines = lines(|| {
            tracing::info_span!("outer", id = 1, name_of = "x\ny")
                .in_scope(|| tracing::info!("in"));
            tracing::info_span!("empty").in_scope(|| tracing::info!("in"));
            tracing::info!("out");
        });
        let spans: Vec<_> = lines.iter().map(|line| line.get("span").cloned()).collect();
        let outer = json!({ "id": 1, "name_of": "x\ny", "name": "outer" });
        assert_eq!(spans, [Some(outer), Some(json!({ "name": "empty" })), None]);
    }
}
