//! What the connection to the management broker is made of, checked before anything starts.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::backoff::BackoffPolicy;

/// Why publishing cannot be set up. All of them are faults of the configuration (sysexits 78).
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The address of the broker is not one.
    #[error("broker address {given:?}: {why}; write mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")]
    Url {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
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

/// `mqtt://host[:port]` or `mqtts://host[:port]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerUrl {
    host: String,
    port: u16,
    tls: bool,
}

impl BrokerUrl {
    /// Host name or address; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 1883 or 8883 unless given.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is wanted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }
}

impl FromStr for BrokerUrl {
    type Err = PublishError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let fail = |why| PublishError::Url { given: given.to_owned(), why };
        let (scheme, rest) = given.split_once("://").ok_or_else(|| fail("no scheme"))?;
        let tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(fail("unknown scheme")),
        };
        if rest.contains('@') {
            return Err(fail("user and password do not belong here but in `user` and `password-file`"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or_else(|| fail("a bracket is open"))?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(fail("what stands in brackets is no IPv6 address"));
                }
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err(fail("there is something after the bracket")),
                }
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(fail("the host is missing or has characters that no host name has"));
        }
        let port = match port {
            None if tls => 8883,
            None => 1883,
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| fail("the port is not 1 to 65535"))?,
        };
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
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
}

impl PublisherConfig {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn addresses_of_brokers() {
        for (given, host, port, tls) in [
            ("mqtt://127.0.0.1", "127.0.0.1", 1883, false),
            ("mqtts://broker.example/", "broker.example", 8883, true),
            ("mqtt://[fd00::1]:11883", "fd00::1", 11883, false),
            ("mqtt://[::1]", "::1", 1883, false),
        ] {
            let url: BrokerUrl = given.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.is_tls()), (host, port, tls));
            assert_eq!(url.to_string().parse::<BrokerUrl>().unwrap(), url);
        }
        for bad in [
            "127.0.0.1",
            "http://a",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://a:0",
            "mqtt://a:99999",
            "mqtt://a b",
            "mqtt://u:p@host",
            "mqtt://[::1",
            "mqtt://[x]",
            "mqtt://[::1]x",
            "mqtt://a:1:2",
            "mqtt://a/topic",
        ] {
            assert!(matches!(bad.parse::<BrokerUrl>(), Err(PublishError::Url { .. })), "{bad}");
        }
    }

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
