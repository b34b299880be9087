//! TLS as seen by a bystander without keys: both hellos, and then the sizes and times of records. What is inside stays
//! unread; that it is `encrypted` is a state of its own.

pub mod cadence;
pub mod hello;
pub mod ja4;
pub mod record;

use crate::flow::key::Direction;
use crate::flow::stream::Delivery;
use cadence::{Cadence, Size};
use hello::{Hello, HelloReader};
use record::{APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Item, RecordReader};

/// TLS 1.3.
const TLS13: u16 = 0x0304;
/// Records that a client of TLS 1.3 may send to finish its handshake, with a certificate.
const FINISHING: u8 = 4;
/// A Finished in TLS 1.3 with SHA-256 and with SHA-384: header, hash, content type and tag (RFC 8446, section 4.4.4).
const FINISHED: [u16; 2] = [4 + 32 + 17, 4 + 48 + 17];

/// A place for a hello that is being read. Public so that the caller can supply the memory.
#[derive(Clone, Debug, Default)]
pub struct HelloSlot {
    serial: u32,
    reader: HelloReader,
}

/// The hellos that are being read, all connections together; a new one takes the place of the oldest.
#[derive(Debug)]
pub struct HelloRing<'m> {
    slots: &'m mut [HelloSlot],
    next_serial: u32,
}

impl<'m> HelloRing<'m> {
    /// In the memory given.
    #[must_use]
    pub fn new(slots: &'m mut [HelloSlot]) -> Self {
        Self { slots, next_serial: 1 }
    }

    fn begin(&mut self) -> u32 {
        let serial = self.next_serial;
        // Serial 0 marks slots never used.
        self.next_serial = self.next_serial.checked_add(1).unwrap_or(1);
        if let Some(slot) = self.slot(serial) {
            slot.serial = serial;
            slot.reader.reset();
        }
        serial
    }

    fn slot(&mut self, serial: u32) -> Option<&mut HelloSlot> {
        let index = (serial as usize).checked_rem(self.slots.len())?;
        self.slots.get_mut(index)
    }

    /// The reader behind a serial, unless another has taken its place.
    fn get(&mut self, serial: u32) -> Option<&mut HelloReader> {
        self.slot(serial).filter(|slot| slot.serial == serial).map(|slot| &mut slot.reader)
    }
}

/// What is found.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// The ClientHello was read, or as much of it as came.
    Client(&'a Hello),
    /// The ServerHello was read, or as much of it as came.
    Server(&'a Hello),
    /// A hello had to make room for others.
    Displaced,
    /// So many octets lie where no record boundary is known.
    Skipped(u32),
}

/// How far the hello of one direction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HelloState {
    /// Not begun.
    Awaited,
    /// Being read, in the place of this serial.
    Reading(u32),
    /// Read or missed.
    Over,
}

/// The state of one connection.
#[derive(Clone, Debug)]
pub struct Tls {
    readers: [RecordReader; 2],
    hellos: [HelloState; 2],
    /// Version and cipher suite that the server chose; 0 when not seen.
    version: u16,
    cipher: u16,
    /// Either end encrypts from here on.
    ciphered: [bool; 2],
    /// The client of TLS 1.3 has finished its handshake, which is encrypted already.
    finished: bool,
    finishing: u8,
    refusal_taken: bool,
    cadence: Cadence,
}

impl Tls {
    /// Before the first record.
    pub const NEW: Self = Self {
        readers: [RecordReader::AT_START; 2],
        hellos: [HelloState::Awaited; 2],
        version: 0,
        cipher: 0,
        ciphered: [false; 2],
        finished: false,
        finishing: 0,
        refusal_taken: false,
        cadence: Cadence::NEW,
    };

    /// Joined in the middle: neither hello will come.
    pub const IN_THE_MIDDLE: Self = Self {
        readers: [RecordReader::IN_THE_MIDDLE; 2],
        hellos: [HelloState::Over; 2],
        ciphered: [true; 2],
        ..Self::NEW
    };

    /// The version that the server chose, 0 when not seen.
    #[must_use]
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// The cipher suite that the server chose, 0 when not seen.
    #[must_use]
    pub const fn cipher(&self) -> u16 {
        self.cipher
    }

    /// Sizes and times of the records with application data.
    #[must_use]
    pub const fn cadence(&self) -> &Cadence {
        &self.cadence
    }

    /// Whether it was seen to end like a refused login.
    #[must_use]
    pub const fn was_refused(&self) -> bool {
        self.refusal_taken
    }

    /// Whether a connection that the server closes now, at a time in milliseconds, looks like a refused login. Says so once.
    pub fn take_refusal(&mut self, now: u32) -> bool {
        let refused = !self.refusal_taken && self.cadence.looks_refused(self.version, self.cipher, now);
        self.refusal_taken |= refused;
        refused
    }

