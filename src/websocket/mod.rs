//! MQTT in a WebSocket (RFC 6455; MQTT, section 6), as seen by a bystander: the HTTP upgrade of both ends, then frames, whose
//! payload goes on to the MQTT framer as one stream per direction.

pub mod frame;
pub mod head;

use crate::flow::carrier::{Beginning, Opening, beginning};
use crate::flow::key::Direction;
use crate::flow::stream::Delivery;
use frame::{Fault, FrameReader};
use head::{Head, HeadReader, Outcome};

/// So many requests of one connection are read in the hope for an upgrade.
const REQUESTS: u8 = 16;

/// What is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'a> {
    /// MQTT is carried; the client's stream begins.
    Opened {
        /// So does the server's; else its beginning was missed.
        both: bool,
    },
    /// The next octets of the direction's MQTT stream.
    Octets(&'a [u8]),
    /// So many octets of it were not captured.
    Gap(u32),
    /// How many octets of it are missing is not known.
    Unknown,
    /// So many octets of it are compressed.
    Compressed(u32),
    /// So many octets lie where no frame boundary is known.
    Skipped(u32),
    /// Something is wrong with a frame or with the upgrade; only told where MQTT is carried.
    Fault(Fault),
    /// This is not MQTT in a WebSocket.
    Foreign,
}

/// One direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    /// In a head.
    Head(HeadReader),
    /// In the body of a request; so many octets are missing.
    Body(u32),
    /// Answers of no interest.
    Idle,
    /// Frames.
    Frames(FrameReader),
}

/// Whether MQTT is carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    /// The client's first octets have to tell.
    Unknown(Opening),
    Mqtt,
    /// They told that it is not MQTT.
    Foreign,
}

/// The state of one connection.
#[derive(Clone, Debug)]
pub struct WebSocket {
    up: Side,
    down: Side,
    content: Content,
    /// Requests so far.
    requests: u8,
    /// The latest request asks for an upgrade.
    asked: bool,
    /// It offers a subprotocol of MQTT.
    offered: bool,
    /// It was answered with 101.
    answered: bool,
    /// The answer accepts a subprotocol of MQTT.
    accepted: bool,
    /// The answer agrees to compression.
    compression: bool,
    /// Octets of the client and of the server were missed before it was clear that MQTT is carried.
    missed: [bool; 2],
    /// Kinds of faults seen before it was clear that MQTT is carried, as a bit set.
    faults: u16,
}

impl WebSocket {
    /// Before the first octet of the first request.
    pub const NEW: Self = Self {
        up: Side::Head(HeadReader::NEW),
        down: Side::Head(HeadReader::NEW),
        content: Content::Unknown(Opening::NEW),
        requests: 0,
        asked: false,
        offered: false,
        answered: false,
        accepted: false,
        compression: false,
        missed: [false; 2],
        faults: 0,
    };

    /// Whether a direction is looked into at the moment.
    #[must_use]
    pub fn wants(&self, direction: Direction) -> bool {
        direction == Direction::ToServer || self.down != Side::Idle
    }

