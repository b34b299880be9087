//! Any frame under any link type is a packet or has a reason to be skipped; what is handed on lies within the
//! frame, and lengths on the wire are no less than what was captured.

use picket::decode::{Transport, decode};
use picket::frame::{Frame, LinkType};
use picket::time::Timestamp;

/// `input` is one octet for the link type, one for how much of the frame the snaplen cut off, then the frame.
pub fn holds(input: &[u8]) {
    let [link, cut, data @ ..] = input else { return };
    let links = [0, 1, 12, 101, 113, 276, 147];
    let number = links[usize::from(*link) % links.len()];
    let wire_len = u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(u32::from(*cut));
    let frame = Frame { ts: Timestamp::ZERO, link: LinkType::from_number(number), wire_len, data };
    let Ok(packet) = decode(&frame) else { return };
    if let Transport::Tcp(segment) = packet.transport {
        assert!(data.as_ptr_range().contains(&segment.payload.as_ptr()) || segment.payload.is_empty());
        assert!(segment.payload.len() <= data.len());
        assert!(u64::from(segment.wire_payload_len) >= segment.payload.len() as u64);
        assert!(packet.ip_len >= segment.wire_payload_len);
    }
}
