//! How a command ends when it cannot do its work: one line for people, one number for programs.
//!
//! Bad traffic never comes here (it is data), nor does a degraded daemon (that is a health state). What
//! comes here cannot be worked around by the process itself: somebody has to change something, so every
//! error says what, where, why, and what to do.

use std::fmt;
use std::process::{ExitCode, Termination};

/// Exit codes of BSD `sysexits.h`, as far as Picket uses them.
pub mod sysexits {
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// The data of a file are not what they should be: no capture, no model, a damaged store.
    pub const DATAERR: u8 = 65;
    /// A named input file does not exist or cannot be read.
    pub const NOINPUT: u8 = 66;
    /// Something needed is not there: an interface, a running daemon, a broker.
    pub const UNAVAILABLE: u8 = 69;
    /// A fault of Picket itself.
    pub const SOFTWARE: u8 = 70;
    /// Reading or writing failed half-way.
    pub const IOERR: u8 = 74;
    /// Not now: the service manager is to start the daemon again.
    pub const TEMPFAIL: u8 = 75;
    /// The rights do not suffice.
    pub const NOPERM: u8 = 77;
    /// The configuration is wrong. A service manager should not start the daemon again.
    pub const CONFIG: u8 = 78;
}

/// Why a command ends, as shown to its user: `picket: <what>: <path or key>: <why>; <remedy>`.
///
/// Always one line: control characters of a message (a file name may hold a line break) are escaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExitError {
    /// One of [`sysexits`].
    pub code: u8,
    /// What happened to what, and why. No final full stop.
    pub message: String,
    /// What the user can do about it; empty when there is nothing to say.
    pub hint: String,
}

impl ExitError {
    /// An error without a hint.
    #[must_use]
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: String::new() }
    }

    /// The same error with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The error of a failed file operation: `what` was to be done to `path`. The code follows the kind.
    #[must_use]
    pub fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (code, hint) = match error.kind() {
            ErrorKind::NotFound => (sysexits::NOINPUT, "check the path"),
            ErrorKind::PermissionDenied => {
                (sysexits::NOPERM, "check the owner and mode of the file and its folders")
            }
            ErrorKind::StorageFull => (sysexits::IOERR, "make room on that file system"),
            _ => (sysexits::IOERR, ""),
        };
        Self::new(code, format!("{what}: {}: {}", path.display(), plain(error))).hint(hint)
    }
}

/// The words of an I/O error, to stand within a sentence: small at the front, without "(os error 2)".
pub(crate) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl fmt::Display for ExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("picket: ")?;
        write_line(f, &self.message)?;
        if !self.hint.is_empty() {
            f.write_str("; ")?;
            write_line(f, &self.hint)?;
        }
        Ok(())
    }
}

/// Writes `text` with control characters escaped, so that it stays on its line and cannot move a cursor.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() {
            write!(f, "{}", c.escape_default())?;
        } else {
            fmt::Write::write_char(f, c)?;
        }
    }
    Ok(())
}

impl std::error::Error for ExitError {}

impl Termination for ExitError {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;

    #[test]
    fn is_one_line_with_the_remedy_last() {
        let error =
            ExitError::new(sysexits::CONFIG, "configuration: a\nb: no such key").hint("see `picket check`");
        assert_eq!(error.to_string(), "picket: configuration: a\\nb: no such key; see `picket check`");
    }

    #[test]
    fn without_hint_there_is_no_semicolon() {
        assert_eq!(ExitError::new(sysexits::SOFTWARE, "lost").to_string(), "picket: lost");
    }

    #[test]
    fn file_errors_follow_their_kind() {
        let missing = ExitError::file("capture", Path::new("x.pcap"), &io::Error::from_raw_os_error(2));
        assert_eq!(missing.code, sysexits::NOINPUT);
        assert_eq!(missing.to_string(), "picket: capture: x.pcap: no such file or directory; check the path");
        let denied = ExitError::file("store", Path::new("/s"), &io::Error::from_raw_os_error(13));
        assert_eq!(denied.code, sysexits::NOPERM);
        let full = ExitError::file("store", Path::new("/s"), &io::Error::from_raw_os_error(28));
        assert_eq!(full.code, sysexits::IOERR);
    }
}
