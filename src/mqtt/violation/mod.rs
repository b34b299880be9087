//! What can be wrong with MQTT traffic. Facts, not errors: counted, features, evidence, events.
//!
//! [`table`] is the one source: the enum, the names of the events, `docs/violations.md` and the cases of
//! `tests/violations` all follow from it.

pub mod cve;
pub mod table;

pub use table::Violation;

use super::packet::PacketType;
use super::version::Version;
use crate::alert::Severity;

/// How sure a violation is, and what it counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Told by the packet alone: no loss or late start of the capture can make it up. Counts for the rules.
    Packet,
    /// Told by what came before on the connection; never judged where octets are missing. Counts for the rules from
    /// medium severity on.
    Session,
    /// An event, but no ground for an alert: honest software may show it too, or it comes with another that counts.
    Note,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which one.
    pub violation: Violation,
    /// Names of its events in 3.1 and 3.1.1: `mqtt311:` and the number of the statement, or of the section where the
    /// standard gives the rule without one. Empty where the version allows it.
    pub v311: &'static [&'static str],
    /// The same in version 5: `mqtt5:`.
    pub v5: &'static [&'static str],
    /// Names for the reports of flaws that this traffic exploits: `cve:`.
    pub cves: &'static [&'static str],
    /// How much it matters by itself.
    pub severity: Severity,
    /// How sure it is.
    pub scope: Scope,
    /// What it is, in a few words.
    pub what: &'static str,
}

/// The packets whose reason codes [`Violation::ReasonCode`] is about, in the order of its names.
pub const REASON_CODE_TYPES: [PacketType; 7] = [
    PacketType::PubAck,
    PacketType::PubRec,
    PacketType::PubRel,
    PacketType::PubComp,
    PacketType::UnsubAck,
    PacketType::Disconnect,
    PacketType::Auth,
];

impl Row {
    /// The names of its events in a packet of this type and version. A version that is not known is taken as 3.1.1
    /// where that forbids it.
    pub fn names(
        &self,
        version: Version,
        packet_type: Option<PacketType>,
    ) -> impl Iterator<Item = &'static str> {
        let standard = match version {
            Version::V5 => self.v5,
            Version::Unknown if self.v311.is_empty() => self.v5,
            _ => self.v311,
        };
        // The standard has one statement on reason codes per packet type, in the order of the types.
        let of_this_type = match self.violation {
            Violation::ReasonCode => {
                let place = REASON_CODE_TYPES.iter().position(|with_code| Some(*with_code) == packet_type);
                place.and_then(|at| standard.get(at..=at)).unwrap_or_default()
            }
            _ => standard,
        };
        // Two reports on the same shape: one of before version 5 was known, one of version 5.
        let cves = match self.violation {
            Violation::MalformedConnect => {
                let place = usize::from(version == Version::V5);
                self.cves.get(place..=place).unwrap_or_default()
            }
            _ => self.cves,
        };
        of_this_type.iter().chain(cves).copied()
    }

    /// Whether it is ground for an alert when it comes often.
    #[must_use]
    pub const fn counts(&self) -> bool {
        match self.scope {
            Scope::Packet => true,
            Scope::Session => !matches!(self.severity, Severity::Low),
            Scope::Note => false,
        }
    }
}

impl Violation {
    /// Its row.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        &table::ROWS[self as usize]
    }
}

/// A set of violations, such as those found in one packet.
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Violations(u128);

impl Violations {
    /// None.
    pub const NONE: Self = Self(0);

    /// Those that are ground for an alert.
    pub const COUNTED: Self = {
        let mut bits = 0;
        let mut i = 0;
        while i < table::ROWS.len() {
            if table::ROWS[i].counts() {
                bits |= 1 << i;
            }
            i += 1;
        }
        Self(bits)
    };

    /// These.
    #[must_use]
    pub const fn of(violations: &[Violation]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < violations.len() {
            bits |= 1 << violations[i] as usize;
            i += 1;
        }
        Self(bits)
    }

    /// Notes one.
    #[inline]
    pub fn add(&mut self, violation: Violation) {
        self.0 |= 1 << violation as usize;
    }

    /// Notes one if `wrong`.
    #[inline]
    pub fn add_if(&mut self, wrong: bool, violation: Violation) {
        if wrong {
            self.add(violation);
        }
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many different ones.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, violation: Violation) -> bool {
        self.0 & (1 << violation as usize) != 0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These but not those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of these that are ground for an alert.
    #[must_use]
    pub const fn counted(self) -> Self {
        Self(self.0 & Self::COUNTED.0)
    }

    /// Each of them, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Violation> {
        let mut bits = self.0;
        core::iter::from_fn(move || {
            let at = bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            table::ROWS.get(at as usize).map(|row| row.violation)
        })
    }
}

impl FromIterator<Violation> for Violations {
    fn from_iter<I: IntoIterator<Item = Violation>>(all: I) -> Self {
        let mut set = Self::NONE;
        all.into_iter().for_each(|violation| set.add(violation));
        set
    }
}

const _: () = assert!(Violation::COUNT <= 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_added() {
        let set: Violations = [Violation::Qos3, Violation::Utf8].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>().len(), 2);
        assert!(set.has(Violation::Qos3) && !set.has(Violation::DupQos0));
        assert_eq!(set.without([Violation::Utf8].into_iter().collect()).iter().next(), Some(Violation::Qos3));
        for row in &table::ROWS {
            assert_eq!(Violations::COUNTED.has(row.violation), row.counts(), "{row:?}");
        }
    }

    #[test]
    fn every_row_has_a_name_in_its_own_order() {
        for (i, row) in table::ROWS.iter().enumerate() {
            assert_eq!(row.violation as usize, i);
            assert!(!row.v311.is_empty() || !row.v5.is_empty() || !row.cves.is_empty(), "{row:?}");
            assert!(row.v311.iter().all(|name| name.starts_with("mqtt311:")), "{row:?}");
            assert!(row.v5.iter().all(|name| name.starts_with("mqtt5:")), "{row:?}");
            assert!(!row.what.is_empty() && !row.what.ends_with('.'), "{row:?}");
        }
    }
}
