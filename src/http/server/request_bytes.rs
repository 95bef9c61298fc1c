//! The bytes of a request on the wire, as far as they show where it ends.

/// Counts the bytes of a request, to see how long its head is and whether more than it has arrived.
#[derive(Debug, Default)]
pub(super) struct RequestBytes {
    /// The bytes of its head that have arrived.
    head: usize,
    /// True if the head's last line has no byte yet.
    is_line_empty: bool,
    /// The bytes that arrived after its head; `None` until the head is complete.
    after_head: Option<u64>,
    /// The number of carriage returns and line feeds at the end of what has arrived.
    line_ends: u64,
    /// The length of its body, where the head names it.
    body: Option<u64>,
    /// True once a handler has read the whole body.
    is_body_read: bool,
    /// True once a client has sent more than its request: from then on no head's first byte is known.
    pub(super) is_ahead: bool,
}

impl RequestBytes {
    /// Counts bytes that were read.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let line_ends = bytes.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let before = if line_ends == bytes.len() { self.line_ends } else { 0 };
        self.line_ends = before.saturating_add(length(line_ends));
        if let Some(after) = &mut self.after_head {
            *after = after.saturating_add(length(bytes.len()));
            return;
        }
        let end = if self.is_ahead { None } else { self.end_of_head(bytes) };
        self.after_head = end.map(|end| length(bytes.len() - end));
        self.head += end.unwrap_or(bytes.len());
    }

    /// The number of bytes up to the empty line that ends a head, if it is among these.
    fn end_of_head(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.is_line_empty => return Some(at + 1),
                b'\n' => self.is_line_empty = true,
                b'\r' => {}
                _ => self.is_line_empty = false,
            }
        }
        None
    }

    /// The bytes of the head. Where the client sends ahead, without those that arrived with an earlier
    /// request.
    pub(super) const fn head(&self) -> usize {
        self.head
    }

    /// Starts the request, whose head is complete. `body`: the length of its body, where it is known.
    pub(super) const fn start(&mut self, body: Option<u64>) {
        self.body = body;
        self.is_body_read = false;
    }

    /// Records that a handler has read the whole body.
    pub(super) const fn set_body_read(&mut self) {
        self.is_body_read = true;
    }

    /// Returns whether hyper will close the connection because a part of the body was not read. What
    /// arrived together with the head is skipped.
    pub(super) fn is_body_unread(&self) -> bool {
        let has_arrived = match (self.body, self.after_head) {
            (Some(0), _) => true,
            (Some(body), Some(after)) => after >= body,
            (Some(_) | None, _) => false,
        };
        !self.is_body_read && !has_arrived
    }

    /// Ends the request. Returns whether more than it may have arrived.
    pub(super) fn end(&mut self) -> bool {
        // The end of a chunked body is not known here. Only a form is read to its end, so the limit on
        // posts bounds what a client can send after such a body.
        let arrived = self.after_head.zip(self.body);
        // Line ends before a request line are no request (RFC 9112, section 2.2).
        let is_all = arrived.is_some_and(|(after, body)| {
            after.checked_sub(body).is_some_and(|more| more <= self.line_ends)
        });
        self.is_ahead |= self.body.is_some() && !is_all;
        *self = Self { is_ahead: self.is_ahead, ..Self::default() };
        self.is_ahead
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    fn ends_ahead(body: Option<u64>, reads: &[&[u8]]) -> bool {
        let mut request = RequestBytes::default();
        for read in reads {
            request.add(read);
        }
        assert_eq!(request.head(), HEAD.len());
        request.start(body);
        request.end()
    }

    #[test]
    fn bytes_after_a_request_are_found() {
        assert!(!ends_ahead(Some(0), &[HEAD]));
        assert!(!ends_ahead(Some(0), &[&HEAD[..25], &HEAD[25..26], &HEAD[26..]]));
        assert!(ends_ahead(Some(0), &[HEAD, b"G"]));
        assert!(ends_ahead(Some(0), &[&[HEAD, b"GET /"].concat()]));
        assert!(!ends_ahead(Some(4), &[&[HEAD, b"\n\n"].concat(), b"\n\n"]));
        assert!(ends_ahead(Some(4), &[HEAD, b"bodyG"]));
        assert!(!ends_ahead(Some(4), &[HEAD, b"body\r\n"]));
        assert!(!ends_ahead(Some(4), &[HEAD, b"body\r", b"\n"]));
        assert!(ends_ahead(Some(4), &[HEAD, b"bodyG\r\n"]));
        assert!(ends_ahead(Some(6), &[HEAD, b"body\n"]));
        assert!(!ends_ahead(None, &[HEAD, b"0\r\n\r\n"]));
    }

    #[test]
    fn a_client_that_sent_ahead_once_may_do_so_again() {
        let mut request = RequestBytes::default();
        request.add(&[HEAD, HEAD].concat());
        request.start(Some(0));
        assert!(request.end());
        request.start(Some(0));
        assert!(request.end());
        request.add(b"GET /");
        assert_eq!(request.head(), 5);
    }

    #[test]
    fn a_body_that_has_arrived_or_was_read_is_not_unread() {
        let is_unread = |body, bytes: &[u8]| {
            let mut request = RequestBytes::default();
            request.add(&[HEAD, bytes].concat());
            request.start(body);
            let is_unread = request.is_body_unread();
            request.set_body_read();
            assert!(!request.is_body_unread());
            is_unread
        };
        assert!(!is_unread(Some(0), b""));
        assert!(!is_unread(Some(4), b"body"));
        assert!(is_unread(Some(4), b"bod"));
        assert!(is_unread(None, b"0\r\n\r\n"));
    }
}
