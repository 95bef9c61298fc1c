//! One event as one short line for people, on a terminal.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::foreign;

/// The compact format of tracing-subscriber, which shows of an event of another crate only the
/// fields that may be logged.
#[derive(Debug)]
pub(super) struct Short(pub(super) Format<Compact>);

impl<S, N> FormatEvent<S, N> for Short
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
        if foreign::is_own(metadata.target()) {
            return self.0.format_event(context, line, event);
        }
        SystemTime.format_time(&mut line)?;
        write!(line, " {:>5} {}:", metadata.level(), metadata.target())?;
        let allowed = foreign::fields(metadata.target()).unwrap_or_default();
        let mut fields = AllowedFields { line: &mut line, allowed, result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        line.write_char('\n')
    }
}

/// Writes the allowed fields as `name=value`. Keeps the first error.
struct AllowedFields<'a, 'w> {
    line: &'a mut Writer<'w>,
    allowed: &'static [&'static str],
    result: fmt::Result,
}

impl Visit for AllowedFields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.result.is_ok() && self.allowed.contains(&field.name()) {
            self.result = write!(self.line, " {}={value:?}", field.name());
        }
    }
}
