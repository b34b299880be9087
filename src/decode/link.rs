//! Link headers: Ethernet with VLAN tags, PPPoE and MPLS, Linux cooked, PPP, BSD loopback, raw IP.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::SkipReason;
use crate::frame::{Frame, LinkType};

/// VLAN tags looked through; QinQ has two, some access networks three.
const MAX_VLAN_TAGS: usize = 3;
/// Labels of an MPLS stack looked through.
const MAX_LABELS: usize = 8;
/// EtherType of a PPPoE session (RFC 2516, section 6).
const PPPOE_SESSION: u16 = 0x8864;
/// EtherTypes of MPLS (RFC 3032, section 5).
const MPLS: [u16; 2] = [0x8847, 0x8848];
/// EtherType of bridged Ethernet frames (RFC 1701; transparent Ethernet bridging).
const BRIDGED: u16 = 0x6558;

/// What follows the link header.
pub(super) enum Network {
    V4,
    V6,
    /// By the version nibble of the first octet.
    ByVersion,
}

/// A frame without its link header.
pub(super) struct Link<'a> {
    pub(super) src_mac: Option<[u8; 6]>,
    pub(super) network: Network,
    pub(super) payload: &'a [u8],
    /// Octets that the snaplen cut off the frame.
    pub(super) uncaptured: u32,
}

#[inline]
pub(super) fn decode<'a>(frame: &Frame<'a>) -> Result<Link<'a>, SkipReason> {
    let data = frame.data;
    let mut link = match frame.link {
        LinkType::Ethernet => ethernet(data)?,
        LinkType::LinuxSll => {
            // tcpdump.org, LINKTYPE_LINUX_SLL: packet type, hardware type, address length, address of eight
            // octets, protocol. etherparse refuses hardware types such as loopback (772) and PPP.
            let (header, payload) = data.split_first_chunk::<16>().ok_or(SkipReason::Link)?;
            let ether_type = EtherType(u16::from_be_bytes([header[14], header[15]]));
            let is_mac = header[4] == 0 && header[5] == 6;
            let mac = is_mac.then(|| [header[6], header[7], header[8], header[9], header[10], header[11]]);
            by_ether_type(mac, ether_type, payload)?
        }
        LinkType::LinuxSll2 => {
            // tcpdump.org, LINKTYPE_LINUX_SLL2: protocol, reserved, ifindex, hardware type, packet type,
            // address length, address of eight octets. etherparse has no type for it.
            let (header, payload) = data.split_first_chunk::<20>().ok_or(SkipReason::Link)?;
            let ether_type = EtherType(u16::from_be_bytes([header[0], header[1]]));
            let mac = (header[11] == 6)
                .then(|| [header[12], header[13], header[14], header[15], header[16], header[17]]);
            by_ether_type(mac, ether_type, payload)?
        }
        LinkType::RawIp => by_version(data),
        // The address family's number differs between systems; the version nibble does not.
        LinkType::Null => by_version(data.get(4..).ok_or(SkipReason::Link)?),
        LinkType::Ppp => ppp(data)?,
        LinkType::PppEther => pppoe(None, data)?,
        LinkType::CiscoHdlc => match data {
            // Address and control, then an EtherType.
            [_, _, high, low, payload @ ..] => {
                by_ether_type(None, EtherType(u16::from_be_bytes([*high, *low])), payload)?
            }
            _ => return Err(SkipReason::Link),
        },
        LinkType::Other(_) => return Err(SkipReason::LinkType),
    };
    link.uncaptured = frame.wire_len.saturating_sub(u32::try_from(data.len()).unwrap_or(u32::MAX));
    Ok(link)
}

/// Ethernet II.
#[inline]
pub(super) fn ethernet(data: &[u8]) -> Result<Link<'_>, SkipReason> {
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| SkipReason::Link)?;
    let payload = data.get(header.slice().len()..).unwrap_or_default();
    by_ether_type(Some(header.source()), header.ether_type(), payload)
}

/// An IP packet of a version that it tells itself.
pub(super) const fn by_version(payload: &[u8]) -> Link<'_> {
    Link { src_mac: None, network: Network::ByVersion, payload, uncaptured: 0 }
}

