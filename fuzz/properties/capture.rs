//! Any octets are a capture or are refused; reading ends, frames are no longer than they may be, and how the octets
//! arrive makes no difference.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Cursor, Read};
use std::path::Path;

use picket::capture::{Event, FileCounters, FileOptions, FileSource, FrameSource as _};

/// libpcap's and our limit to the captured octets of a frame.
const LONGEST: usize = 262_144;

/// Octets of which at most one event is made: half of the shortest record, whose damage may be told first.
const SHORTEST: usize = 8;

/// All that comes out: its hash, how much it is, what was counted, and how it ended.
#[derive(PartialEq, Debug)]
struct Outcome {
    hash: u64,
    events: usize,
    counters: FileCounters,
    end: Result<(), String>,
}

/// Gives few octets at once.
struct Portions(Cursor<Vec<u8>>, usize);

impl Read for Portions {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = out.len().min(self.1);
        self.0.read(&mut out[..most])
    }
}

/// `octets` are a file.
pub fn holds(octets: &[u8]) {
    let whole = read(Box::new(Cursor::new(octets.to_vec())));
    let is_compressed = matches!(octets, [0x1f, 0x8b, ..] | [0x28, 0xb5, ..] | [0x50..=0x5f, 0x2a, ..]);
    assert!(is_compressed || whole.events <= octets.len() / SHORTEST + 2, "{whole:?}");
    let portion = 1 + octets.len() % 61;
    let portions = read(Box::new(Portions(Cursor::new(octets.to_vec()), portion)));
    // How much comes out before damage to compressed octets is the decompression's affair.
    if whole.end.is_ok() || !is_compressed {
        assert_eq!(portions, whole);
    }
}

fn read(stream: Box<dyn Read>) -> Outcome {
    let (mut hasher, mut events) = (DefaultHasher::new(), 0);
    let mut source = match FileSource::stream(Path::new("fuzz"), stream, FileOptions::default()) {
        Ok(source) => source,
        Err(error) => {
            let end = Err(error.to_string());
            return Outcome { hash: 0, events, counters: FileCounters::default(), end };
        }
    };
    let end = loop {
        match source.next_frame() {
            Ok(Event::Frame(frame)) => {
                assert!(frame.data.len() <= LONGEST.min(frame.wire_len as usize));
                (frame.ts, frame.link, frame.wire_len, frame.data).hash(&mut hasher);
            }
            Ok(Event::Notice(notice)) => notice.to_string().hash(&mut hasher),
            Ok(Event::Idle(_)) => {}
            Ok(Event::End) => break Ok(()),
            Err(error) => break Err(error.to_string()),
        }
        events += 1;
    };
    assert!(matches!(source.next_frame(), Ok(Event::End)), "the end stays the end");
    Outcome { hash: hasher.finish(), events, counters: source.counters(), end }
}