    /// Whether MQTT is known to be carried.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.content == Content::Mqtt
    }

    /// Whether an extension that compresses was agreed on.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compression
    }

    /// Takes the next octets of a direction, or a gap in them.
    pub fn take(&mut self, direction: Direction, delivery: Delivery<'_>, found: &mut impl FnMut(Found<'_>)) {
        let mut octets = match delivery {
            Delivery::Octets(octets) => octets,
            Delivery::Gap(len) => return self.gap(direction, len, found),
            Delivery::Conflict { octets, settled: false } => {
                // Either copy may be what the receiver took.
                let side = match direction {
                    Direction::ToServer => &mut self.up,
                    Direction::ToClient => &mut self.down,
                };
                if let Side::Frames(reader) = side {
                    let mut reader = *reader;
                    reader.lose(&mut |item| self.on_item(direction, item, found));
                    self.put_back(direction, reader);
                }
                octets
            }
            // The receiver did not take it; or there is no telling where its frames begin.
            Delivery::Conflict { .. } | Delivery::Late(_) => return,
        };
        while !octets.is_empty() {
            let side = match direction {
                Direction::ToServer => &mut self.up,
                Direction::ToClient => &mut self.down,
            };
            octets = match side {
                Side::Idle => return,
                Side::Frames(reader) => {
                    let mut reader = *reader;
                    self.frames(&mut reader, direction, octets, found);
                    self.put_back(direction, reader);
                    return;
                }
                Side::Body(missing) => {
                    let taken = octets.len().min(*missing as usize);
                    let left = missing.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
                    *side = if left == 0 { Side::Head(HeadReader::NEW) } else { Side::Body(left) };
                    octets.get(taken..).unwrap_or_default()
                }
                Side::Head(reader) => match reader.push(octets) {
                    Outcome::More => return,
                    Outcome::TooLong => return found(Found::Foreign),
                    Outcome::Done(head, len) => {
                        let goes_on = match direction {
                            Direction::ToServer => self.on_request(&head),
                            Direction::ToClient => self.on_answer(&head, found),
                        };
                        if !goes_on {
                            return found(Found::Foreign);
                        }
                        octets.get(len..).unwrap_or_default()
                    }
                },
            };
        }
    }

    fn put_back(&mut self, direction: Direction, reader: FrameReader) {
        match direction {
            Direction::ToServer => self.up = Side::Frames(reader),
            Direction::ToClient => self.down = Side::Frames(reader),
        }
    }

    fn gap(&mut self, direction: Direction, len: u32, found: &mut impl FnMut(Found<'_>)) {
        let side = match direction {
            Direction::ToServer => &mut self.up,
            Direction::ToClient => &mut self.down,
        };
        match (side, direction) {
            (Side::Frames(reader), _) => {
                let mut reader = *reader;
                reader.gap(len, &mut |item| self.on_item(direction, item, found));
                self.put_back(direction, reader);
            }
            (Side::Body(missing), _) if len < *missing => *missing -= len,
            (Side::Head(_), Direction::ToClient) if self.asked => {
                // The answer was missed: what the client goes on to say will tell.
                let mut reader = FrameReader::AT_START;
                reader.gap(len, &mut |item| self.on_item(direction, item, found));
                self.down = Side::Frames(reader);
            }
            (Side::Idle, _) => {}
            _ => found(Found::Foreign),
        }
    }

    /// The head of a request is complete; whether there is reason to go on.
    fn on_request(&mut self, head: &Head) -> bool {
        self.requests += 1;
        if head.get && head.upgrade {
            self.asked = true;
            self.offered = head.mqtt;
            self.up = Side::Frames(FrameReader::AT_START);
            if self.down == Side::Idle {
                self.down = Side::Head(HeadReader::NEW);
            }
            return true;
        }
        self.down = Side::Idle;
        self.up = if head.body > 0 { Side::Body(head.body) } else { Side::Head(HeadReader::NEW) };
        !head.chunked && self.requests < REQUESTS
    }

    /// The head of an answer is complete; whether there is reason to go on.
    fn on_answer(&mut self, head: &Head, found: &mut impl FnMut(Found<'_>)) -> bool {
        match head.status {
            101 if self.asked && head.upgrade => {
                self.answered = true;
                self.accepted = head.mqtt;
                self.compression = head.compression;
                self.down = Side::Frames(FrameReader::AT_START);
                // Another subprotocol was agreed on.
                if head.subprotocol && !head.mqtt && !self.is_open() {
                    return false;
                }
                if self.is_open() && !self.accepted {
                    found(Found::Fault(Fault::NotAccepted));
                }
                true
            }
            100..=199 => {
                self.down = Side::Head(HeadReader::NEW);
                true
            }
            200..=599 => {
                // Refused; the client may ask again, with credentials for instance.
                self.asked = false;
                self.up = Side::Head(HeadReader::NEW);
                self.down = Side::Idle;
                !self.is_open() && self.requests < REQUESTS
            }
            _ => false,
        }
    }

    fn frames(
        &mut self,
        reader: &mut FrameReader,
        direction: Direction,
        octets: &[u8],
        found: &mut impl FnMut(Found<'_>),
    ) {
        let compression = self.compression;
        reader.push(octets, direction, compression, &mut |item| self.on_item(direction, item, found));
    }

    fn on_item(&mut self, direction: Direction, item: frame::Item<'_>, found: &mut impl FnMut(Found<'_>)) {
        let open = self.is_open();
        match item {
            frame::Item::Octets(octets) if open => found(Found::Octets(octets)),
            frame::Item::Octets(octets) if direction == Direction::ToServer => self.on_first(octets, found),
            frame::Item::Compressed(len) if open => found(Found::Compressed(len)),
            frame::Item::Compressed(len) => {
                // Not even the first packet can be read: what it is rests on what was agreed on.
                let undecided = matches!(self.content, Content::Unknown(_));
                if undecided && self.offered && direction == Direction::ToServer {
                    self.missed[0] = true;
                    self.open(found);
                    self.tell_faults(found);
                    found(Found::Compressed(len));
                }
            }
            frame::Item::Gap(len) if open => found(Found::Gap(len)),
            frame::Item::Unknown if open => found(Found::Unknown),
            frame::Item::Skipped(len) if open => found(Found::Skipped(len)),
            frame::Item::Octets(_) | frame::Item::Gap(_) | frame::Item::Unknown | frame::Item::Skipped(_) => {
                self.missed[usize::from(direction == Direction::ToClient)] = true;
            }
            frame::Item::Fault(fault) if open => found(Found::Fault(fault)),
            frame::Item::Fault(fault) => self.faults |= 1 << fault as u8,
        }
    }

    /// The client's first octets, of which it has to be told whether they are MQTT.
    fn on_first(&mut self, octets: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let Content::Unknown(mut opening) = self.content else {
            return;
        };
        if self.offered && (self.accepted || !self.answered) {
            self.open(found);
            self.tell_faults(found);
            return found(Found::Octets(octets));
        }
        let kept = opening.keep(octets);
        let whole = opening.octets().len() == kept;
        match beginning(if whole { octets } else { opening.octets() }) {
            Beginning::Short => self.content = Content::Unknown(opening),
            Beginning::Connect => {
                self.open(found);
                if whole {
                    found(Found::Octets(octets));
                } else {
                    found(Found::Octets(opening.octets()));
                    found(Found::Octets(octets.get(kept..).unwrap_or_default()));
                }
                // After the CONNECT, which says in which version they are faults.
                self.tell_faults(found);
            }
            _ => {
                self.content = Content::Foreign;
                found(Found::Foreign);
            }
        }
    }

    /// Whether every message that the client has begun has ended.
    #[must_use]
    pub const fn client_is_between_messages(&self) -> bool {
        matches!(&self.up, Side::Frames(reader) if reader.is_between_messages())
    }

    /// It is clear now that MQTT is carried.
    fn open(&mut self, found: &mut impl FnMut(Found<'_>)) {
        self.content = Content::Mqtt;
        let [up_missed, down_missed] = self.missed;
        found(Found::Opened { both: !down_missed });
        if up_missed {
            found(Found::Unknown);
        }
    }

    /// What was wrong before it was clear that MQTT is carried.
    fn tell_faults(&self, found: &mut impl FnMut(Found<'_>)) {
        if !self.offered {
            found(Found::Fault(Fault::NotOffered));
        }
        if self.answered && !self.accepted {
            found(Found::Fault(Fault::NotAccepted));
        }
        for fault in Fault::OF_FRAMES {
            if self.faults & 1 << fault as u8 != 0 {
                found(Found::Fault(fault));
            }
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
