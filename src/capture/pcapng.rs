//! pcapng: blocks of type, length, body and length again (draft-ietf-opsawg-pcapng).
//!
//! The second length is a check: where the two differ, or a length cannot be, the next block is searched for,
//! one of a known type with both lengths alike.

use std::io;

use super::buffer::{Buffer, CAPACITY, Fill, MAX_FRAME};
use super::record::{Found, Losses, Order, Search, Step, short, size};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// The type of a section header block: the same in either octet order.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
/// The type of the section header as a number, in either octet order.
const SECTION: u32 = 0x0a0d_0d0a;

/// `shb_byte_order_magic`
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Octets of the smallest block: type and two lengths.
const LEAST: usize = 12;

/// The longest block that is passed over, libpcap's limit; a longer one is damage.
const LONGEST: u32 = 16 << 20;

/// Interfaces of a section that are remembered.
const MAX_INTERFACES: usize = 1024;

/// How units of time become microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scale {
    Times(u64),
    Over(u64),
    /// Units of a negative power of two of a second.
    Shift(u32),
    /// Units too small for any time but zero.
    Zero,
}

impl Scale {
    /// By the octet of `if_tsresol` (section 4.2): a negative power of 10, or of 2 when the highest bit is set.
    fn of(resolution: u8) -> Self {
        let power = u32::from(resolution & 0x7f);
        match (resolution & 0x80 == 0, power) {
            (false, _) => Self::Shift(power),
            (true, ..=6) => Self::Times(10_u64.pow(6 - power)),
            (true, _) => 10_u64.checked_pow(power - 6).map_or(Self::Zero, Self::Over),
        }
    }

    #[inline]
    fn micros(self, units: u64) -> u64 {
        match self {
            Self::Times(factor) => units.saturating_mul(factor),
            Self::Over(divisor) => units / divisor,
            Self::Shift(power) => {
                let micros = u128::from(units) * 1_000_000;
                u64::try_from(micros.checked_shr(power).unwrap_or(0)).unwrap_or(u64::MAX)
            }
            Self::Zero => 0,
        }
    }

    /// The nanoseconds that [`Self::micros`] leaves over.
    #[inline]
    fn nanos(self, units: u64) -> u16 {
        let nanos = match self {
            Self::Times(_) | Self::Zero => return 0,
            Self::Over(divisor) => u128::from(units % divisor) * 1000 / u128::from(divisor),
            Self::Shift(power) => {
                let nanos = u128::from(units) * 1_000_000_000;
                nanos.checked_shr(power).unwrap_or(0) % 1000
            }
        };
        u16::try_from(nanos).unwrap_or(0)
    }
}

/// What an interface description block says, and the latest statistics of that interface.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    number: u16,
    snaplen: u32,
    scale: Scale,
    /// Seconds to be added, `if_tsoffset`.
    offset: i64,
    dropped: u64,
}

/// A pcapng file being read.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// The time of the last packet that had one: simple packets have none.
    last: Timestamp,
    search: Option<Search>,
}

impl Pcapng {
    /// Looks at the first section header, of which the buffer has 16 octets; it is read with the other blocks.
    pub(super) fn open(buffer: &Buffer) -> Result<Self, String> {
        let header = buffer.rest().first_chunk::<16>().copied().unwrap_or_default();
        let [_, _, _, _, _, _, _, _, b0, b1, b2, b3, m0, m1, n0, n1] = header;
        let Some(order) = byte_order([b0, b1, b2, b3]) else {
            return Err("its section header has no octet order".to_owned());
        };
        let (major, minor) = (order.u16([m0, m1]), order.u16([n0, n1]));
        if major != 1 {
            return Err(format!("version {major}.{minor} of pcapng is unknown"));
        }
        Ok(Self { order, interfaces: Vec::new(), last: Timestamp::ZERO, search: None })
    }

