//! `Accept` (RFC 9110, 12.5.1): the preference of a client for one media type.

use http::HeaderMap;
use http::header::ACCEPT;

use super::header_list::header_list;
use crate::texts::quality;

/// A type's quality in thousandths, and how exactly a range named it: not at all (0), by `*/*` (1),
/// by `type/*` (2), in full (3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Preference {
    quality: u16,
    precision: u8,
}

impl Preference {
    /// The preference for a type, by the first of the most exact ranges that match it. Parameters of the type are
    /// not compared.
    pub(super) fn from_accept(headers: &HeaderMap, kind: &str, subkind: &str) -> Self {
        let mut best = Self::default();
        for range in header_list(headers, ACCEPT) {
            let (essence, parameters) = range.split_once(';').unwrap_or((range, ""));
            let Some((range_kind, range_subkind)) = essence.trim().split_once('/') else {
                continue;
            };
            let precision = match (range_kind, range_subkind) {
                ("*", "*") => 1,
                (a, "*") if a.eq_ignore_ascii_case(kind) => 2,
                (a, b) if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subkind) => 3,
                _ => continue,
            };
            if precision > best.precision {
                best = Self { quality: quality(parameters), precision };
            }
        }
        best
    }

    /// Returns whether a range named the type, by `type/*` or in full.
    pub(super) const fn names_type(self) -> bool {
        self.precision >= 2
    }

    /// Returns whether the client accepts the type, and prefers it to this other one: by its quality or, where
    /// that is the same, by having named it more exactly.
    pub(super) fn is_above(self, other: Self) -> bool {
        self.quality > 0 && self > other
    }
}
