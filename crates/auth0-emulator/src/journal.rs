//! Every request the emulator received, in order, for tests to assert on.

use std::collections::VecDeque;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::locked::Locked;
use crate::route::Route;

/// One request as received, and the status of its response.
#[derive(Clone, Debug)]
pub struct JournalEntry {
    /// The method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query string without its question mark; empty if absent.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as far as it was received, at most one byte more than the tenant accepts.
    pub body: Bytes,
    /// The protocol version of the connection.
    pub version: Version,
    /// The number of its connection, counted from 1 in order of arrival.
    pub connection: u64,
    /// The time at which its head had been received.
    pub at: SystemTime,
    /// The status of the response; `None` while it is pending, or if no response is ever sent.
    pub status: Option<u16>,
}

impl JournalEntry {
    /// The requested operation.
    pub fn route(&self) -> Route {
        Route::from_request(&self.method, &self.path)
    }

    /// The body parsed as JSON; `null` if it is not JSON.
    pub fn json(&self) -> Value {
        self.parse().unwrap_or_default()
    }

    /// The body parsed as JSON of a given type.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body parsed as form fields, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The value of a header, if present and valid text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The decoded value of a query parameter.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The entry in the format of `/_emulator/journal`.
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

/// The latest requests, up to a fixed number.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The retained entries and the number of the first one.
    retained: Locked<RetainedEntries>,
}

/// The entries that have not been dropped.
struct RetainedEntries {
    /// The number of the oldest retained entry, counted from the start of the emulator.
    first: u64,
    /// The entries, oldest first.
    entries: VecDeque<JournalEntry>,
    /// The maximum number of entries.
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

    /// Sets the response status of the entry with this number.
    pub(crate) fn set_status(&self, number: u64, status: u16) {
        self.retained.with(|retained| {
            let index = number.checked_sub(retained.first).and_then(|i| usize::try_from(i).ok());
            if let Some(entry) = index.and_then(|index| retained.entries.get_mut(index)) {
                entry.status = Some(status);
            }
        });
    }

    /// The entries that match `wanted`, oldest first.
    pub(crate) fn entries(&self, wanted: impl Fn(&JournalEntry) -> bool) -> Vec<JournalEntry> {
        self.retained
            .with(|retained| retained.entries.iter().filter(|e| wanted(e)).cloned().collect())
    }

    /// Removes all entries.
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
    fn dropping_the_oldest_entry_keeps_statuses_on_their_entries() {
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
    fn a_late_status_after_a_clear_is_ignored() {
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
