//! Link headers: Ethernet with VLAN tags, Linux cooked, BSD loopback, raw IP.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice, ether_type};

use super::SkipReason;
use crate::frame::{Frame, LinkType};

/// VLAN tags looked through; QinQ has two, some access networks three.
const MAX_VLAN_TAGS: usize = 3;

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
}

#[inline]
pub(super) fn decode<'a>(frame: &Frame<'a>) -> Result<Link<'a>, SkipReason> {
    let data = frame.data;
    match frame.link {
        LinkType::Ethernet => {
            let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| SkipReason::Link)?;
            let payload = data.get(header.slice().len()..).unwrap_or_default();
            by_ether_type(Some(header.source()), header.ether_type(), payload)
        }
        LinkType::LinuxSll => {
            // tcpdump.org, LINKTYPE_LINUX_SLL: packet type, hardware type, address length, address of eight
            // octets, protocol. etherparse refuses hardware types such as loopback (772) and PPP.
            let (header, payload) = data.split_first_chunk::<16>().ok_or(SkipReason::Link)?;
            let ether_type = EtherType(u16::from_be_bytes([header[14], header[15]]));
            let is_mac = header[4] == 0 && header[5] == 6;
            let mac = is_mac.then(|| [header[6], header[7], header[8], header[9], header[10], header[11]]);
            by_ether_type(mac, ether_type, payload)
        }
        LinkType::LinuxSll2 => {
            // tcpdump.org, LINKTYPE_LINUX_SLL2: protocol, reserved, ifindex, hardware type, packet type,
            // address length, address of eight octets. etherparse has no type for it.
            let (header, payload) = data.split_first_chunk::<20>().ok_or(SkipReason::Link)?;
            let ether_type = EtherType(u16::from_be_bytes([header[0], header[1]]));
            let mac = (header[11] == 6)
                .then(|| [header[12], header[13], header[14], header[15], header[16], header[17]]);
            by_ether_type(mac, ether_type, payload)
        }
        LinkType::RawIp => Ok(Link { src_mac: None, network: Network::ByVersion, payload: data }),
        LinkType::Null => {
            // The address family's number differs between systems; the version nibble does not.
            let payload = data.get(4..).ok_or(SkipReason::Link)?;
            Ok(Link { src_mac: None, network: Network::ByVersion, payload })
        }
        LinkType::Other(_) => Err(SkipReason::LinkType),
    }
}

#[inline]
fn by_ether_type(
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
            _ => return Err(SkipReason::NotIp),
        };
        return Ok(Link { src_mac, network, payload });
    }
    Err(SkipReason::NotIp)
}
