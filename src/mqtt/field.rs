//! The fields packets are made of (section 1.5): integers, strings, binary data, properties.

use super::violation::{Violation, Violations};

/// Reads fields one after another from the captured part of a packet.
///
/// A packet may have been captured in part only (a long one is read by its head). Running out of captured octets
/// is then no violation: [`Fields::end`] tells which.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    /// Octets of the packet behind `rest` that were not captured.
    missing: usize,
    ran_out: bool,
}

impl<'a> Fields<'a> {
    /// Over `head`, the first octets of a packet's `remaining_length`.
    #[must_use]
    pub fn new(head: &'a [u8], remaining_length: u32) -> Self {
        let missing = usize::try_from(remaining_length).unwrap_or(usize::MAX).saturating_sub(head.len());
        Self { rest: head, missing, ran_out: false }
    }

    /// The octets not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many octets of the packet are still to come, captured or not.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len() + self.missing
    }

    /// Reads exactly `n` octets.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        match self.rest.split_at_checked(n) {
            Some((taken, rest)) => {
                self.rest = rest;
                Some(taken)
            }
            None => {
                self.ran_out = true;
                None
            }
        }
    }

    /// One octet.
    pub fn octet(&mut self) -> Option<u8> {
        self.take(1).and_then(|octets| octets.first().copied())
    }

    /// A two-octet integer (section 1.5.2).
    pub fn two_octets(&mut self) -> Option<u16> {
        self.take(2).and_then(|octets| octets.first_chunk().copied()).map(u16::from_be_bytes)
    }

    /// Binary data with a two-octet length (section 1.5.6); also a string before its text is checked.
    pub fn binary(&mut self) -> Option<&'a [u8]> {
        let len = self.two_octets()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 string (section 1.5.4), with what is wrong with it.
    pub fn string(&mut self, violations: &mut Violations) -> Option<&'a [u8]> {
        let octets = self.binary()?;
        check_string(octets, violations);
        Some(octets)
    }

    /// A variable byte integer (section 1.5.5).
    pub fn varint(&mut self) -> Option<u32> {
        match varint(self.rest) {
            Varint::Value { value, len } => {
                self.take(usize::from(len))?;
                Some(value)
            }
            Varint::Incomplete | Varint::TooLong => {
                self.ran_out = true;
                None
            }
        }
    }

    /// A four-octet integer (section 1.5.3).
    pub fn four_octets(&mut self) -> Option<u32> {
        self.take(4).and_then(|octets| octets.first_chunk().copied()).map(u32::from_be_bytes)
    }

    /// Whether all of the packet was captured.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// What is behind here cannot be placed: nothing more is read, and nothing more is anybody's fault.
    pub const fn give_up(&mut self) {
        self.rest = &[];
        self.missing = 1;
    }

    /// Notes a violation when octets are left over behind the last field.
    pub fn nothing_more(&self, violations: &mut Violations) {
        violations.add_if(!self.ran_out && self.remaining() > 0, Violation::Trailing);
    }

    /// Notes a violation when fields ran past the end of the packet, not merely past what was captured of it.
    pub fn end(&self, violations: &mut Violations) {
        if self.ran_out && self.missing == 0 {
            violations.add(Violation::Truncated);
        }
    }
}

/// Notes what is wrong with the text of a string.
pub fn check_string(octets: &[u8], violations: &mut Violations) {
    // ASCII without NUL is the common case and cheap to tell.
    if octets.iter().all(|octet| (1..0x80).contains(octet)) {
        return;
    }
    if octets.contains(&0) {
        violations.add(Violation::NulInString);
    }
    if core::str::from_utf8(octets).is_err() {
        violations.add(Violation::Utf8);
    }
}

/// Whether `len` octets are the fewest that hold the value (section 1.5.5).
#[must_use]
#[inline]
pub const fn is_minimal(value: u32, len: u8) -> bool {
    // Seven bits an octet: one octet is always minimal.
    len == 1 || value >> (7 * (len as u32 - 1)) != 0
}

/// What the first octets say as a variable byte integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Varint {
    /// A value and how many octets it took, 1 to 4. Non-minimal forms are read like any other.
    Value {
        /// The value, up to 268,435,455.
        value: u32,
        /// Octets taken.
        len: u8,
    },
    /// More octets are needed.
    Incomplete,
    /// The fourth octet still says that another follows.
    TooLong,
}

/// Reads a variable byte integer. Unlike the standard's pseudo-code, which multiplies before it checks, it
/// reads every legal four-octet value.
#[must_use]
#[inline]
pub fn varint(octets: &[u8]) -> Varint {
    let mut value = 0;
    for (i, octet) in (0u8..4).zip(octets) {
        value |= u32::from(octet & 0x7f) << (7 * i);
        if octet & 0x80 == 0 {
            return Varint::Value { value, len: i + 1 };
        }
    }
    if octets.len() >= 4 { Varint::TooLong } else { Varint::Incomplete }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_boundaries() {
        for (octets, value) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xff, 0x7f], 16_383),
            (&[0x80, 0x80, 0x01], 16_384),
            (&[0xff, 0xff, 0x7f], 2_097_151),
            (&[0x80, 0x80, 0x80, 0x01], 2_097_152),
            (&[0xff, 0xff, 0xff, 0x7f], 268_435_455),
            // Non-minimal: 5 in four octets.
            (&[0x85, 0x80, 0x80, 0x00], 5),
        ] {
            let len = u8::try_from(octets.len()).unwrap();
            assert_eq!(varint(octets), Varint::Value { value, len }, "{octets:?}");
            for end in 0..octets.len() {
                assert_eq!(varint(&octets[..end]), Varint::Incomplete);
            }
        }
        assert_eq!(varint(&[0x80; 4]), Varint::TooLong);
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x01]), Varint::TooLong);
    }

    #[test]
    fn running_out_is_a_violation_only_when_the_packet_ends() {
        let mut violations = Violations::default();
        let mut whole = Fields::new(&[0, 5, b'a'], 3);
        assert_eq!(whole.binary(), None);
        whole.end(&mut violations);
        assert!(violations.has(Violation::Truncated));

        let mut violations = Violations::default();
        let mut cut = Fields::new(&[0, 5, b'a'], 7);
        assert_eq!(cut.binary(), None);
        cut.end(&mut violations);
        assert!(violations.is_empty());
    }

    #[test]
    fn strings() {
        for (text, expected) in [
            (&b"plain"[..], None),
            ("gr\u{fc}n".as_bytes(), None),
            (b"a\0b", Some(Violation::NulInString)),
            (b"\xed\xa0\x80", Some(Violation::Utf8)),
            (b"\xff", Some(Violation::Utf8)),
        ] {
            let mut violations = Violations::default();
            check_string(text, &mut violations);
            assert_eq!(violations.len(), u32::from(expected.is_some()));
            assert!(expected.is_none_or(|v| violations.has(v)), "{text:?}");
        }
    }
}
