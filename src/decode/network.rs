//! IPv4 and IPv6 headers, with IPv6 extension headers.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::extension;
use super::link::{Link, Network};
use super::{Address, SkipReason};

/// Protocol number of TCP.
pub(super) const TCP: u8 = 6;
/// Protocol number of UDP.
pub(super) const UDP: u8 = 17;

/// An IP packet, or the first fragment of one.
pub(super) struct Datagram<'a> {
    pub(super) src: Address,
    pub(super) dst: Address,
    pub(super) protocol: u8,
    /// Identification of an IPv4 packet.
    pub(super) id: u16,
    /// Length of the whole IP packet on the wire.
    pub(super) wire_len: u32,
    /// Length of `payload` on the wire; more than was captured when the snaplen cut it.
    pub(super) wire_payload_len: u32,
    pub(super) payload: &'a [u8],
}

#[inline]
pub(super) fn decode<'a>(link: &Link<'a>) -> Result<Datagram<'a>, SkipReason> {
    match link.network {
        Network::V4 => v4(link.payload),
        Network::V6 => v6(link.payload),
        Network::ByVersion => match link.payload.first().map(|octet| octet >> 4) {
            Some(4) => v4(link.payload),
            Some(6) => v6(link.payload),
            Some(_) => Err(SkipReason::NotIp),
            None => Err(SkipReason::Ip),
        },
    }
}

/// The captured part of `len` octets after the header, and how many there were on the wire.
/// A length of zero means that the sender left it to segmentation offload: then it is what was captured.
#[inline]
fn payload_of(rest: &[u8], len: usize) -> (&[u8], u32) {
    let len = if len == 0 { rest.len() } else { len };
    let payload = rest.get(..len).unwrap_or(rest);
    (payload, u32::try_from(len).unwrap_or(u32::MAX))
}

#[inline]
fn v4(data: &[u8]) -> Result<Datagram<'_>, SkipReason> {
    let header = Ipv4HeaderSlice::from_slice(data).map_err(|_| SkipReason::Ip)?;
    if header.fragments_offset().value() != 0 {
        return Err(SkipReason::Fragment);
    }
    let header_len = header.slice().len();
    let total = usize::from(header.total_len());
    if total != 0 && total < header_len {
        return Err(SkipReason::Ip);
    }
    let (payload, wire_payload_len) =
        payload_of(data.get(header_len..).unwrap_or_default(), total.saturating_sub(header_len));
    // A total length that equals the header's means no payload, not offload.
    let (payload, wire_payload_len) =
        if total == header_len { (&[][..], 0) } else { (payload, wire_payload_len) };
    Ok(Datagram {
        src: Address::v4(header.source()),
        dst: Address::v4(header.destination()),
        protocol: header.protocol().0,
        id: header.identification(),
        wire_len: wire_payload_len.saturating_add(u32::try_from(header_len).unwrap_or(0)),
        wire_payload_len,
        payload,
    })
}

#[inline]
fn v6(data: &[u8]) -> Result<Datagram<'_>, SkipReason> {
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|_| SkipReason::Ip)?;
    let rest = data.get(header.slice().len()..).unwrap_or_default();
    let (payload, wire_len) = payload_of(rest, usize::from(header.payload_length()));
    let mut datagram = Datagram {
        src: Address::v6(header.source()),
        dst: Address::v6(header.destination()),
        protocol: header.next_header().0,
        id: 0,
        wire_len: wire_len.saturating_add(40),
        wire_payload_len: wire_len,
        payload,
    };
    if !matches!(datagram.protocol, TCP | UDP) {
        let (protocol, after) = extension::skip(datagram.protocol, payload)?;
        let skipped = payload.len().saturating_sub(after.len());
        datagram.protocol = protocol;
        datagram.payload = after;
        datagram.wire_payload_len = wire_len.saturating_sub(u32::try_from(skipped).unwrap_or(0));
    }
    Ok(datagram)
}
