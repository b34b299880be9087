//! What the connection to the management broker is made of, checked before anything starts.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::backoff::BackoffPolicy;
use super::broker_url::BrokerUrl;
use super::update::Remote;
use crate::config::Publish;

/// Why publishing cannot be set up. All of them are faults of the configuration (sysexits 78).
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path}: {why}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS to the broker: {0}")]
    Tls(String),
}

/// Version of MQTT spoken with the management broker.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Protocol {
    /// MQTT 5: the broker can say why it refuses a publication.
    #[default]
    V5,
    /// MQTT 3.1.1, for brokers that know no better. A publication that an access list forbids is
    /// acknowledged like any other there, and lost without a word.
    V311,
}

/// User name and password. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// A user with the password in `file`, without the line end it may have. The second value is a warning when
    /// others than the owner may read the file.
    ///
    /// # Errors
    /// The file cannot be read, or is not one line of text.
    pub fn from_file(user: &str, file: &Path) -> Result<(Self, Option<String>), PublishError> {
        let read = |source| PublishError::Read { path: file.to_owned(), source };
        let text = fs::read_to_string(file).map_err(read)?;
        let password =
            text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        if password.is_empty() || password.contains('\n') {
            return Err(PublishError::Content {
                path: file.to_owned(),
                why: "is to hold the password in one line and nothing else".to_owned(),
            });
        }
        let mode = fs::metadata(file).map_err(read)?.mode() & 0o777;
        let warning = (mode & 0o077 != 0)
            .then(|| format!("{} can be read by others (mode {mode:04o}); chmod 0600 it", file.display()));
        Ok((Self { user: user.to_owned(), password: password.to_owned() }, warning))
    }

    /// The same where both are named, else none; the warning goes to the log.
    ///
    /// # Errors
    /// As [`Credentials::from_file`].
    pub fn of(user: Option<&str>, file: Option<&Path>) -> Result<Option<Self>, PublishError> {
        let Some((user, file)) = user.zip(file) else { return Ok(None) };
        let (credentials, warning) = Self::from_file(user, file)?;
        if let Some(warning) = warning {
            log::warn!("{warning}");
        }
        Ok(Some(credentials))
    }

    /// The user name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The files of TLS, all PEM.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TlsFiles {
    /// Authorities that may vouch for the broker; the system's bundle when not given.
    pub ca: Option<PathBuf>,
    /// Our certificate with its chain, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The connection to the management broker.
#[derive(Clone, Debug)]
pub struct PublisherConfig {
    /// Where it is.
    pub broker: BrokerUrl,
    /// Version of MQTT.
    pub protocol: Protocol,
    /// Who we are there.
    pub credentials: Option<Credentials>,
    /// For `mqtts://`; not looked at otherwise.
    pub tls: TlsFiles,
    /// Seconds between signs of life, at least 5 (rumqttc allows no less).
    pub keep_alive: Duration,
    /// Waiting times between attempts.
    pub backoff: BackoffPolicy,
    /// How often the status is repeated. A connection that broke without a word leaves its will with the broker,
    /// which publishes it, retained, long after the next connection has said that we are online.
    pub status_every: Duration,
    /// Where messages about new models go, where models are updated over this broker.
    pub update: Option<Remote>,
    /// First level of the topics on which Home Assistant is told of this sensor; none to tell it nothing.
    pub home_assistant: Option<String>,
}

impl PublisherConfig {
    /// What the configuration says; none where nothing is published. Reads the secrets.
    ///
    /// # Errors
    /// The password file cannot be used.
    pub fn of(publish: &Publish) -> Result<Option<Self>, PublishError> {
        let Some(broker) = &publish.broker else { return Ok(None) };
        let identity = publish.identity.as_ref();
        Ok(Some(Self {
            protocol: publish.protocol,
            credentials: Credentials::of(publish.user.as_deref(), publish.password_file.as_deref())?,
            tls: TlsFiles {
                ca: publish.ca_file.clone(),
                client: identity.map(|identity| (identity.cert_file.clone(), identity.key_file.clone())),
            },
            keep_alive: publish.keep_alive,
            home_assistant: publish.home_assistant.clone(),
            ..Self::new(broker.clone())
        }))
    }

    /// MQTT 5 without credentials, keep-alive 30 s, status every 60 s.
    #[must_use]
    pub fn new(broker: BrokerUrl) -> Self {
        Self {
            broker,
            protocol: Protocol::default(),
            credentials: None,
            tls: TlsFiles::default(),
            keep_alive: Duration::from_secs(30),
            backoff: BackoffPolicy::default(),
            status_every: Duration::from_secs(60),
            update: None,
            home_assistant: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn passwords_come_from_files_and_are_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        fs::write(&file, "s3 cret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let (credentials, warning) = Credentials::from_file("picket", &file).unwrap();
        assert_eq!((credentials.user(), credentials.password(), warning), ("picket", "s3 cret", None));
        assert!(!format!("{credentials:?}").contains("s3"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let (_, warning) = Credentials::from_file("picket", &file).unwrap();
        assert!(warning.unwrap().contains("mode 0644"));
        for bad in ["", "\n", "two\nlines\n"] {
            fs::write(&file, bad).unwrap();
            assert!(matches!(Credentials::from_file("u", &file), Err(PublishError::Content { .. })));
        }
        let missing = Credentials::from_file("u", &dir.path().join("none"));
        assert!(matches!(missing, Err(PublishError::Read { .. })));
    }
}
