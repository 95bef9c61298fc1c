//! The first 100 bytes of an SQLite file: <https://www.sqlite.org/fileformat2.html#the_database_header>.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The text at the start of every SQLite file.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The length of the header.
const LENGTH: usize = 100;

/// Returns whether a file is empty or starts as a write-ahead log does. A log that another program cut gets a
/// hole there with the next write: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn is_log(path: &Path) -> io::Result<bool> {
    let mut magic = [0; 4];
    match File::open(path)?.read_exact_at(&mut magic, 0) {
        // The last bit says in which order of bytes checksums are computed.
        Ok(()) => Ok(u32::from_be_bytes(magic) | 1 == 0x377f_0683),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        Err(error) => Err(error),
    }
}

/// The values of a header that a change of the file cannot set back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// The file starts as an SQLite file does.
    is_database: bool,
    /// Grows with every change of the first page.
    changes: u32,
    /// The size that the header states, in bytes.
    stated: u64,
    /// The size of the file, in bytes.
    actual: u64,
}

impl FileHeader {
    /// Reads the header past SQLite, from a file that stays open.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; LENGTH];
        let actual = file.metadata()?.len();
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(Self::parse(&bytes, actual)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Self { actual, ..Self::default() })
            }
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8; LENGTH], actual: u64) -> Self {
        let number = |at: usize| {
            let number = bytes.get(at..).and_then(|rest| rest.first_chunk());
            number.map_or(0, |number: &[u8; 4]| u32::from_be_bytes(*number))
        };
        // Two bytes; 1 stands for 65,536.
        let page = match number(16) >> 16 {
            1 => 65_536,
            size => size,
        };
        let stated = u64::from(page) * u64::from(number(28));
        Self { is_database: bytes.starts_with(MAGIC), changes: number(24), stated, actual }
    }

    /// Returns whether SQLite may have turned a file with the header `before` into this one.
    ///
    /// It writes the header before it makes the file longer, and before it makes it shorter. So only
    /// another program leaves a file that has become shorter than its header states.
    pub(super) const fn follows(&self, before: &Self) -> bool {
        let is_cut = self.actual < before.actual && self.actual < self.stated;
        self.is_database && !is_cut && self.changes >= before.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(changes: u32, pages: u32, actual: u64) -> FileHeader {
        let mut bytes = [0; LENGTH];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..18].copy_from_slice(&4_096_u16.to_be_bytes());
        bytes[24..28].copy_from_slice(&changes.to_be_bytes());
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        FileHeader::parse(&bytes, actual)
    }

    #[test]
    fn a_changed_file_differs_from_another_one() {
        let before = header(7, 3, 12_288);
        assert!(before.follows(&FileHeader::default()) && before.follows(&before));
        assert!(header(8, 4, 16_384).follows(&before));
        assert!(!header(6, 9, 36_864).follows(&before), "an older copy");
        assert!(header(8, 4, 12_288).follows(&before), "a checkpoint under way");
        assert!(header(8, 2, 8_192).follows(&before), "a vacuum");
        assert!(!header(7, 3, 8_192).follows(&before), "a truncated file");
        assert!(!FileHeader::parse(&[0; LENGTH], 12_288).follows(&before));
    }
}
