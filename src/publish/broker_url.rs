//! Where the management broker is.

use std::fmt;
use std::str::FromStr;

/// Where the management broker is: `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`.
///
/// It never holds a user or a password; those have keys of their own, the password a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerUrl {
    tls: bool,
    host: String,
    port: u16,
}

/// What is wrong with the URL of a broker, in words that do not repeat it: it may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokerUrlError(&'static str);

impl FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Self::read(url).map_err(BrokerUrlError)
    }
}

impl BrokerUrl {
    fn read(url: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match (url.strip_prefix("mqtt://"), url.strip_prefix("mqtts://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("must begin with mqtt:// or mqtts://"),
        };
        if rest.contains('@') {
            return Err("must not hold a user or password: use publish.user and publish.password-file");
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
        let (host, port) = match rest.strip_prefix('[').map(|inner| inner.split_once(']')) {
            Some(Some((host, after))) => {
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err("has no IPv6 address between its brackets");
                }
                (host, after)
            }
            Some(None) => return Err("has an opening bracket without a closing one"),
            None => rest.find(':').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "")),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(is_name) {
            return Err("has no valid host name or address");
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if tls {
                    8883
                } else {
                    1883
                }
            }
            Some(digits) if !digits.starts_with('+') => match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err("has a port that is not in 1..=65535"),
            },
            _ => {
                return Err("must be mqtt://HOST:PORT or mqtts://HOST:PORT and nothing after it");
            }
        };
        Ok(Self { tls, host: host.to_owned(), port })
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// Host name or address; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 1883 or 8883 when none was written.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_urls() {
        for (url, tls, host, port) in [
            ("mqtt://127.0.0.1", false, "127.0.0.1", 1883),
            ("mqtt://broker.lan:1884/", false, "broker.lan", 1884),
            ("mqtts://b", true, "b", 8883),
            ("mqtts://[::1]:9", true, "::1", 9),
            ("mqtt://[fe80::1]", false, "fe80::1", 1883),
            ("mqtts://broker.example/", true, "broker.example", 8883),
            ("mqtt://[fd00::1]:11883", false, "fd00::1", 11883),
        ] {
            let parsed = url.parse::<BrokerUrl>().expect(url);
            assert_eq!((parsed.is_tls(), parsed.host(), parsed.port()), (tls, host, port));
            assert_eq!(parsed.to_string().parse::<BrokerUrl>().expect("round trip"), parsed);
        }
        for bad in [
            "",
            "b",
            "tcp://b",
            "mqtt://",
            "mqtt://:1",
            "mqtt://b:",
            "mqtt://b:0",
            "mqtt://b:65536",
            "mqtt://b:+1",
            "mqtt://b:1/x",
            "mqtt://a b",
            "mqtt://[::1",
            "mqtt://[x]",
            "mqtt://[::1]x",
            "mqtt://a\0",
            "127.0.0.1",
            "http://a",
            "mqtt://a:1:2",
            "mqtt://a/topic",
        ] {
            assert!(bad.parse::<BrokerUrl>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_password_in_the_url_is_not_repeated() {
        let why = "mqtt://joe:s3cret@b".parse::<BrokerUrl>().expect_err("refused").to_string();
        assert!(why.contains("password-file") && !why.contains("s3cret"));
    }
}
