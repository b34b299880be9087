//! The headers of an IPv4 packet that the published extractors look at: the outermost one of a frame.

use crate::decode::{Address, network_layer};
use crate::frame::Frame;

/// Protocol number of TCP.
pub(super) const TCP: u8 = 6;
/// Protocol number of UDP.
pub(super) const UDP: u8 = 17;

/// An IPv4 header, and what is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ipv4<'a> {
    pub(super) src: Address,
    pub(super) dst: Address,
    pub(super) header_len: u32,
    /// Total length. Where the sender left it to its interface (0), what the frame holds.
    pub(super) total_len: u32,
    pub(super) ttl: u8,
    /// The three bits: reserved, do not fragment, more fragments.
    pub(super) flags: u8,
    pub(super) fragment_offset: u16,
    pub(super) protocol: u8,
    payload: &'a [u8],
}

/// The part of a TCP header that is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tcp {
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) header_len: u32,
    /// The twelve bits: three reserved ones, NS (AE), CWR to FIN.
    pub(super) flags: u16,
}

impl<'a> Ipv4<'a> {
    /// The first header of a frame, if it is one of IPv4.
    #[inline]
    pub(super) fn of(frame: &Frame<'a>) -> Option<Self> {
        let layer = network_layer(frame).ok()?;
        let octets = layer.octets;
        let head: &[u8; 20] = octets.first_chunk()?;
        let header_len = u32::from(head[0] & 0x0f) * 4;
        if head[0] >> 4 != 4 || header_len < 20 {
            return None;
        }
        let u16_at = |i: usize| u16::from_be_bytes([head[i], head[i + 1]]);
        let in_frame = || u32::try_from(octets.len()).unwrap_or(u32::MAX).saturating_add(layer.uncaptured);
        let total_len = match u16_at(2) {
            0 => in_frame(),
            total => total.into(),
        };
        let fragment = u16_at(6);
        Some(Self {
            src: Address::v4([head[12], head[13], head[14], head[15]]),
            dst: Address::v4([head[16], head[17], head[18], head[19]]),
            header_len,
            total_len,
            ttl: head[8],
            flags: head[6] >> 5,
            fragment_offset: fragment & 0x1fff,
            protocol: head[9],
            payload: octets.get(header_len as usize..)?,
        })
    }

    /// Octets behind the header, by its total length.
    pub(super) const fn data_len(&self) -> u32 {
        self.total_len.saturating_sub(self.header_len)
    }

    /// Whether it is a part of a datagram.
    pub(super) const fn is_fragment(&self) -> bool {
        self.fragment_offset != 0 || self.flags & 1 != 0
    }

    /// The TCP header, if it begins with one that was captured.
    #[inline]
    pub(super) fn tcp(&self) -> Option<Tcp> {
        if self.protocol != TCP || self.fragment_offset != 0 {
            return None;
        }
        let head: &[u8; 20] = self.payload.first_chunk()?;
        let header_len = u32::from(head[12] >> 4) * 4;
        (header_len >= 20).then(|| Tcp {
            src_port: u16::from_be_bytes([head[0], head[1]]),
            dst_port: u16::from_be_bytes([head[2], head[3]]),
            header_len,
            flags: u16::from_be_bytes([head[12], head[13]]) & 0x0fff,
        })
    }

    /// The ports of a UDP header, if it begins with one that was captured.
    #[inline]
    pub(super) fn udp(&self) -> Option<(u16, u16)> {
        if self.protocol != UDP || self.fragment_offset != 0 {
            return None;
        }
        let head: &[u8; 8] = self.payload.first_chunk()?;
        Some((u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]])))
    }
}
