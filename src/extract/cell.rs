//! One value of a row, and how it is written as text.

use std::io::Write as _;
use std::net::Ipv6Addr;

use crate::decode::Address;
use crate::flow::key::Socket;
use crate::time::Timestamp;

/// One value of a row. Borrowed: nothing is allocated for it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Cell<'a> {
    /// Nothing is known, or nothing applies.
    Empty,
    /// A whole number.
    Integer(i64),
    /// A number, written so that it reads back as the same bits.
    Real(f64),
    /// As [`Cell::Real`], for the columns that a model sees.
    Single(f32),
    /// Seconds and nanoseconds, written with nine decimals.
    Nanoseconds(i64),
    /// A moment in seconds and microseconds.
    Time(Timestamp),
    /// Text, perhaps from the wire; what is not UTF-8 becomes U+FFFD.
    Text(&'a [u8]),
    /// A number in hexadecimal: `0x` and at least so many digits.
    Hex(u32, u8),
    /// Octets, two hexadecimal digits each.
    Octets(&'a [u8]),
    /// An IP address.
    Address(Address),
    /// An IP address with a port.
    Socket(Socket),
}

impl From<u64> for Cell<'_> {
    fn from(value: u64) -> Self {
        Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Cell<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u16> for Cell<'_> {
    fn from(value: u16) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u8> for Cell<'_> {
    fn from(value: u8) -> Self {
        Self::Integer(value.into())
    }
}

impl From<bool> for Cell<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl<'a, T> From<Option<T>> for Cell<'a>
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Self::from)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.as_bytes())
    }
}

impl Cell<'_> {
    /// Whether its text is a number as JSON has them. NaN and the infinities are none; no schema yields them.
    pub(super) fn is_number(&self) -> bool {
        match self {
            Self::Integer(_) | Self::Nanoseconds(_) | Self::Time(_) => true,
            Self::Real(value) => value.is_finite(),
            Self::Single(value) => value.is_finite(),
            _ => false,
        }
    }

    /// Appends its text, unquoted.
    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Empty => {}
            Self::Integer(value) => decimal(out, value),
            Self::Address(address) => write_address(out, address),
            Self::Text(text) => write_text(out, text),
            _ => self.write_rare(out),
        }
    }

    fn write_rare(&self, out: &mut Vec<u8>) {
        // Writing into memory cannot fail.
        let _ = match *self {
            Self::Empty | Self::Integer(_) | Self::Address(_) | Self::Text(_) => Ok(()),
            Self::Real(value) => write!(out, "{value}"),
            Self::Single(value) => write!(out, "{value}"),
            Self::Time(time) => write!(out, "{time}"),
            Self::Hex(value, digits) => {
                let width = usize::from(digits) + 2;
                write!(out, "{value:#0width$x}")
            }
            Self::Octets(octets) => octets.iter().try_for_each(|octet| write!(out, "{octet:02x}")),
            Self::Nanoseconds(nanos) => {
                let size = nanos.unsigned_abs();
                let sign = if nanos < 0 { "-" } else { "" };
                write!(out, "{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000)
            }
            Self::Socket(Socket { addr, port }) => {
                let is_v6 = addr.as_v4().is_none();
                out.extend_from_slice(if is_v6 { b"[" } else { b"" });
                write_address(out, addr);
                write!(out, "{}:{port}", if is_v6 { "]" } else { "" })
            }
        };
    }
}

fn decimal(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_address(out: &mut Vec<u8>, address: Address) {
    let Some(v4) = address.as_v4() else {
        // Writing into memory cannot fail.
        let _ = write!(out, "{}", Ipv6Addr::from_bits(address.0));
        return;
    };
    let [a, b, c, d] = v4.to_be_bytes();
    decimal(out, a);
    for octet in [b, c, d] {
        out.push(b'.');
        decimal(out, octet);
    }
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_cell_as_text() {
        let v4 = Address::v4([10, 0, 0, 255]);
        let v6 = Address::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        for (cell, text) in [
            (Cell::Empty, ""),
            (Cell::Integer(-7), "-7"),
            (Cell::Real(0.1 + 0.2), "0.30000000000000004"),
            (Cell::Real(2.193_450_927_734_375e-5), "0.00002193450927734375"),
            (Cell::Single(0.1), "0.1"),
            (Cell::Nanoseconds(26_297_001), "0.026297001"),
            (Cell::Nanoseconds(-1), "-0.000000001"),
            (Cell::Time(Timestamp::from_micros(5_000_007)), "5.000007"),
            (Cell::Text(b"a\xffb"), "a\u{fffd}b"),
            (Cell::Hex(0x18, 4), "0x0018"),
            (Cell::Hex(0xc2, 2), "0xc2"),
            (Cell::Octets(b"30"), "3330"),
            (Cell::Address(v4), "10.0.0.255"),
            (Cell::Address(v6), "2001:db8::1"),
            (Cell::Socket(Socket { addr: v4, port: 80 }), "10.0.0.255:80"),
            (Cell::Socket(Socket { addr: v6, port: 80 }), "[2001:db8::1]:80"),
        ] {
            let mut out = Vec::new();
            cell.write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
