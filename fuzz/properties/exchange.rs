//! What two ends of a connection say by turns, as a fuzzer writes it, and the cutting of it.

use picket::flow::key::Direction;
use picket::flow::stream::Delivery;

/// One delivery.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    pub direction: Direction,
    pub delivery: Delivery<'a>,
}

/// The turns in `input`, each an octet for its kind, one for its length, then the octets.
///
/// Kind: bit 0 is the direction, bits 1 to 4 are more of the length, and bits 5 to 7 say that the octets repeat others,
/// settled or not, or come late, or that a gap is in their place; else they are the next ones.
pub fn turns(mut input: &[u8]) -> Vec<Turn<'_>> {
    let mut turns = Vec::new();
    while let [kind, length, rest @ ..] = input {
        let length = u16::from_be_bytes([kind >> 1 & 0x0f, *length]);
        let (octets, after) = rest.split_at(usize::from(length).min(rest.len()));
        let direction = if kind & 1 == 0 { Direction::ToServer } else { Direction::ToClient };
        let (delivery, after) = match kind >> 5 {
            1 => (Delivery::Gap(u32::from(length) + 1), rest),
            2 => (Delivery::Conflict { octets, settled: false }, after),
            3 => (Delivery::Conflict { octets, settled: true }, after),
            4 => (Delivery::Late(octets), after),
            _ => (Delivery::Octets(octets), after),
        };
        turns.push(Turn { direction, delivery });
        input = after;
    }
    turns
}

/// Whether all octets came, in order.
pub fn is_whole(turns: &[Turn<'_>]) -> bool {
    turns.iter().all(|turn| matches!(turn.delivery, Delivery::Octets(_)))
}

/// The same with its octets in pieces of this size.
pub fn cut<'a>(turns: &[Turn<'a>], piece: usize) -> Vec<Turn<'a>> {
    let mut pieces = Vec::new();
    for turn in turns {
        match turn.delivery {
            Delivery::Octets(octets) => pieces.extend(
                octets.chunks(piece).map(|octets| Turn { delivery: Delivery::Octets(octets), ..*turn }),
            ),
            _ => pieces.push(*turn),
        }
    }
    pieces
}

/// How many octets are delivered in all.
pub fn octets(turns: &[Turn<'_>]) -> usize {
    let len = |turn: &Turn<'_>| match turn.delivery {
        Delivery::Octets(octets) | Delivery::Conflict { octets, .. } | Delivery::Late(octets) => octets.len(),
        Delivery::Gap(_) => 0,
    };
    turns.iter().map(len).sum()
}
