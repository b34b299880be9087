//! The second account of the numbers: a small file that says below which number everything may have been used.
//!
//! Numbers are reserved in blocks before the first of a block is used, so the file is written once per
//! [`BLOCK`] documents. After a clean stop it names the next number exactly; after a kill the rest of the block
//! is skipped, because a database that lost its tail cannot tell which of them were used.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::StoreError;

/// Numbers reserved at once.
pub(super) const BLOCK: u64 = 256;

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    /// No number from here on was ever used.
    pub next: u64,
    /// `next` is the very next one: the store was closed in order.
    pub clean: bool,
}

/// Reads the file; `None` where it is missing or says nothing that makes sense.
pub(super) fn read(path: &Path) -> Result<Option<Mark>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}

/// Replaces the file as a whole, durably.
pub(super) fn write(path: &Path, mark: Mark) -> Result<(), StoreError> {
    let fresh = path.with_extension("new");
    let state = if mark.clean { "clean" } else { "reserved" };
    File::create(&fresh)
        .and_then(|mut file| {
            writeln!(file, "{} {state}", mark.next)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|source| StoreError::io("write", &fresh, source))?;
    sync_parent(path)
}

/// Makes a rename in the parent directory of `path` durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(|source| StoreError::io("sync", parent, source))
}

fn parse(text: &str) -> Option<Mark> {
    let (next, state) = text.trim_end().split_once(' ')?;
    let next = next.parse().ok().filter(|next| *next > 0)?;
    match state {
        "clean" => Some(Mark { next, clean: true }),
        "reserved" => Some(Mark { next, clean: false }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sequence");
        assert_eq!(read(&path).unwrap(), None);
        for mark in [Mark { next: 1, clean: true }, Mark { next: u64::MAX, clean: false }] {
            write(&path, mark).unwrap();
            assert_eq!(read(&path).unwrap(), Some(mark));
        }
    }

    #[test]
    fn nonsense_is_no_mark() {
        for text in ["", "7", "x clean", "0 clean", "7 dirty", "-1 clean", "7 clean 8"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sequence");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }
}
