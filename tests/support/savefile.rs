//! Writes capture files of every kind.

use picket::frame::LinkType;

/// Octet order of the writing machine.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}

/// Seconds and microseconds in the magic number of a pcap file.
pub const MICRO: u32 = 0xa1b2_c3d4;
/// Seconds and nanoseconds.
pub const NANO: u32 = 0xa1b2_3c4d;
/// Microseconds and longer record headers.
pub const MODIFIED: u32 = 0xa1b2_cd34;

/// A frame to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    pub micros: u64,
    pub link: u16,
    pub wire_len: u32,
    pub data: Vec<u8>,
}

impl Packet {
    pub fn link_type(&self) -> LinkType {
        LinkType::from_number(self.link.into())
    }

    fn lengths(&self) -> [u32; 2] {
        [self.data.len() as u32, self.wire_len]
    }
}

/// The file header of a pcap file.
pub fn pcap_header(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let numbers = [0, 0, 262_144, link].map(|number| order.u32(number)).concat();
    [&order.u32(magic)[..], &order.u16(2), &order.u16(4), &numbers].concat()
}

/// A record of a pcap file; below microseconds as much as the precision allows.
pub fn pcap_packet(order: Order, magic: u32, packet: &Packet) -> Vec<u8> {
    let (secs, micros) = ((packet.micros / 1_000_000) as u32, (packet.micros % 1_000_000) as u32);
    let fraction = if magic == NANO { micros * 1000 + 999 } else { micros };
    let [kept, wire] = packet.lengths();
    let mut out = [secs, fraction, kept, wire].map(|number| order.u32(number)).concat();
    if magic == MODIFIED {
        out.extend([2, 0, 0, 0, 8, 0, 4, 0]);
    }
    out.extend(&packet.data);
    out
}

/// A pcapng block.
pub fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = order.u32((padded + 12) as u32);
    [&order.u32(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat()
}

/// A section header block.
pub fn section(order: Order) -> Vec<u8> {
    let body = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

/// An interface description block with an `if_tsresol`.
pub fn interface(order: Order, link: u16, resolution: u8) -> Vec<u8> {
    let head = [&order.u16(link)[..], &[0, 0], &order.u32(262_144)].concat();
    let options = [&order.u16(9)[..], &order.u16(1), &[resolution, 0, 0, 0], &order.u32(0)].concat();
    block(order, 1, &[head, options].concat())
}

/// Microseconds in units of an `if_tsresol`, and a bit more where there is room below.
pub fn units(micros: u64, resolution: u8) -> u64 {
    match resolution {
        0..=6 => micros / 10_u64.pow(6 - u32::from(resolution)),
        7..0x80 => {
            let factor = 10_u64.pow(u32::from(resolution) - 6);
            micros * factor + (factor - 1)
        }
        // Rounded up, so that it comes back the same.
        _ => ((u128::from(micros) << (resolution & 0x7f)).div_ceil(1_000_000)) as u64,
    }
}

/// An enhanced packet block, or the obsolete one of type 2, with a comment.
pub fn pcapng_packet(
    order: Order,
    obsolete: bool,
    interface: u16,
    resolution: u8,
    packet: &Packet,
) -> Vec<u8> {
    let units = units(packet.micros, resolution);
    let [kept, wire] = packet.lengths();
    let mut body = if obsolete {
        [order.u16(interface), [0xff; 2]].concat()
    } else {
        order.u32(interface.into()).to_vec()
    };
    body.extend([(units >> 32) as u32, units as u32, kept, wire].map(|number| order.u32(number)).concat());
    body.extend(&packet.data);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend([&order.u16(1)[..], &order.u16(4), b"note", &order.u32(0)].concat());
    block(order, if obsolete { 2 } else { 6 }, &body)
}
