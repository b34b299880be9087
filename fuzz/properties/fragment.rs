//! Whatever fragments come, of several datagrams, in whatever order and at whatever time: what is put together is
//! what was sent.

use picket::decode::{Address, Fragment, Fragmented};
use picket::flow::fragment::{Chunk, FragmentSlot, Fragments};
use picket::flow::table::HashKey;
use picket::limits::DATAGRAM_BYTES;
use picket::time::Timestamp;

/// What was sent at an offset.
fn octet(offset: u32) -> u8 {
    offset.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]
}

/// `input` is steps of four octets each: which datagram and whether it is IPv6 (bit 7), an offset and a length in units of eight
/// octets, seconds since the step before.
pub fn holds(input: &[u8]) {
    let (mut slots, mut chunks) = (vec![FragmentSlot::EMPTY; 3], vec![Chunk::EMPTY; 4]);
    let mut datagram = vec![0; DATAGRAM_BYTES];
    let mut pool = Fragments::new(&mut slots, &mut chunks, &mut datagram, HashKey(1, 2));
    let mut seconds = 1000;
    let mut whole = 0;
    for step in input.chunks_exact(4) {
        let &[which, offset, len, wait] = step else { return };
        seconds += u64::from(wait);
        let id = u32::from(which & 7);
        let of = Fragmented {
            src_mac: None,
            src: Address::v4([10, 0, 0, which >> 3 & 3]),
            dst: Address::v4([10, 0, 0, 9]),
            id,
            is_v6: which & 0x80 != 0,
            protocol: 6,
            depth: 0,
        };
        // Each datagram has its length.
        let total = 100 + id * 700 + u32::from(of.is_v6) * 3;
        let offset = u32::from(offset) * 8;
        let end = (offset + u32::from(len) * 8).min(total);
        let payload: Vec<u8> = (offset..end).map(|at| octet(at + id)).collect();
        let wire_payload_len = u32::try_from(payload.len()).expect("a few octets");
        let fragment = Fragment { of, offset, more: end < total, payload: &payload, wire_payload_len };
        let Some(done) = pool.accept(&fragment, Timestamp::from_secs(seconds), &mut |_| {}) else { continue };
        whole += 1;
        assert_eq!((done.of, done.len as u64), (of, u64::from(total)));
        let memory = pool.whole();
        assert!((0..total).zip(memory.iter()).all(|(at, found)| *found == octet(at + id)));
        pool.give_back(memory);
    }
    assert_eq!((pool.stats.reassembled, pool.stats.conflicts), (whole, 0));
}
