//! Topic names and topic filters (section 4.7), shared subscriptions (section 4.8.2).

use super::field::check_string;
use super::version::Version;
use super::violation::{Violation, Violations};

/// Brokers of old recursed once a level and fell over (CVE-2019-11779).
const MAX_LEVELS: usize = 200;

/// What a filter asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// It has wildcards.
    pub wildcard: bool,
    /// It is a shared subscription.
    pub shared: bool,
    /// It reads everything, or the broker's own figures.
    pub reads_all: bool,
}

/// Notes what is wrong with the topic name of a PUBLISH or of a will. An empty one is judged by the caller.
#[inline]
pub fn check_name(topic: &[u8], not_utf8: Violation, violations: &mut Violations) {
    // One pass without branches over what is nearly always short and clean.
    let (mut odd, mut slashes) = (false, 0usize);
    for octet in topic {
        odd |= !matches!(octet, 1..0x80) | matches!(octet, b'#' | b'+');
        slashes += usize::from(*octet == b'/');
    }
    if odd {
        check_odd_name(topic, not_utf8, violations);
    }
    violations.add_if(slashes >= MAX_LEVELS, Violation::TopicLevels);
}

#[cold]
fn check_odd_name(topic: &[u8], not_utf8: Violation, violations: &mut Violations) {
    check_string(topic, violations);
    violations.add_if(core::str::from_utf8(topic).is_err(), not_utf8);
    violations.add_if(topic.contains(&0), Violation::NulInTopic);
    violations.add_if(topic.iter().any(|octet| matches!(octet, b'#' | b'+')), Violation::WildcardTopic);
}

/// Whether a name begins with `$` and no broker is known to offer that tree: `$SYS` and `$CONTROL` are brokers' own, the
/// others belong to clouds and to bridges.
#[must_use]
pub fn is_foreign_dollar(topic: &[u8]) -> bool {
    const KNOWN: [&[u8]; 12] = [
        b"$SYS",
        b"$aws",
        b"$iothub",
        b"$dps",
        b"$share",
        b"$sys",
        b"$oc",
        b"$edge",
        b"$events",
        b"$delayed",
        b"$queue",
        b"$sparkplug",
    ];
    let first = topic.split(|octet| *octet == b'/').next().unwrap_or_default();
    topic.first() == Some(&b'$') && !KNOWN.contains(&first)
}

/// Looks at one topic filter and notes what is wrong with it.
pub fn check_filter(filter: &[u8], version: Version, violations: &mut Violations) -> Shape {
    check_string(filter, violations);
    violations.add_if(filter.contains(&0), Violation::NulInTopic);
    violations.add_if(filter.is_empty(), Violation::EmptyTopic);
    let mut shape = Shape::default();
    let filter = if filter.starts_with(b"$share/") || filter == b"$share" {
        shape.shared = true;
        check_share(filter, version, violations)
    } else {
        filter
    };
    let mut levels = filter.split(|octet| *octet == b'/').peekable();
    let mut count = 0;
    while let Some(level) = levels.next() {
        count += 1;
        let (hash, plus) = (level.contains(&b'#'), level.contains(&b'+'));
        let misplaced_hash = hash && (level.len() > 1 || levels.peek().is_some());
        violations.add_if(misplaced_hash, Violation::MisplacedHash);
        violations.add_if(plus && level.len() > 1, Violation::MisplacedPlus);
        shape.wildcard |= hash || plus;
    }
    violations.add_if(count > MAX_LEVELS, Violation::TopicLevels);
    shape.reads_all = filter == b"#" || filter == b"+/#" || filter.starts_with(b"$SYS/");
    shape
}

/// Checks `$share/NAME/FILTER` and gives the filter in it. Before version 5 the name is a convention of some brokers.
fn check_share<'a>(filter: &'a [u8], version: Version, violations: &mut Violations) -> &'a [u8] {
    let mut parts = filter.splitn(3, |octet| *octet == b'/').skip(1);
    let name = parts.next().unwrap_or_default();
    let inner = parts.next().unwrap_or_default();
    if version == Version::V5 {
        violations.add_if(name.is_empty(), Violation::ShareNameMissing);
        let wildcard = name.iter().any(|octet| matches!(octet, b'#' | b'+'));
        violations.add_if(!name.is_empty() && (wildcard || inner.is_empty()), Violation::ShareNameWrong);
    }
    inner
}

/// Whether a topic is of a shape that no honest publisher uses although the standard allows it: levels that are
/// empty throughout, path climbing, or the broker's own `$SYS` tree.
#[must_use]
pub fn is_odd_name(topic: &[u8]) -> bool {
    topic.starts_with(b"$SYS")
        || topic == b"$"
        || topic.windows(3).any(|w| w == b"///" || w == b"../")
        || (!topic.is_empty() && topic.iter().all(|octet| *octet == b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(topic: &[u8]) -> Violations {
        let mut violations = Violations::NONE;
        check_name(topic, Violation::TopicUtf8, &mut violations);
        violations
    }

    #[test]
    fn names() {
        for (topic, expected) in [
            (&b"a/b c/\xc3\xa4"[..], &[][..]),
            (b"a/#", &[Violation::WildcardTopic]),
            (b"a/+/b", &[Violation::WildcardTopic]),
            (b"a\0", &[Violation::NulInString, Violation::NulInTopic]),
            (b"\xff", &[Violation::Utf8, Violation::TopicUtf8]),
            (&[b'/'; 200], &[Violation::TopicLevels]),
            (&[b'/'; 199], &[]),
        ] {
            assert_eq!(name(topic), expected.iter().copied().collect(), "{topic:?}");
        }
        assert!(is_foreign_dollar(b"$x/y") && is_foreign_dollar(b"$CONTROL/dynamic-security/v1"));
        assert!(!is_foreign_dollar(b"$aws/things/x") && !is_foreign_dollar(b"a/$b"));
    }

    #[test]
    fn filters() {
        for (filter, expected) in [
            (&b"a/+/#"[..], &[][..]),
            (b"a#", &[Violation::MisplacedHash]),
            (b"#/a", &[Violation::MisplacedHash]),
            (b"a+/b", &[Violation::MisplacedPlus]),
            (b"", &[Violation::EmptyTopic]),
            (b"$share/g/a/#", &[]),
            (b"$share//a", &[Violation::ShareNameMissing]),
            (b"$share/g+/a", &[Violation::ShareNameWrong]),
            (b"$share/g", &[Violation::ShareNameWrong]),
            (&[b'/'; 200], &[Violation::TopicLevels]),
            (&[b'/'; 199], &[]),
        ] {
            let mut violations = Violations::NONE;
            check_filter(filter, Version::V5, &mut violations);
            assert_eq!(violations, expected.iter().copied().collect(), "{filter:?}");
        }
        let mut violations = Violations::NONE;
        let shape = check_filter(b"$share/g/#", Version::V311, &mut violations);
        assert!(shape.shared && shape.wildcard && shape.reads_all && violations.is_empty());
    }

    #[test]
    fn odd_shapes() {
        for topic in [&b"$SYS/broker/uptime"[..], b"$", b"///////", b"/../../../../", b"a///b", b"/"] {
            assert!(is_odd_name(topic), "{topic:?}");
        }
        for topic in [&b"a/b"[..], b"/home/temp", b"a//b", b"$aws/things/x/shadow/update", b"a/b.c/d"] {
            assert!(!is_odd_name(topic), "{topic:?}");
        }
    }
}
