//! User names and passwords of the laboratory. They come from files and never stand on a command line.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::LabError;

/// A user name with its password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl Credentials {
    /// Reads the password from the first line of a file.
    ///
    /// # Errors
    /// If the file cannot be read or is empty.
    pub fn from_file(username: &str, file: &Path) -> Result<Self, LabError> {
        let text = fs::read_to_string(file).map_err(LabError::io(file.display().to_string()))?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Self { username: username.into(), password: line.into() }),
            _ => Err(LabError::Data {
                path: file.into(),
                reason: "the first line should be the password".into(),
            }),
        }
    }

    /// Name and password, as CONNECT wants them.
    #[must_use]
    pub fn pair(&self) -> (&str, &str) {
        (&self.username, &self.password)
    }
}

/// Shows the user, never the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.username)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password_and_is_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "s3cret\nmore\n").unwrap();
        let read = Credentials::from_file("hub", file.path()).unwrap();
        assert_eq!(read.pair(), ("hub", "s3cret"));
        assert_eq!(format!("{read:?}"), "hub:***");
        fs::write(file.path(), "").unwrap();
        assert_eq!(Credentials::from_file("hub", file.path()).unwrap_err().exit_code(), 65);
    }
}
