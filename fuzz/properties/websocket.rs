//! What is found in a WebSocket does not depend on where its octets were cut into segments, and finding it never fails.

use picket::flow::key::Direction;
use picket::flow::stream::Delivery;
use picket::websocket::{Found, WebSocket};

/// `input` is a sequence of steps: an octet whose lowest bit is the direction, one for the length, then so many octets.
pub fn holds(input: &[u8]) {
    let mut steps = Vec::new();
    let mut rest = input;
    while let [way, length, octets @ ..] = rest {
        let (step, after) = octets.split_at(usize::from(*length).min(octets.len()));
        steps.push((if way & 1 == 0 { Direction::ToServer } else { Direction::ToClient }, step));
        rest = after;
    }
    let whole = run(steps.iter().copied());
    let cut = steps.iter().flat_map(|(way, step)| step.chunks(1).map(|octet| (*way, octet)));
    assert_eq!(run(cut), whole);
}

#[derive(Default, PartialEq, Debug)]
struct Seen {
    octets: [Vec<u8>; 2],
    compressed: u64,
    others: Vec<String>,
    foreign: bool,
}

fn run<'s>(steps: impl Iterator<Item = (Direction, &'s [u8])>) -> Seen {
    let (mut socket, mut seen) = (WebSocket::NEW, Seen::default());
    for (direction, octets) in steps {
        if seen.foreign {
            break;
        }
        if !socket.wants(direction) {
            continue;
        }
        let side = usize::from(direction == Direction::ToClient);
        socket.take(direction, Delivery::Octets(octets), &mut |found| match found {
            // Nothing behind that is of interest.
            _ if seen.foreign => {}
            Found::Octets(octets) => seen.octets[side].extend(octets),
            Found::Compressed(len) => seen.compressed += u64::from(len),
            Found::Foreign => seen.foreign = true,
            Found::Gap(_) | Found::Skipped(_) => panic!("nothing was missing"),
            other => seen.others.push(format!("{other:?}")),
        });
    }
    seen
}
