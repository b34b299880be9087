//! Any frame under any link type is a packet, a fragment, or has a reason to be skipped; what is handed on lies within
//! the frame, and lengths on the wire are no less than what was captured.

use picket::decode::{Failure, Transport, dissect};
use picket::frame::{Frame, LinkType};
use picket::time::Timestamp;

/// `input` is one octet for the link type, one for how much of the frame the snaplen cut off, then the frame.
pub fn holds(input: &[u8]) {
    let [link, cut, data @ ..] = input else { return };
    let links = [0, 1, 12, 101, 113, 276, 147, 9, 51, 104];
    let number = links[usize::from(*link) % links.len()];
    let wire_len = u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(u32::from(*cut));
    let frame = Frame { ts: Timestamp::ZERO, nanos: 0, link: LinkType::from_number(number), wire_len, data };
    let (payload, wire_payload_len) = match dissect(&frame) {
        Ok(packet) => {
            let (payload, wire_payload_len) = match packet.transport {
                Transport::Tcp(segment) => (segment.payload, segment.wire_payload_len),
                Transport::Udp(udp) => (udp.payload, udp.wire_payload_len),
            };
            assert!(packet.ip_len >= wire_payload_len);
            (payload, wire_payload_len)
        }
        Err(Failure::Fragment(fragment)) => (fragment.payload, fragment.wire_payload_len),
        Err(Failure::Skipped(_)) => return,
    };
    let (frame, payload_at) = (data.as_ptr_range(), payload.as_ptr_range());
    assert!(payload.is_empty() || frame.start <= payload_at.start && payload_at.end <= frame.end);
    assert!(u64::from(wire_payload_len) >= payload.len() as u64);
}