    pub(super) fn step(&mut self, buffer: &mut Buffer, losses: &mut Losses) -> io::Result<Step> {
        loop {
            if self.search.is_some() {
                return self.search(buffer, losses);
            }
            match buffer.need(LEAST) {
                Fill::Enough => {}
                fill => return short(buffer, fill),
            }
            let [t0, t1, t2, t3, l0, l1, l2, l3, b0, b1, b2, b3] =
                buffer.rest().first_chunk::<LEAST>().copied().unwrap_or_default();
            if [t0, t1, t2, t3] == SECTION_HEADER {
                match byte_order([b0, b1, b2, b3]) {
                    Some(order) => self.order = order,
                    None => {
                        self.damaged(buffer, losses);
                        continue;
                    }
                }
            }
            let kind = self.order.u32([t0, t1, t2, t3]);
            let length = self.order.u32([l0, l1, l2, l3]);
            let whole = size(length);
            if whole > CAPACITY && length <= LONGEST && length.is_multiple_of(4) {
                if matches!(kind, PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
                    losses.oversize += 1;
                }
                buffer.skip(length.into());
                continue;
            }
            if !(LEAST..=CAPACITY).contains(&whole) {
                self.damaged(buffer, losses);
                continue;
            }
            match buffer.need(whole) {
                Fill::Enough => {}
                fill => return short(buffer, fill),
            }
            let block = buffer.rest().get(..whole).unwrap_or_default();
            if block.last_chunk() != Some(&[l0, l1, l2, l3]) {
                self.damaged(buffer, losses);
                continue;
            }
            let body = block.get(8..whole - 4).unwrap_or_default();
            let packet = match kind {
                ENHANCED_PACKET => self.enhanced(body),
                SIMPLE_PACKET => self.simple(body),
                PACKET => self.obsolete(body),
                SECTION => {
                    self.interfaces.clear();
                    buffer.consume(whole);
                    continue;
                }
                INTERFACE_DESCRIPTION => {
                    self.describe(body);
                    buffer.consume(whole);
                    continue;
                }
                INTERFACE_STATISTICS => {
                    self.count_dropped(body, losses);
                    buffer.consume(whole);
                    continue;
                }
                _ => {
                    buffer.consume(whole);
                    continue;
                }
            };
            let Some(packet) = packet else {
                losses.invalid += 1;
                buffer.consume(whole);
                continue;
            };
            if packet.len > MAX_FRAME {
                losses.oversize += 1;
                buffer.consume(whole);
                continue;
            }
            self.last = packet.ts;
            let place = buffer.consume(whole) + packet.place;
            return Ok(Step::Frame(Found { place, ..packet }));
        }
    }

    /// Enhanced Packet Block, section 4.3: interface, time in two halves, captured, wire, data. `None` when its interface
    /// or lengths cannot be.
    #[inline]
    fn enhanced(&self, body: &[u8]) -> Option<Found> {
        let (head, data) = body.split_first_chunk::<20>()?;
        let [i0, i1, i2, i3, rest @ ..] = *head;
        self.packet(self.order.u32([i0, i1, i2, i3]), rest, data)
    }

    /// The obsolete Packet Block, appendix A: the interface in 16 bits, then a counter of drops.
    #[cold]
    fn obsolete(&self, body: &[u8]) -> Option<Found> {
        let (head, data) = body.split_first_chunk::<20>()?;
        let [i0, i1, _, _, rest @ ..] = *head;
        self.packet(self.order.u16([i0, i1]).into(), rest, data)
    }

    #[inline]
    fn packet(&self, interface: u32, fields: [u8; 16], data: &[u8]) -> Option<Found> {
        let [h0, h1, h2, h3, l0, l1, l2, l3, k0, k1, k2, k3, w0, w1, w2, w3] = fields;
        let [high, low, kept, wire] =
            [[h0, h1, h2, h3], [l0, l1, l2, l3], [k0, k1, k2, k3], [w0, w1, w2, w3]]
                .map(|field| self.order.u32(field));
        let interface = self.interfaces.get(size(interface))?;
        let units = u64::from(high) << 32 | u64::from(low);
        let micros = interface.scale.micros(units);
        let len = size(kept);
        (len <= data.len()).then_some(Found {
            ts: Timestamp::from_micros(later(micros, interface.offset)),
            nanos: interface.scale.nanos(units),
            link: interface.link,
            number: interface.number,
            wire_len: wire.max(kept),
            place: 28,
            len,
        })
    }

    /// Simple Packet Block, section 4.4: the length on the wire and data of the first interface.
    #[cold]
    fn simple(&self, body: &[u8]) -> Option<Found> {
        let (wire, data) = body.split_first_chunk()?;
        let wire = self.order.u32(*wire);
        let interface = self.interfaces.first()?;
        let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
        Some(Found {
            ts: self.last,
            nanos: 0,
            link: interface.link,
            number: interface.number,
            wire_len: wire,
            place: 12,
            len: size(wire.min(snaplen)).min(data.len()),
        })
    }

