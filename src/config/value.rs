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
    use crate::publish::topics::SensorName;

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
        assert!("a/b".parse::<SensorName>().is_err() && "".parse::<SensorName>().is_err());
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
