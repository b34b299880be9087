//! IPv4 and IPv6 headers, with IPv6 extension headers.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::extension::{self, Skipped};
use super::link::{Link, Network};
use super::{Address, Failure, Fragment, Fragmented, SkipReason};

/// Protocol number of TCP.
pub(super) const TCP: u8 = 6;
/// Protocol number of UDP.
pub(super) const UDP: u8 = 17;

/// An IP packet.
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
pub(super) fn decode<'a>(link: &Link<'a>) -> Result<Datagram<'a>, Failure<'a>> {
    match link.network {
        Network::V4 => v4(link),
        Network::V6 => v6(link),
        Network::ByVersion => match link.payload.first().map(|octet| octet >> 4) {
            Some(4) => v4(link),
            Some(6) => v6(link),
            Some(_) => Err(SkipReason::NotIp.into()),
            None => Err(SkipReason::Ip.into()),
        },
    }
}

/// The captured part of `len` octets after the header, and how many there were on the wire.
#[inline]
fn payload_of(rest: &[u8], len: u32) -> (&[u8], u32) {
    (rest.get(..len as usize).unwrap_or(rest), len)
}

/// A length of zero means that the sender left it to segmentation offload, or that it does not fit in its sixteen
/// bits (RFC 2675; "BIG TCP"): then the datagram is what the frame holds.
#[cold]
fn length_by_frame<'a>(link: &Link<'_>, rest: &'a [u8]) -> (&'a [u8], u32) {
    (rest, count(rest.len()).saturating_add(link.uncaptured))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[inline]
fn v4<'a>(link: &Link<'a>) -> Result<Datagram<'a>, Failure<'a>> {
    let data = link.payload;
    let header = Ipv4HeaderSlice::from_slice(data).map_err(|_| SkipReason::Ip)?;
    let header_len = header.slice().len();
    let total = usize::from(header.total_len());
    let rest = data.get(header_len..).unwrap_or_default();
    let (payload, wire_payload_len) = match total.checked_sub(header_len) {
        Some(len) => payload_of(rest, count(len)),
        None if total == 0 => length_by_frame(link, rest),
        None => return Err(SkipReason::Ip.into()),
    };
    let datagram = Datagram {
        src: Address::v4(header.source()),
        dst: Address::v4(header.destination()),
        protocol: header.protocol().0,
        id: header.identification(),
        wire_len: wire_payload_len.saturating_add(count(header_len)),
        wire_payload_len,
        payload,
    };
    let (offset, more) = (header.fragments_offset().value(), header.more_fragments());
    if offset != 0 || more {
        return Err(fragment(link, &datagram, u32::from(datagram.id), false, offset, more));
    }
    Ok(datagram)
}

#[inline]
fn v6<'a>(link: &Link<'a>) -> Result<Datagram<'a>, Failure<'a>> {
    let data = link.payload;
    let header = Ipv6HeaderSlice::from_slice(data).map_err(|_| SkipReason::Ip)?;
    let rest = data.get(header.slice().len()..).unwrap_or_default();
    let protocol = header.next_header().0;
    let (payload, wire_len) = match header.payload_length() {
        // With a hop-by-hop header it may be a jumbogram; with nothing behind the header it is what it says.
        0 if protocol == 0 || !rest.is_empty() => length_by_frame(link, rest),
        len => payload_of(rest, u32::from(len)),
    };
    let mut datagram = Datagram {
        src: Address::v6(header.source()),
        dst: Address::v6(header.destination()),
        protocol,
        id: 0,
        wire_len: wire_len.saturating_add(40),
        wire_payload_len: wire_len,
        payload,
    };
    if !matches!(datagram.protocol, TCP | UDP)
        && let Some((id, offset, more)) = skip_extensions(&mut datagram)?
    {
        return Err(fragment(link, &datagram, id, true, offset, more));
    }
    Ok(datagram)
}

/// Skips the extension headers of an IPv6 datagram; tells identification, offset and whether more follow when it is
/// a fragment.
pub(super) fn skip_extensions(datagram: &mut Datagram<'_>) -> Result<Option<(u32, u16, bool)>, SkipReason> {
    let Skipped { protocol, rest, fragment } = extension::skip(datagram.protocol, datagram.payload)?;
    let skipped = count(datagram.payload.len().saturating_sub(rest.len()));
    datagram.protocol = protocol;
    datagram.payload = rest;
    datagram.wire_payload_len = datagram.wire_payload_len.saturating_sub(skipped);
    Ok(fragment)
}

#[cold]
fn fragment<'a>(
    link: &Link<'_>,
    datagram: &Datagram<'a>,
    id: u32,
    is_v6: bool,
    offset: u16,
    more: bool,
) -> Failure<'a> {
    let Datagram { src, dst, protocol, payload, wire_payload_len, .. } = *datagram;
    Failure::Fragment(Fragment {
        of: Fragmented { src_mac: link.src_mac, src, dst, id, is_v6, protocol, depth: 0 },
        offset: u32::from(offset) * 8,
        more,
        payload,
        wire_payload_len,
    })
}
