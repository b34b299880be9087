//! Whatever segments of one stream come, in whatever order, repeated, cut or acknowledged: what is delivered lies where
//! it was sent, gaps are as long as told, and octets that are the same are no conflict.

use picket::flow::stream::{Delivery, Stream, Streams};

/// What was sent at an offset.
fn octet(offset: u32) -> u8 {
    offset.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]
}

/// `input` is four octets of the first sequence number, then steps of four octets each: what it is (bit 0 an
/// acknowledgement, bits 1 and 2 how much the snaplen cut off), two octets of offset, a length.
pub fn holds(input: &[u8]) {
    let Some((first, steps)) = input.split_first_chunk::<4>() else { return };
    let first = u32::from_be_bytes(*first);
    let (mut held, mut recent) = ([0; 1024], [0; 512]);
    let mut streams = Streams::new(&mut held, &mut recent);
    let mut stream = Stream::NEW;
    stream.synchronise(first.wrapping_sub(1));
    let mut at = 0_u32;
    let mut missed = 0_u64;
    for step in steps.chunks_exact(4) {
        let &[kind, high, low, len] = step else { return };
        let offset = u32::from(u16::from_be_bytes([high, low]));
        let mut deliver = |delivery: Delivery<'_>| match delivery {
            Delivery::Octets(octets) => {
                for found in octets {
                    assert_eq!(*found, octet(at), "at {at}");
                    at += 1;
                }
            }
            Delivery::Gap(len) => {
                at += len;
                missed += u64::from(len);
            }
            Delivery::Conflict { .. } => panic!("the same octets conflict"),
            Delivery::Late(octets) => assert!(!octets.is_empty() && octets.len() as u64 <= missed),
        };
        let seq = first.wrapping_add(offset);
        if kind & 1 != 0 {
            if stream.note_ack(seq) {
                stream.acknowledged(seq, &mut streams, &mut deliver);
            }
        } else {
            let wire_len = u32::from(len);
            let captured = wire_len.saturating_sub(u32::from(kind >> 1 & 3) * 16);
            let payload: Vec<u8> = (offset..offset + captured).map(octet).collect();
            stream.accept(seq, &payload, wire_len, &mut streams, &mut deliver);
        }
        assert_eq!(stream.next(), Some(first.wrapping_add(at)));
    }
    stream.finish(&mut streams, &mut |_| {});
    assert!(!stream.holds());
    assert!(streams.stats.gap_octets >= missed && streams.stats.conflicts == 0);
}
