//! Finds the ends of a server's replies in the bytes that it sends.

/// The type byte and the length of a message.
const HEADER: usize = 5;

/// Follows the messages of one connection, which must not be encrypted.
///
/// A reply ends with `ReadyForQuery`. The server sends it after the commit.
#[derive(Debug, Default)]
pub(super) struct ReplyScanner {
    /// The part of the current header that has arrived.
    header: Vec<u8>,
    /// The number of bytes missing from the current message.
    missing: usize,
    /// The type of the current or last message.
    kind: u8,
}

impl ReplyScanner {
    /// Reads the next bytes. Returns whether they end with the end of a reply.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        loop {
            let skipped = self.missing.min(rest.len());
            rest = rest.split_at(skipped).1;
            self.missing -= skipped;
            let Some((byte, after)) = rest.split_first() else { break };
            rest = after;
            self.header.push(*byte);
            if let [kind, length @ ..] = self.header.as_slice()
                && let Ok(length) = <[u8; HEADER - 1]>::try_from(length)
            {
                self.kind = *kind;
                // The length counts itself.
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.missing = length.saturating_sub(HEADER - 1);
                self.header.clear();
            }
        }
        self.header.is_empty() && self.missing == 0 && self.kind == b'Z'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CommandComplete` and `ReadyForQuery`.
    const REPLY: &[u8] = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I";

    #[test]
    fn a_reply_ends_with_its_last_byte() {
        for split in 0..REPLY.len() {
            let (first, second) = REPLY.split_at(split);
            let mut scanner = ReplyScanner::default();
            assert!(!scanner.scan(first), "at {split}");
            assert!(scanner.scan(second), "at {split}");
        }
    }

    #[test]
    fn a_message_after_a_reply_belongs_to_the_next_one() {
        let mut scanner = ReplyScanner::default();
        assert!(scanner.scan(REPLY));
        assert!(!scanner.scan(b"N\0\0\0\x04"));
        assert!(scanner.scan(REPLY));
    }
}