    /// Takes the next octets of a direction, or a gap in them, at a time in milliseconds.
    pub fn take(
        &mut self,
        direction: Direction,
        delivery: Delivery<'_>,
        now: u32,
        hellos: &mut HelloRing<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) {
        let way = usize::from(direction == Direction::ToClient);
        let [up, down] = self.readers;
        let mut reader = if way == 0 { up } else { down };
        let mut note = |item: Item<'_>| self.on_item(way, item, now, hellos, found);
        match delivery {
            Delivery::Octets(octets) => reader.push(octets, &mut note),
            Delivery::Gap(len) => reader.gap(len, &mut note),
            // Either copy may be what the receiver took.
            Delivery::Conflict { octets, settled: false } => {
                reader.lose(&mut note);
                reader.push(octets, &mut note);
            }
            Delivery::Conflict { .. } | Delivery::Late(_) => {}
        }
        self.readers[way & 1] = reader;
    }

    fn on_item(
        &mut self,
        way: usize,
        item: Item<'_>,
        now: u32,
        hellos: &mut HelloRing<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) {
        let way = way & 1;
        match item {
            Item::Octets(HANDSHAKE, octets) if self.hellos[way] != HelloState::Over => {
                self.on_handshake(way, octets, hellos, found);
            }
            Item::Record(HANDSHAKE, _) | Item::Octets(..) | Item::Gap(APPLICATION_DATA) => {}
            Item::Record(kind, length) => {
                // Whatever comes behind, the hello is over.
                self.end_hello(way, hellos, found);
                match kind {
                    CHANGE_CIPHER_SPEC => self.ciphered[way] = true,
                    APPLICATION_DATA => self.on_application_data(way, length, now),
                    _ => {}
                }
            }
            Item::Gap(_) | Item::Lost => self.end_hello(way, hellos, found),
            Item::Skipped(len) => found(Found::Skipped(len)),
        }
    }

    fn on_handshake(
        &mut self,
        way: usize,
        octets: &[u8],
        hellos: &mut HelloRing<'_>,
        found: &mut impl FnMut(Found<'_>),
    ) {
        let serial = match self.hellos[way] {
            HelloState::Reading(serial) => serial,
            _ => hellos.begin(),
        };
        self.hellos[way] = HelloState::Reading(serial);
        match hellos.get(serial) {
            Some(reader) => {
                if reader.push(octets) {
                    self.end_hello(way, hellos, found);
                }
            }
            None => {
                self.hellos[way] = HelloState::Over;
                found(Found::Displaced);
            }
        }
    }

    /// The hello of a direction is complete, or no more of it will come.
    fn end_hello(&mut self, way: usize, hellos: &mut HelloRing<'_>, found: &mut impl FnMut(Found<'_>)) {
        if let HelloState::Reading(serial) = self.hellos[way]
            && let Some(reader) = hellos.get(serial)
        {
            let hello = reader.hello();
            if way == 0 {
                found(Found::Client(hello));
            } else {
                self.version = hello.version();
                self.cipher = hello.ciphers.first().copied().unwrap_or(0);
                found(Found::Server(hello));
            }
        }
        self.hellos[way] = HelloState::Over;
    }

