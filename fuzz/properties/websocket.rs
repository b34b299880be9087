//! What is found in a WebSocket does not depend on where its two directions were cut into segments, and nothing is found
//! that was not sent.

use picket::flow::key::Direction;
use picket::websocket::frame::Fault;
use picket::websocket::{Found, WebSocket};

use super::exchange::{Turn, cut, is_whole, octets, turns};

/// What was found in one direction or about it.
#[derive(Default, PartialEq, Debug)]
struct Seen {
    octets: Vec<u8>,
    compressed: u64,
    skipped: u64,
    gaps: u64,
    unknown: u32,
    faults: Vec<Fault>,
}

/// What was found.
#[derive(Default, PartialEq, Debug)]
struct Outcome {
    ways: [Seen; 2],
    opened: Vec<bool>,
    foreign: bool,
}

/// `input` is the turns of both ends; see [`turns`].
pub fn holds(input: &[u8]) {
    let turns = turns(input);
    let whole = read(&turns);
    let found = |seen: &Seen| seen.octets.len() as u64 + seen.compressed + seen.skipped;
    let sent = octets(&turns) as u64;
    assert!(whole.ways.iter().map(found).sum::<u64>() <= sent, "{whole:?}");
    assert!(whole.opened.len() <= 1);
    if is_whole(&turns) {
        assert_eq!(whole.ways.iter().map(|seen| seen.skipped + seen.gaps).sum::<u64>(), 0);
        assert_eq!(read(&cut(&turns, 1)), whole);
        assert_eq!(read(&cut(&turns, 1 + input.len() % 31)), whole);
    }
}

fn read(turns: &[Turn<'_>]) -> Outcome {
    let (mut socket, mut outcome) = (WebSocket::NEW, Outcome::default());
    for turn in turns {
        if outcome.foreign || !socket.wants(turn.direction) {
            continue;
        }
        let Outcome { ways: [up, down], opened, foreign } = &mut outcome;
        let seen = if turn.direction == Direction::ToServer { up } else { down };
        socket.take(turn.direction, turn.delivery, &mut |found| {
            // Nobody asks any more.
            if *foreign {
                return;
            }
            match found {
                Found::Opened { both } => opened.push(both),
                Found::Octets(octets) => seen.octets.extend(octets),
                Found::Compressed(len) => seen.compressed += u64::from(len),
                Found::Skipped(len) => seen.skipped += u64::from(len),
                Found::Gap(len) => seen.gaps += u64::from(len),
                Found::Unknown => seen.unknown += 1,
                Found::Fault(fault) => seen.faults.push(fault),
                Found::Foreign => *foreign = true,
            }
        });
        assert_eq!(socket.is_open(), !opened.is_empty());
    }
    outcome
}
