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
    /// The operations it applies to.
    route: Route,
    /// The kind of fault.
    kind: FaultKind,
    /// The number of calls; 1 if absent.
    times: Option<RepeatCount>,
    /// Performs the operation before the fault takes effect.
    #[serde(default)]
    after_acting: bool,
    /// The delay before anything else happens.
    delay_ms: Option<u64>,
    /// For `act_later`: the delay until the operation is performed.
    after_ms: Option<u64>,
    /// For `act_later`: closes the connection at once.
    #[serde(default)]
    closing: bool,
    /// For `answer` and `html`: the status.
    status: Option<u16>,
    /// For `answer` and `html`: the headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// For `answer` and `html`: the body.
    body: Option<String>,
    /// For `slow`: the number of bytes per write.
    bytes: Option<usize>,
    /// For `slow`: the pause after each write.
    pause_ms: Option<u64>,
}

/// The kinds of fault, named after [`Fault`]'s constructors.
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
    /// [`Fault::black_hole`]
    BlackHole,
}

/// The number of calls.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
enum RepeatCount {
    /// A fixed number.
    Number(u32),
    /// Every call.
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
    /// Returns the route and the fault that the script describes.
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
            FaultKind::BlackHole => Fault::black_hole(),
        };
        for (name, value) in &self.headers {
            fault = fault.header(name, value);
        }
        if let Some(body) = self.body {
            fault = fault.body(body);
        }
        if self.closing {
            fault = fault.closing();
        }
        if self.after_acting {
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
    fn a_json_script_equals_the_library_call() {
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
    fn an_unknown_member_is_rejected() {
        let json = r#"{"route":"token","kind":"hang","time":3}"#;
        assert!(serde_json::from_str::<FaultScript>(json).is_err());
    }
}