#[inline]
pub(super) fn by_ether_type(
    src_mac: Option<[u8; 6]>,
    ether_type: EtherType,
    payload: &[u8],
) -> Result<Link<'_>, SkipReason> {
    let network = match ether_type {
        ether_type::IPV4 => Network::V4,
        ether_type::IPV6 => Network::V6,
        _ => return by_rare_ether_type(src_mac, ether_type, payload),
    };
    Ok(Link { src_mac, network, payload, uncaptured: 0 })
}

/// Looks through VLAN tags, PPPoE and MPLS.
fn by_rare_ether_type(
    src_mac: Option<[u8; 6]>,
    mut ether_type: EtherType,
    mut payload: &[u8],
) -> Result<Link<'_>, SkipReason> {
    for _ in 0..=MAX_VLAN_TAGS {
        let network = match ether_type {
            ether_type::IPV4 => Network::V4,
            ether_type::IPV6 => Network::V6,
            ether_type::VLAN_TAGGED_FRAME
            | ether_type::PROVIDER_BRIDGING
            | ether_type::VLAN_DOUBLE_TAGGED_FRAME => {
                let tag = SingleVlanHeaderSlice::from_slice(payload).map_err(|_| SkipReason::Link)?;
                ether_type = tag.ether_type();
                payload = payload.get(tag.slice().len()..).unwrap_or_default();
                continue;
            }
            EtherType(PPPOE_SESSION) => return pppoe(src_mac, payload),
            EtherType(kind) if MPLS.contains(&kind) => return mpls(src_mac, payload),
            EtherType(BRIDGED) => {
                // A frame of its own, whose tags are looked through, too, but which holds no other such frame.
                let header = Ethernet2HeaderSlice::from_slice(payload).map_err(|_| SkipReason::Link)?;
                let inner = payload.get(header.slice().len()..).unwrap_or_default();
                return match header.ether_type() {
                    EtherType(BRIDGED) => Err(SkipReason::TooDeep),
                    ether_type => by_ether_type(Some(header.source()), ether_type, inner),
                };
            }
            _ => return Err(SkipReason::NotIp),
        };
        return Ok(Link { src_mac, network, payload, uncaptured: 0 });
    }
    Err(SkipReason::TooDeep)
}

/// A PPPoE session (RFC 2516, section 4): version and type, code 0, session, length, then PPP.
fn pppoe(src_mac: Option<[u8; 6]>, payload: &[u8]) -> Result<Link<'_>, SkipReason> {
    match payload {
        [0x11, 0, _, _, _, _, payload @ ..] => Ok(Link { src_mac, ..ppp(payload)? }),
        // Discovery has other codes.
        [0x11, _, _, _, _, _, ..] => Err(SkipReason::NotIp),
        _ => Err(SkipReason::Link),
    }
}

/// PPP with or without address and control (RFC 1661, section 2; RFC 1662, section 3.1). The protocol's first octet may be left out
/// where it is zero.
fn ppp(data: &[u8]) -> Result<Link<'_>, SkipReason> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let (protocol, payload) = match data {
        [low, payload @ ..] if low & 1 != 0 => (u16::from(*low), payload),
        [high, low, payload @ ..] => (u16::from_be_bytes([*high, *low]), payload),
        _ => return Err(SkipReason::Link),
    };
    let network = match protocol {
        0x0021 => Network::V4,
        0x0057 => Network::V6,
        0x0281 | 0x0283 => return mpls(None, payload),
        _ => return Err(SkipReason::NotIp),
    };
    Ok(Link { src_mac: None, network, payload, uncaptured: 0 })
}

/// A stack of MPLS labels (RFC 3032, section 2.1), of which the last is marked; what follows is IP by its version, or is not
/// looked into.
pub(super) fn mpls(src_mac: Option<[u8; 6]>, mut payload: &[u8]) -> Result<Link<'_>, SkipReason> {
    for _ in 0..MAX_LABELS {
        let (label, rest) = payload.split_first_chunk::<4>().ok_or(SkipReason::Link)?;
        payload = rest;
        if label[2] & 1 != 0 {
            return Ok(Link { src_mac, ..by_version(payload) });
        }
    }
    Err(SkipReason::TooDeep)
}
