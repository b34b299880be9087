//! The values that a configuration is made of, each only constructible valid, and how they are written.

use std::fmt;
use std::time::Duration;

/// The name of a network interface, as the kernel takes it (1 to 15 bytes, no slash, no blank).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface(String);

impl Interface {
    /// Takes a name.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Err("an interface name is empty".into());
        }
        if name.len() > 15 {
            return Err("an interface name has at most 15 bytes".into());
        }
        if !name.chars().all(|c| c.is_ascii_graphic() && c != '/') {
            return Err("an interface name has no blanks, slashes, control or non-ASCII characters".into());
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sensor's name in topics and alerts: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SensorName(String);

impl SensorName {
    /// Longest name, in bytes.
    const MAX: usize = 64;

    /// Takes a name.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(name: &str) -> Result<Self, String> {
        let fits = !name.is_empty() && name.len() <= Self::MAX && name.chars().all(Self::allows);
        if fits { Ok(Self(name.to_owned())) } else { Err("must be 1 to 64 of A-Z a-z 0-9 _ -".into()) }
    }

    /// The name for a host: its first label, other characters replaced by `-`; `picket` if nothing is left.
    #[must_use]
    pub fn from_hostname(hostname: &str) -> Self {
        let label = hostname.split('.').next().unwrap_or_default();
        let name: String =
            label.chars().take(Self::MAX).map(|c| if Self::allows(c) { c } else { '-' }).collect();
        Self(if name.is_empty() { "picket".to_owned() } else { name })
    }

    fn allows(c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_' || c == '-'
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the management broker is: `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`.
///
/// It never holds a user or a password; those have keys of their own, the password a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerUrl {
    tls: bool,
    host: String,
    port: u16,
}

impl BrokerUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not repeat it (it may hold a password).
    pub fn new(url: &str) -> Result<Self, String> {
        let (tls, rest) = match (url.strip_prefix("mqtt://"), url.strip_prefix("mqtts://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("must begin with mqtt:// or mqtts://".into()),
        };
        if rest.contains('@') {
            return Err("must not hold a user or password: use publish.user and publish.password-file".into());
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
        let (host, port) = match rest.strip_prefix('[').map(|inner| inner.split_once(']')) {
            Some(Some((host, after))) => {
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err("has no IPv6 address between its brackets".into());
                }
                (host, after)
            }
            Some(None) => return Err("has an opening bracket without a closing one".into()),
            None => rest.find(':').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "")),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(is_name) {
            return Err("has no valid host name or address".into());
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
                _ => return Err("has a port that is not in 1..=65535".into()),
            },
            _ => {
                return Err("must be mqtt://HOST:PORT or mqtts://HOST:PORT and nothing after it".into());
            }
        };
        Ok(Self { tls, host: host.to_owned(), port })
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Host name or address; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 1883 or 8883 when none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
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

/// Reads a size: `8MiB`, `512KiB`, `1GiB`, `4096B`, or bare digits for bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let digits = digits.trim_end();
    if digits.starts_with('+') {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Writes a size with the largest unit that divides it.
pub(super) fn write_bytes(size: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if size > 0 && size.trailing_zeros() >= shift {
            return format!("{}{unit}", size >> shift);
        }
    }
    format!("{size}B")
}

/// Writes a duration as `humantime` reads it, but in seconds alone where that is exact.
pub(super) fn write_duration(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        humantime::format_duration(duration).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_kernel_names() {
        for good in ["lo", "br-lan", "eth0.10", "any", "abcdefghijklmno"] {
            assert_eq!(Interface::new(good).expect("valid").as_str(), good);
        }
        for bad in ["", "abcdefghijklmnop", "a b", "a/b", "a\0b", "ä"] {
            assert!(Interface::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_hostname_becomes_a_name() {
        for (host, name) in
            [("gw-1.example.org", "gw-1"), ("büro", "b-ro"), ("", "picket"), ("a+/#b", "a---b")]
        {
            assert_eq!(SensorName::from_hostname(host).as_str(), name);
        }
        assert_eq!(SensorName::from_hostname(&"x".repeat(200)).as_str().len(), 64);
        assert!(SensorName::new("a/b").is_err() && SensorName::new("").is_err());
    }

    #[test]
    fn broker_urls() {
        for (url, tls, host, port) in [
            ("mqtt://127.0.0.1", false, "127.0.0.1", 1883),
            ("mqtt://broker.lan:1884/", false, "broker.lan", 1884),
            ("mqtts://b", true, "b", 8883),
            ("mqtts://[::1]:9", true, "::1", 9),
            ("mqtt://[fe80::1]", false, "fe80::1", 1883),
        ] {
            let parsed = BrokerUrl::new(url).expect(url);
            assert_eq!((parsed.is_tls(), parsed.host(), parsed.port()), (tls, host, port));
            assert_eq!(BrokerUrl::new(&parsed.to_string()).expect("round trip"), parsed);
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
        ] {
            assert!(BrokerUrl::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_password_in_the_url_is_not_repeated() {
        let why = BrokerUrl::new("mqtt://joe:s3cret@b").expect_err("refused");
        assert!(why.contains("password-file") && !why.contains("s3cret"));
    }

    #[test]
    fn sizes() {
        for (text, size) in
            [("0", 0), ("17B", 17), ("64KiB", 65536), ("8MiB", 8 << 20), ("1 GiB", 1 << 30), ("4096", 4096)]
        {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for bad in ["", "MiB", "-1", "+1", "8MB", "8mib", "1.5MiB", "99999999999999999999", "17179869184GiB"]
        {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        for size in [0, 1, 1023, 1024, 8 << 20, 3 << 30, (8 << 20) + 1] {
            assert_eq!(bytes(&write_bytes(size)), Some(size));
        }
    }
}
