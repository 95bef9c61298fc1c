//! Faults as JSON, for tests in other languages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::Fault;
use crate::route::Route;

/// The body of `POST /_emulator/faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultScript {
    /// The calls it is for.
    route: Route,
    /// What goes wrong.
    kind: FaultKind,
    /// For how many calls; one if left out.
    times: Option<RepeatCount>,
    /// Whether the tenant does what it is asked first.
    after_acting: Option<bool>,
    /// How long nothing happens at all.
    delay_ms: Option<u64>,
    /// For `act_later`: how long after.
    after_ms: Option<u64>,
    /// For `act_later`: whether the connection is closed at once.
    #[serde(default)]
    closing: bool,
    /// For `answer` and `html`: the status.
    status: Option<u16>,
    /// For `answer` and `html`: headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// For `answer` and `html`: the body.
    body: Option<String>,
    /// For `slow`: how many bytes at a time.
    bytes: Option<usize>,
    /// For `slow`: how long it pauses after them.
    pause_ms: Option<u64>,
    /// For `goaway` and `stream_reset`: the h2 error code.
    code: Option<u32>,
}

/// What goes wrong, by the names of [`Fault`]'s constructors.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultKind {
    /// [`Fault::answer`]
    Answer,
    /// [`Fault::html`]
    Html,
    /// [`Fault::delay`]
    Delay,
    /// [`Fault::hang`]
    Hang,
    /// [`Fault::close`]
    Close,
    /// [`Fault::reset`]
    Reset,
    /// [`Fault::act_later`]
    ActLater,
    /// [`Fault::truncated`]
    Truncated,
    /// [`Fault::slow`]
    Slow,
    /// [`Fault::goaway`]
    Goaway,
    /// [`Fault::stream_reset`]
    StreamReset,
    /// [`Fault::black_hole`]
    BlackHole,
}

/// For how many calls.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
enum RepeatCount {
    /// So many.
    Number(u32),
    /// Every one.
    Word(AlwaysWord),
}

/// The word `always`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AlwaysWord {
    /// Every call.
    Always,
}

impl FaultScript {
    /// The calls and the fault it describes.
    pub(crate) fn into_fault(self) -> (Route, Fault) {
        let ms = |given: Option<u64>| Duration::from_millis(given.unwrap_or_default());
        let mut fault = match self.kind {
            FaultKind::Answer => Fault::answer(self.status.unwrap_or(500)),
            FaultKind::Html => Fault::html(self.status.unwrap_or(502)),
            FaultKind::Delay => Fault::delay(Duration::ZERO),
            FaultKind::Hang => Fault::hang(),
            FaultKind::Close => Fault::close(),
            FaultKind::Reset => Fault::reset(),
            FaultKind::ActLater => Fault::act_later(ms(self.after_ms)),
            FaultKind::Truncated => Fault::truncated(),
            FaultKind::Slow => {
                Fault::slow(self.bytes.unwrap_or(1), ms(self.pause_ms.or(Some(100))))
            }
            FaultKind::Goaway => Fault::goaway(),
            FaultKind::StreamReset => Fault::stream_reset(),
            FaultKind::BlackHole => Fault::black_hole(),
        };
        for (name, value) in &self.headers {
            fault = fault.header(name, value);
        }
        if let Some(body) = self.body {
            fault = fault.body(body);
        }
        if let Some(code) = self.code {
            fault = fault.code(code);
        }
        if self.closing {
            fault = fault.closing();
        }
        if self.after_acting == Some(true) {
            fault = fault.after_acting();
        }
        fault = fault.delayed(ms(self.delay_ms));
        let fault = match self.times {
            None => fault,
            Some(RepeatCount::Number(calls)) => fault.times(calls),
            Some(RepeatCount::Word(AlwaysWord::Always)) => fault.always(),
        };
        (self.route, fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (Route, Fault) {
        serde_json::from_str::<FaultScript>(json).unwrap().into_fault()
    }

    #[test]
    fn json_says_what_the_library_says() {
        assert_eq!(
            read(
                r#"{"route":"create_user","kind":"answer","status":503,"body":"x","times":3,
                "headers":{"retry-after":"2"}}"#
            ),
            (Route::CreateUser, Fault::answer(503).header("retry-after", "2").body("x").times(3))
        );
        assert_eq!(
            read(
                r#"{"route":"any","kind":"act_later","after_ms":50,"closing":true,"times":"always"}"#
            ),
            (Route::Any, Fault::act_later(Duration::from_millis(50)).closing().always())
        );
        assert_eq!(
            read(r#"{"route":"token","kind":"hang","after_acting":true,"delay_ms":5}"#),
            (Route::Token, Fault::hang_after_acting().delayed(Duration::from_millis(5)))
        );
    }

    #[test]
    fn an_unknown_member_is_refused() {
        let json = r#"{"route":"token","kind":"hang","time":3}"#;
        assert!(serde_json::from_str::<FaultScript>(json).is_err());
    }
}
