//! Every request the emulator got, in order, for tests to assert on.

use std::collections::VecDeque;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::locked::Locked;
use crate::route::Route;

/// One request as it arrived, and the status it was answered with.
#[derive(Clone, Debug)]
pub struct JournalEntry {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query string without its question mark; empty if there was none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as far as it came, at most one byte more than the tenant accepts.
    pub body: Bytes,
    /// The protocol version of the connection.
    pub version: Version,
    /// Which connection it came on; numbered from 1 in order of arrival.
    pub connection: u64,
    /// When its head had arrived.
    pub at: SystemTime,
    /// What it was answered with; `None` while it waits, or if it never gets an answer.
    pub status: Option<u16>,
}

impl JournalEntry {
    /// Which operation it asked for.
    pub fn route(&self) -> Route {
        Route::from_request(&self.method, &self.path)
    }

    /// The body read as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        self.parse().unwrap_or_default()
    }

    /// The body read as JSON of a given type.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body read as form fields, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The value of one header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The decoded value of one query parameter.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The entry as `/_emulator/journal` shows it.
    pub(crate) fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let at = self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        json!({
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query,
            "headers": headers,
            "body": String::from_utf8_lossy(&self.body),
            "version": format!("{:?}", self.version),
            "connection": self.connection,
            "at_ms": u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            "status": self.status,
        })
    }
}

/// The latest requests, up to a fixed number of them.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The entries and the number of the first of them.
    retained: Locked<RetainedEntries>,
}

/// The entries still kept.
struct RetainedEntries {
    /// The number of the oldest entry kept, counted from the start of the emulator.
    first: u64,
    /// The entries, oldest first.
    entries: VecDeque<JournalEntry>,
    /// How many are kept at most.
    limit: usize,
}

impl Journal {
    /// An empty journal of at most `limit` entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            retained: Locked::new(RetainedEntries { first: 0, entries: VecDeque::new(), limit }),
        }
    }

    /// Adds an entry and returns its number.
    pub(crate) fn record(&self, entry: JournalEntry) -> u64 {
        self.retained.with(|retained| {
            retained.entries.push_back(entry);
            while retained.entries.len() > retained.limit {
                retained.entries.pop_front();
                retained.first += 1;
            }
            retained.first + u64::try_from(retained.entries.len()).unwrap_or_default() - 1
        })
    }

    /// Notes the status that the entry of that number was answered with.
    pub(crate) fn set_status(&self, number: u64, status: u16) {
        self.retained.with(|retained| {
            let index = number.checked_sub(retained.first).and_then(|i| usize::try_from(i).ok());
            if let Some(entry) = index.and_then(|index| retained.entries.get_mut(index)) {
                entry.status = Some(status);
            }
        });
    }

    /// The entries for which `wanted` holds, oldest first.
    pub(crate) fn entries(&self, wanted: impl Fn(&JournalEntry) -> bool) -> Vec<JournalEntry> {
        self.retained
            .with(|retained| retained.entries.iter().filter(|e| wanted(e)).cloned().collect())
    }

    /// Forgets every entry.
    pub(crate) fn clear(&self) {
        self.retained.with(|retained| {
            retained.first += u64::try_from(retained.entries.len()).unwrap_or_default();
            retained.entries.clear();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> JournalEntry {
        JournalEntry {
            method: Method::GET,
            path: path.to_owned(),
            query: "email=a%40b.com".to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            version: Version::HTTP_11,
            connection: 1,
            at: SystemTime::UNIX_EPOCH,
            status: None,
        }
    }

    #[test]
    fn the_oldest_entry_goes_first_and_statuses_still_find_their_own() {
        let journal = Journal::new(2);
        let numbers: Vec<u64> =
            ["/a", "/b", "/c"].iter().map(|p| journal.record(entry(p))).collect();
        journal.set_status(numbers[0], 500);
        journal.set_status(numbers[2], 200);
        let seen: Vec<_> =
            journal.entries(|_| true).into_iter().map(|e| (e.path, e.status)).collect();
        assert_eq!(seen, [("/b".to_owned(), None), ("/c".to_owned(), Some(200))]);
    }

    #[test]
    fn a_late_answer_after_a_clear_marks_nothing() {
        let journal = Journal::new(9);
        let old = journal.record(entry("/old"));
        journal.clear();
        journal.record(entry("/new"));
        journal.set_status(old, 200);
        assert_eq!(journal.entries(|_| true)[0].status, None);
    }

    #[test]
    fn a_query_value_is_decoded() {
        assert_eq!(entry("/").query_value("email").as_deref(), Some("a@b.com"));
        assert_eq!(entry("/").query_value("mail"), None);
    }
}
