//! What is found in TLS does not depend on where its two directions were cut into segments, up to the first octets that are
//! no record; any hello has a fingerprint or is not complete.

use picket::tls::hello::Hello;
use picket::tls::ja4::Ja4;
use picket::tls::{Found, HelloRing, HelloSlot, Tls};

use super::exchange::{Turn, cut, is_whole, octets, turns};

/// What was found up to the first octets that are no record.
#[derive(Default, PartialEq, Debug)]
struct Outcome {
    hellos: Vec<Hello>,
    chosen: (u16, u16),
    lost: bool,
    cadence: String,
    refused: bool,
}

/// `input` is the turns of both ends; see [`turns`].
pub fn holds(input: &[u8]) {
    let turns = turns(input);
    let whole = read(&turns, usize::MAX);
    if is_whole(&turns) {
        for piece in [1, 1 + input.len() % 31] {
            let again = read(&turns, piece);
            // Where boundaries are lost, they are looked for at the starts of segments.
            if !whole.lost && !again.lost {
                assert_eq!(again, whole);
            }
            assert_eq!(again.lost, whole.lost);
        }
    }
}

/// Reads the turns in pieces of this size. All of a turn comes at the same time.
fn read(turns: &[Turn<'_>], piece: usize) -> Outcome {
    let mut memory = vec![HelloSlot::default(); 2];
    let mut ring = HelloRing::new(&mut memory);
    let (mut tls, mut outcome) = (Tls::NEW, Outcome::default());
    let mut skipped = 0;
    for (at, turn) in turns.iter().enumerate() {
        for turn in cut(&[*turn], piece) {
            let now = 100 * at as u32;
            tls.take(turn.direction, turn.delivery, now, &mut ring, &mut |found| match found {
                Found::Client(hello) | Found::Server(hello) => {
                    fingerprint(hello);
                    outcome.hellos.push(hello.clone());
                }
                Found::Displaced => panic!("there is room for both"),
                Found::Skipped(len) => {
                    skipped += len as usize;
                    outcome.lost = true;
                }
            });
        }
    }
    assert!(skipped <= octets(turns));
    assert!(outcome.hellos.len() <= 2);
    outcome.chosen = (tls.version(), tls.cipher());
    outcome.cadence = format!("{:?}", tls.cadence());
    outcome.refused = tls.take_refusal(100 * turns.len() as u32);
    assert!(!tls.take_refusal(u32::MAX) || !outcome.refused);
    outcome
}

fn fingerprint(hello: &Hello) {
    let ja4 = Ja4::new(hello);
    assert_eq!(ja4.is_some(), hello.complete);
    if let Some(ja4) = ja4 {
        let parts: Vec<&str> = ja4.as_str().split('_').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [10, 12, 12], "{ja4:?}");
        assert!(parts[1..].iter().all(|hash| hash.bytes().all(|digit| digit.is_ascii_hexdigit())));
    }
}
