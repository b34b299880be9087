//! One rule: which packets of which captures it is about.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use super::LabelId;
use super::time::Moment;
use crate::decode::Address;

/// One rule, or one episode, of a label file. What it does not say it does not ask for.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Rule {
    pub(super) label: LabelId,
    /// Which attack it is, by a name or number finer than the label.
    pub(super) attack: Option<String>,
    pub(super) files: Vec<FilePattern>,
    /// Who acts: packets to or from these.
    pub(super) sources: Vec<Net>,
    /// To whom it is done: the other ends of these packets.
    pub(super) destinations: Vec<Net>,
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
    pub(super) filter: Option<String>,
    /// Of an `[[episode]]`, the victims.
    pub(super) episode: Option<Vec<Net>>,
}

impl Rule {
    /// Whether it is about captures of this name.
    pub(super) fn is_about(&self, capture: &Path) -> bool {
        self.files.is_empty() || self.files.iter().any(|pattern| pattern.matches(capture))
    }

    /// Whether both are episodes that differ by their sources alone: one attack from several addresses.
    pub(super) fn is_same_attack(&self, other: &Self) -> bool {
        let alone = Self { sources: other.sources.clone(), ..self.clone() };
        self.episode.is_some() && alone == *other
    }

    /// Whether it asks for hosts.
    pub(super) fn names_hosts(&self) -> bool {
        !self.sources.is_empty() || !self.destinations.is_empty()
    }

    /// Whether a packet between these hosts, in either direction, is one of a source with a destination.
    pub(super) fn is_between(&self, a: Address, b: Address) -> bool {
        let holds = |nets: &[Net], host| nets.is_empty() || nets.iter().any(|net| net.contains(host));
        let way =
            |source, destination| holds(&self.sources, source) && holds(&self.destinations, destination);
        way(a, b) || way(b, a)
    }

    /// Whether this host acts, as far as the rule says who does.
    pub(super) fn is_source(&self, host: Address) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|net| net.contains(host))
    }

    /// Its sources, as they are written; empty where it names none.
    pub(super) fn source_names(&self) -> String {
        self.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Whether its packets can be told by their time alone, once their source is known.
    pub(super) fn is_by_time(&self) -> bool {
        self.destinations.is_empty() && self.filter.is_none()
    }
}

/// A host or a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Net {
    base: u128,
    mask: u128,
}

impl Net {
    pub(super) fn contains(self, host: Address) -> bool {
        host.0 & self.mask == self.base
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Address(self.base).ip();
        let width = if ip.is_ipv4() { 32 } else { 128 };
        write!(f, "{ip}")?;
        match self.mask.trailing_zeros() {
            0 => Ok(()),
            host_bits => write!(f, "/{}", u32::saturating_sub(width, host_bits)),
        }
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be an address such as 10.0.0.5, or a network such as 10.0.0.0/8".to_owned();
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let (address, width) = match ip.parse().map_err(|_| wrong())? {
            IpAddr::V4(v4) => (Address::v4(v4.octets()), 32),
            IpAddr::V6(v6) => (Address::v6(v6.octets()), 128),
        };
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| wrong()))?;
        let Some(host_bits) = u32::checked_sub(width, bits) else {
            return Err(format!("has a prefix of {bits} bits, and an address of that kind has {width}"));
        };
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Ok(Self { base: address.0 & mask, mask })
    }
}

/// The end of a capture's path, with `*` and `?` for what may stand there within one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FilePattern(Vec<String>);

impl FilePattern {
    /// A pattern; `None` when it names nothing.
    pub(super) fn new(text: &str) -> Option<Self> {
        let names: Vec<_> =
            text.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect();
        (!names.is_empty()).then_some(Self(names))
    }

    fn matches(&self, path: &Path) -> bool {
        // Without it, a file that is named from within its folder would not be known by that folder.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut names = path.components().rev();
        self.0.iter().rev().all(|pattern| {
            names.next().is_some_and(|name| wildcard(pattern, &name.as_os_str().to_string_lossy()))
        })
    }
}

/// Whether `pattern`, in which `*` stands for any characters and `?` for any one, is all of `text`.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the latest star stands, and up to where it reaches.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((place, reach)) = star else { return false };
                star = Some((place, reach + 1));
                (p, t) = (place + 1, reach + 1);
            }
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().expect(text)
    }

    fn address(text: &str) -> Address {
        match text.parse().expect(text) {
            IpAddr::V4(v4) => Address::v4(v4.octets()),
            IpAddr::V6(v6) => Address::v6(v6.octets()),
        }
    }

    #[test]
    fn networks_hold_their_hosts() {
        for (text, inside, outside) in [
            ("10.0.0.5", "10.0.0.5", "10.0.0.6"),
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("10.0.0.77/30", "10.0.0.79", "10.0.0.80"),
            ("0.0.0.0/0", "255.255.255.255", "fe80::1"),
            ("fe80::/10", "febf::1", "fec0::1"),
            ("::/0", "fe80::1", "2001::"),
            ("::ffff:10.0.0.5", "10.0.0.5", "10.0.0.6"),
        ] {
            assert!(net(text).contains(address(inside)), "{text} {inside}");
            assert_eq!(net(text).contains(address(outside)), text == "::/0", "{text} {outside}");
            assert_eq!(net(&net(text).to_string()), net(text), "{text}");
        }
        assert_eq!(net("10.0.0.77/30").to_string(), "10.0.0.76/30");
        for text in ["", "host", "10.0.0", "10.0.0.1/33", "10.0.0.1/-1", "::/129", "10.0.0.1/", "10.0.0.1/x"]
        {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_are_known_by_their_end() {
        let matches =
            |pattern: &str, path: &str| FilePattern::new(pattern).expect(pattern).matches(Path::new(path));
        for (pattern, path) in [
            ("flood.pcap", "/captures/flood.pcap"),
            ("./flood.pcap", "flood.pcap"),
            ("captures/*.pcap", "/data/captures/flood.pcap"),
            ("*/slow*-?.pcap*", "/data/slowite-1.pcapng"),
            ("a*b*c", "/x/a--b-bc"),
            ("*", "/x"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("flood.pcap", "/captures/flood.pcapng"),
            ("*.pcap", "/captures/dir.pcap/x"),
            ("captures/*.pcap", "/captures/more/flood.pcap"),
            ("a?", "/a"),
            ("a*b*c", "/x/a--bcb"),
            ("x/y/z", "/z"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        assert_eq!(FilePattern::new("./"), None);
    }

    #[test]
    fn both_directions_count() {
        let rule = Rule {
            label: LabelId::DEFAULT,
            attack: None,
            files: vec![],
            sources: vec![net("10.0.0.5")],
            destinations: vec![net("10.0.1.0/24")],
            from: None,
            to: None,
            filter: None,
            episode: None,
        };
        let (source, destination, other) = (address("10.0.0.5"), address("10.0.1.9"), address("10.0.2.9"));
        assert!(rule.is_between(source, destination) && rule.is_between(destination, source));
        assert!(!rule.is_between(source, other) && !rule.is_between(other, destination));
        assert!(rule.is_source(source) && !rule.is_source(destination) && !rule.is_by_time());
    }
}
