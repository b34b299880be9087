//! The hellos found in TLS do not depend on where the octets were cut into segments, up to the first octets that are no record
//! (from there on, boundaries are looked for at the starts of segments). Fingerprints are 36 characters.

use picket::flow::key::Direction;
use picket::flow::stream::Delivery;
use picket::tls::hello::Hello;
use picket::tls::ja4::Ja4;
use picket::tls::{Found, HelloRing, HelloSlot, Tls};

/// `input` is a sequence of steps: an octet whose lowest bit is the direction and the others more of the length, one for the
/// length, then so many octets.
pub fn holds(input: &[u8]) {
    let mut steps = Vec::new();
    let mut rest = input;
    while let [way, length, octets @ ..] = rest {
        let length = usize::from(way >> 1) << 8 | usize::from(*length);
        let (step, after) = octets.split_at(length.min(octets.len()));
        steps.push((if way & 1 == 0 { Direction::ToServer } else { Direction::ToClient }, step));
        rest = after;
    }
    let whole = run(steps.iter().copied());
    let cut = steps.iter().flat_map(|(way, step)| step.chunks(1).map(|octet| (*way, octet)));
    assert_eq!(run(cut), whole);
    for hello in &whole {
        if let Some(ja4) = Ja4::new(hello) {
            assert!(ja4.as_str().len() == 36 && hello.complete);
        }
    }
}

fn run<'s>(steps: impl Iterator<Item = (Direction, &'s [u8])>) -> Vec<Hello> {
    let mut slots = vec![HelloSlot::default(); 2];
    let mut ring = HelloRing::new(&mut slots);
    let (mut tls, mut seen, mut lost) = (Tls::NEW, Vec::new(), false);
    for (direction, octets) in steps {
        tls.take(direction, Delivery::Octets(octets), 0, &mut ring, &mut |found| match found {
            Found::Client(hello) | Found::Server(hello) if !lost => seen.push(hello.clone()),
            Found::Client(_) | Found::Server(_) => {}
            Found::Displaced => panic!("there is room for both"),
            Found::Skipped(_) => lost = true,
        });
        if lost {
            break;
        }
    }
    assert!(seen.len() <= 2);
    tls.take_refusal(0);
    seen
}