    fn on_application_data(&mut self, way: usize, length: u16, now: u32) {
        if self.version == TLS13 && !self.finished {
            // What looks like application data is the rest of the handshake at first.
            if way == 0 {
                self.finishing += 1;
                self.finished = FINISHED.contains(&length) || self.finishing == FINISHING;
            }
            return;
        }
        let size = Size::new(self.version, self.cipher, length);
        if way == 0 {
            self.cadence.sent(length, size);
        } else {
            self.cadence.received(length, size, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::hello::tests::client_hello;
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
    }

    fn server_hello(version: u16, cipher: u16) -> Vec<u8> {
        let mut body = [&[3, 3][..], &[0x66; 32], &[0]].concat();
        body.extend(cipher.to_be_bytes());
        body.push(0);
        if version == TLS13 {
            body.extend([0, 6, 0, 43, 0, 2, 3, 4]);
        }
        [&[2, 0, 0, body.len() as u8][..], &body].concat()
    }

    /// What was found, in words, and the state at the end.
    fn run(steps: &[(Direction, Vec<u8>)], slots: usize) -> (Vec<String>, Tls) {
        let mut memory = vec![HelloSlot::default(); slots];
        let mut ring = HelloRing::new(&mut memory);
        let (mut tls, mut seen) = (Tls::NEW, Vec::new());
        for (n, (direction, octets)) in steps.iter().enumerate() {
            tls.take(*direction, Delivery::Octets(octets), n as u32, &mut ring, &mut |found| {
                seen.push(match found {
                    Found::Client(hello) => format!("client {} {}", hello.mqtt, hello.complete),
                    Found::Server(hello) => format!("server {:x} {}", hello.version(), hello.complete),
                    Found::Displaced => "displaced".to_owned(),
                    Found::Skipped(_) => "skipped".to_owned(),
                });
            });
        }
        (seen, tls)
    }

    use Direction::{ToClient, ToServer};

    /// A refused login in TLS 1.3, with tickets, and in TLS 1.2.
    fn refused(version: u16) -> Vec<(Direction, Vec<u8>)> {
        let hello = client_hello(b"b", &[b"mqtt"], &[0x1301, 0xc02f], &[version]);
        let cipher = if version == TLS13 { 0x1301 } else { 0xc02f };
        let mut steps =
            vec![(ToServer, record(22, &hello)), (ToClient, record(22, &server_hello(version, cipher)))];
        if version == TLS13 {
            steps.extend([
                (ToClient, [record(20, &[1]), record(23, &[1; 900])].concat()),
                (ToServer, [record(20, &[1]), record(23, &[2; 53]), record(23, &[3; 60])].concat()),
                (ToClient, [record(23, &[4; 250]), record(23, &[5; 21]), record(23, &[6; 19])].concat()),
            ]);
        } else {
            steps.extend([
                (ToClient, record(22, &[11, 0, 0, 2, 1, 1])),
                (ToServer, [record(22, &[16, 0, 0, 1, 1]), record(20, &[1]), record(22, &[2; 40])].concat()),
                (ToClient, [record(20, &[1]), record(22, &[2; 40])].concat()),
                (ToServer, record(23, &[3; 60])),
                (ToClient, [record(23, &[5; 28]), record(21, &[6; 26])].concat()),
            ]);
        }
        steps
    }

    #[test]
    fn a_refused_login_in_either_version() {
        for version in [TLS13, 0x0303] {
            let (seen, mut tls) = run(&refused(version), 2);
            assert_eq!(seen, ["client true true".to_owned(), format!("server {version:x} true")]);
            assert_eq!(tls.cadence().connect, 60);
            assert!(tls.take_refusal(6) && !tls.take_refusal(6), "{tls:?}");
        }
    }

    #[test]
    fn a_hello_over_records_and_segments_and_one_that_is_cut_off() {
        let hello = client_hello(b"a.b", &[b"mqtt"], &[0x1301], &[TLS13]);
        let pieces: Vec<_> = hello.chunks(100).map(|piece| (ToServer, record(22, piece))).collect();
        assert_eq!(run(&pieces, 1).0, ["client true true"]);
        let cut = [(ToServer, record(22, &hello[..200])), (ToServer, record(21, &[2, 40]))];
        assert_eq!(run(&cut, 1).0, ["client true false"]);
    }

    #[test]
    fn a_hello_that_waits_makes_room_for_newer_ones() {
        let hello = client_hello(b"a.b", &[b"mqtt"], &[0x1301], &[TLS13]);
        let mut memory = vec![HelloSlot::default(); 1];
        let mut ring = HelloRing::new(&mut memory);
        let mut both = [Tls::NEW, Tls::NEW];
        let mut seen = Vec::new();
        let whole = record(22, &hello);
        for (which, octets) in [(0, &whole[..50]), (1, &whole[..]), (0, &whole[50..])] {
            both[which].take(ToServer, Delivery::Octets(octets), 0, &mut ring, &mut |found| {
                seen.push(format!("{found:?}")[..6].to_owned());
            });
        }
        assert_eq!(seen, ["Client", "Displa"]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(cuts in prop::collection::vec(1usize..80, 1..20), new in any::<bool>()) {
            let steps = refused(if new { TLS13 } else { 0x0303 });
            let (seen, whole) = run(&steps, 2);
            let mut cuts = cuts.iter().cycle();
            let mut pieces = Vec::new();
            for (direction, octets) in &steps {
                let mut rest = octets.as_slice();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                    pieces.push((*direction, piece.to_vec()));
                    rest = after;
                }
            }
            let (again, mut tls) = run(&pieces, 2);
            prop_assert_eq!(again, seen);
            prop_assert_eq!(tls.cadence().records, whole.cadence().records);
            prop_assert!(tls.take_refusal(pieces.len() as u32));
        }

        #[test]
        fn no_octets_panic(steps in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..30)) {
            let mut memory = vec![HelloSlot::default(); 1];
            let mut ring = HelloRing::new(&mut memory);
            let mut tls = Tls::NEW;
            for (n, (up, octets)) in steps.iter().enumerate() {
                let direction = if *up { ToServer } else { ToClient };
                let delivery = match octets.len() {
                    7 => Delivery::Gap(7),
                    _ => Delivery::Octets(octets),
                };
                tls.take(direction, delivery, n as u32, &mut ring, &mut |_| {});
            }
        }
    }
}