    /// Interface Description Block, section 4.2. One that cannot be is remembered all the same, since packets tell
    /// their interface by its position.
    #[cold]
    fn describe(&mut self, body: &[u8]) {
        if self.interfaces.len() == MAX_INTERFACES {
            return;
        }
        let (head, options) = body.split_first_chunk::<8>().unwrap_or((&[0xff; 8], &[]));
        let [n0, n1, _, _, s0, s1, s2, s3] = *head;
        let number = self.order.u16([n0, n1]);
        let mut interface = Interface {
            link: LinkType::from_number(number.into()),
            number,
            snaplen: self.order.u32([s0, s1, s2, s3]),
            scale: Scale::of(6),
            offset: 0,
            dropped: 0,
        };
        for (code, value) in options_of(self.order, options) {
            match (code, value) {
                (9, [resolution, ..]) => interface.scale = Scale::of(*resolution),
                (14, _) => interface.offset = self.number(value).unwrap_or(0).cast_signed(),
                _ => {}
            }
        }
        self.interfaces.push(interface);
    }

    /// Interface Statistics Block, section 4.6: lost by the interface (5) and by the system (7), since the start.
    #[cold]
    fn count_dropped(&mut self, body: &[u8], losses: &mut Losses) {
        let Some((head, options)) = body.split_first_chunk::<12>() else { return };
        let [i0, i1, i2, i3, ..] = *head;
        let lost: u64 = options_of(self.order, options)
            .filter(|(code, _)| matches!(code, 5 | 7))
            .filter_map(|(_, value)| self.number(value))
            .fold(0, u64::saturating_add);
        let order = self.order;
        if let Some(interface) = self.interfaces.get_mut(size(order.u32([i0, i1, i2, i3]))) {
            losses.dropped = losses.dropped.saturating_add(lost.saturating_sub(interface.dropped));
            interface.dropped = interface.dropped.max(lost);
        }
    }

    /// The value of an option of 64 bits.
    fn number(&self, value: &[u8]) -> Option<u64> {
        let octets: [u8; 8] = value.try_into().ok()?;
        Some(if self.order == Order::Little {
            u64::from_le_bytes(octets)
        } else {
            u64::from_be_bytes(octets)
        })
    }

    #[cold]
    fn damaged(&mut self, buffer: &mut Buffer, losses: &mut Losses) {
        losses.damages += 1;
        self.search = Some(Search { from: buffer.offset() });
        // Else it would be found again.
        buffer.consume(1);
    }

    #[cold]
    fn search(&mut self, buffer: &mut Buffer, losses: &mut Losses) -> io::Result<Step> {
        let Some(search) = self.search else { return Ok(Step::Wait) };
        let order = self.order;
        let found = search.go_on(buffer, LEAST, losses, |buffer| {
            let Some(length) = credible(order, buffer.rest()) else { return Some(false) };
            match buffer.need(length) {
                Fill::Wait => None,
                Fill::End => Some(false),
                Fill::Enough => {
                    let block = buffer.rest().get(..length).unwrap_or_default();
                    Some(block.last_chunk::<4>() == block.get(4..8).and_then(<[u8]>::first_chunk))
                }
            }
        })?;
        match found {
            None => Ok(Step::Wait),
            Some(step) => {
                self.search = None;
                Ok(step)
            }
        }
    }
}

/// The octet order that a section header tells.
fn byte_order(octets: [u8; 4]) -> Option<Order> {
    [Order::Little, Order::Big].into_iter().find(|order| order.u32(octets) == BYTE_ORDER)
}

/// The length of the block that begins here, if it may be one.
fn credible(order: Order, octets: &[u8]) -> Option<usize> {
    let [t0, t1, t2, t3, l0, l1, l2, l3, b0, b1, b2, b3] = *octets.first_chunk::<LEAST>()?;
    let order = if [t0, t1, t2, t3] == SECTION_HEADER { byte_order([b0, b1, b2, b3])? } else { order };
    let known = matches!(order.u32([t0, t1, t2, t3]), 1..=6 | SECTION);
    let length = size(order.u32([l0, l1, l2, l3]));
    (known && length.is_multiple_of(4) && (16..=CAPACITY).contains(&length)).then_some(length)
}

/// Options: code, length, value, padding to four octets (section 3.5). A length beyond the block ends them.
fn options_of(order: Order, mut octets: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let ([c0, c1, l0, l1], rest) = octets.split_first_chunk()?;
        let (code, length) = (order.u16([*c0, *c1]), usize::from(order.u16([*l0, *l1])));
        let value = rest.get(..length)?;
        octets = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        // opt_endofopt
        (code != 0).then_some((code, value))
    })
}

/// Microseconds moved by seconds.
#[inline]
fn later(micros: u64, seconds: i64) -> u64 {
    if seconds == 0 { micros } else { micros.saturating_add_signed(seconds.saturating_mul(1_000_000)) }
}

#[cfg(test)]
#[path = "pcapng_tests.rs"]
mod tests;
