//! Reads the frames of one direction of a WebSocket (RFC 6455, section 5) and hands on the payload of its data frames,
//! unmasked, as a stream: frames need not be aligned with control packets (MQTT, section 6.0).

use crate::flow::key::Direction;

/// Masked payload is unmasked piece by piece in a buffer of this size; about what a segment holds.
const PIECE: usize = 2048;
/// A header: two octets, a length of up to eight, a key of four.
const HEADER_OCTETS: usize = 14;

/// What is wrong with a frame, or with the upgrade before the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Fault {
    /// A text frame (MQTT, [MQTT-6.0.0-1]).
    Text,
    /// A client's frame that is not masked, or a server's that is (section 5.1).
    Mask,
    /// A reserved bit that no extension explains (section 5.2).
    ReservedBits,
    /// An opcode that nobody has defined (section 5.2).
    Opcode,
    /// A control frame that is fragmented or longer than 125 octets (section 5.5).
    Control,
    /// A continuation of nothing, or a new message within another (section 5.4).
    Fragmentation,
    /// A length written longer than it need be, or with its highest bit set (section 5.2).
    Length,
    /// The client did not offer the subprotocol `mqtt` (MQTT, [MQTT-6.0.0-3]).
    NotOffered,
    /// The server did not accept it (MQTT, [MQTT-6.0.0-4]).
    NotAccepted,
}

impl Fault {
    /// Those of single frames.
    pub const OF_FRAMES: [Self; 7] = [
        Self::Text,
        Self::Mask,
        Self::ReservedBits,
        Self::Opcode,
        Self::Control,
        Self::Fragmentation,
        Self::Length,
    ];
}

/// What is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// The next octets of the payload stream.
    Octets(&'a [u8]),
    /// So many octets of it were not captured.
    Gap(u32),
    /// How many octets of it are missing is not known.
    Unknown,
    /// So many octets of it are compressed.
    Compressed(u32),
    /// So many octets lie where no frame boundary is known.
    Skipped(u32),
    /// Something is wrong with a frame.
    Fault(Fault),
}

/// What a frame's payload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Data,
    Compressed,
    Control,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At a boundary, with the first octets of a header that was split.
    Header { octets: [u8; HEADER_OCTETS], len: u8 },
    /// In the payload.
    Payload { content: Content, mask: [u8; 4], missing: u64 },
    /// Boundaries lost.
    Lost,
}

const BOUNDARY: State = State::Header { octets: [0; HEADER_OCTETS], len: 0 };

/// The state of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameReader {
    state: State,
    /// What the message that is going on carries; `None` between messages.
    message: Option<Content>,
}

/// A header, read.
#[derive(Clone, Copy, Debug)]
struct Header {
    fin: bool,
    /// The three reserved bits, the first of which marks a compressed message (RFC 7692, section 6).
    reserved: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: u64,
    /// The length could have been written shorter, or is no length.
    odd_length: bool,
    /// Octets of the header itself.
    len: usize,
}

impl Header {
    /// Reads a header; `None` when octets are missing.
    fn read(octets: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = octets else {
            return None;
        };
        let (payload, least, rest) = match second & 0x7f {
            126 => rest
                .split_first_chunk()
                .map(|(len, rest)| (u64::from(u16::from_be_bytes(*len)), 126, rest))?,
            127 => rest.split_first_chunk().map(|(len, rest)| (u64::from_be_bytes(*len), 65_536, rest))?,
            short => (u64::from(short), 0, rest),
        };
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let (mask, rest) = rest.split_first_chunk()?;
            (Some(*mask), rest)
        };
        Some(Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 7,
            opcode: first & 0x0f,
            mask,
            payload,
            odd_length: payload < least || payload >> 63 != 0,
            len: octets.len() - rest.len(),
        })
    }

    const fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }

    /// Whether an honest sender of this direction could have written it.
    fn is_plausible(&self, direction: Direction) -> bool {
        let data = self.opcode <= 2 && self.reserved & 3 == 0;
        let control = matches!(self.opcode, 8..=10) && self.reserved == 0 && self.fin && self.payload <= 125;
        (data || control) && !self.odd_length && self.mask.is_some() == (direction == Direction::ToServer)
    }
}

impl FrameReader {
    /// At the first frame.
    pub const AT_START: Self = Self { state: BOUNDARY, message: None };

    /// Whether every message that has begun has ended.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.message.is_none() && matches!(self.state, State::Header { len: 0, .. })
    }

    /// Whether boundaries are lost at the moment.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Takes the next octets of a direction; `compression` says whether an extension that compresses was agreed on.
    pub fn push(
        &mut self,
        mut octets: &[u8],
        direction: Direction,
        compression: bool,
        found: &mut impl FnMut(Item<'_>),
    ) {
        while !octets.is_empty() {
            octets = match self.state {
                State::Header { octets: kept, len } => {
                    self.in_header(kept, len, octets, direction, compression, found)
                }
                State::Payload { content, mask, missing } => {
                    self.in_payload(content, mask, missing, octets, found)
                }
                State::Lost if tiles(octets, direction) => {
                    self.state = BOUNDARY;
                    octets
                }
                State::Lost => {
                    found(Item::Skipped(count(octets.len())));
                    &[]
                }
            };
        }
    }

    /// Octets that were not captured. Within a payload nothing is lost but they.
    pub fn gap(&mut self, len: u32, found: &mut impl FnMut(Item<'_>)) {
        if let State::Payload { content, mask, missing } = self.state {
            let within = u64::from(len).min(missing);
            if content == Content::Data {
                found(Item::Gap(u32::try_from(within).unwrap_or(u32::MAX)));
            }
            self.go_on(content, mask, missing, within);
            if within == u64::from(len) {
                return;
            }
        }
        self.lose(found);
    }

    /// Where frames begin is not known any more.
    pub fn lose(&mut self, found: &mut impl FnMut(Item<'_>)) {
        self.state = State::Lost;
        self.message = None;
        found(Item::Unknown);
    }

    fn in_header<'o>(
        &mut self,
        mut kept: [u8; HEADER_OCTETS],
        len: u8,
        octets: &'o [u8],
        direction: Direction,
        compression: bool,
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        // The common case first: the header lies whole in the octets at hand.
        if len == 0
            && let Some(header) = Header::read(octets)
        {
            self.begin(&header, direction, compression, found);
            return octets.get(header.len..).unwrap_or_default();
        }
        // Octet by octet, since only the first ones tell how many there are.
        let mut have = usize::from(len);
        let mut rest = octets;
        while let Some((next, after)) = rest.split_first()
            && let Some(place) = kept.get_mut(have)
        {
            *place = *next;
            rest = after;
            have += 1;
            if let Some(header) = kept.get(..have).and_then(Header::read) {
                self.begin(&header, direction, compression, found);
                return rest;
            }
        }
        self.state = State::Header { octets: kept, len: u8::try_from(have).unwrap_or(u8::MAX) };
        rest
    }

    /// A header is complete.
    fn begin(
        &mut self,
        header: &Header,
        direction: Direction,
        compression: bool,
        found: &mut impl FnMut(Item<'_>),
    ) {
        let mut fault = |wrong: bool, fault: Fault| {
            if wrong {
                found(Item::Fault(fault));
            }
        };
        let begins = matches!(header.opcode, 1 | 2);
        let marked = compression && header.reserved == 4 && begins;
        fault(header.opcode == 1, Fault::Text);
        fault(header.mask.is_some() != (direction == Direction::ToServer), Fault::Mask);
        fault(header.reserved != 0 && !marked, Fault::ReservedBits);
        fault(!matches!(header.opcode, 0..=2 | 8..=10), Fault::Opcode);
        fault(header.is_control() && (!header.fin || header.payload > 125), Fault::Control);
        fault(header.odd_length, Fault::Length);
        let content = if header.is_control() {
            Content::Control
        } else {
            // Only 0 goes on with a message; whatever else comes is taken for the beginning of one.
            let goes_on = header.opcode == 0;
            fault(goes_on != self.message.is_some(), Fault::Fragmentation);
            let content = match self.message {
                Some(content) if goes_on => content,
                _ if marked => Content::Compressed,
                _ => Content::Data,
            };
            self.message = (!header.fin).then_some(content);
            content
        };
        // Behind the last octet of a compressed message nobody knows how much it was.
        if content == Content::Compressed && begins {
            found(Item::Unknown);
        }
        self.go_on(content, header.mask.unwrap_or_default(), header.payload, 0);
    }

    /// In a payload of which `missing` octets were missing, `taken` have come.
    fn go_on(&mut self, content: Content, mut mask: [u8; 4], missing: u64, taken: u64) {
        let missing = missing.saturating_sub(taken);
        // Which octet of the key comes next: the four of them turn.
        mask.rotate_left((taken & 3) as usize);
        self.state = if missing == 0 { BOUNDARY } else { State::Payload { content, mask, missing } };
    }

    fn in_payload<'o>(
        &mut self,
        content: Content,
        mask: [u8; 4],
        missing: u64,
        octets: &'o [u8],
        found: &mut impl FnMut(Item<'_>),
    ) -> &'o [u8] {
        let whole = usize::try_from(missing).unwrap_or(usize::MAX);
        let (mine, rest) = octets.split_at_checked(whole).unwrap_or((octets, &[]));
        match content {
            Content::Control => {}
            Content::Compressed => found(Item::Compressed(count(mine.len()))),
            Content::Data if mask == [0; 4] => found(Item::Octets(mine)),
            Content::Data => unmask(mine, mask, found),
        }
        self.go_on(content, mask, missing, mine.len() as u64);
        rest
    }
}

/// Hands on masked octets (section 5.3), the first of which goes with the first octet of the key.
#[inline(never)]
fn unmask(octets: &[u8], mask: [u8; 4], found: &mut impl FnMut(Item<'_>)) {
    let mut buffer = [0; PIECE];
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    for piece in octets.chunks(PIECE) {
        let Some(clear) = buffer.get_mut(..piece.len()) else {
            return;
        };
        let (words, last) = piece.as_chunks::<8>();
        let (to_words, to_last) = clear.as_chunks_mut::<8>();
        for (to, from) in to_words.iter_mut().zip(words) {
            *to = (u64::from_ne_bytes(*from) ^ wide).to_ne_bytes();
        }
        for ((to, from), key) in to_last.iter_mut().zip(last).zip(mask.iter().cycle()) {
            *to = from ^ key;
        }
        found(Item::Octets(clear));
    }
}

/// Whether octets are plausible frames one after another that end where the octets end, or at least two of them.
fn tiles(mut octets: &[u8], direction: Direction) -> bool {
    let mut frames = 0u32;
    while !octets.is_empty() {
        let Some(header) = Header::read(octets) else {
            return frames >= 2;
        };
        if !header.is_plausible(direction) {
            return false;
        }
        frames += 1;
        // A long tiling proves enough; the work stays bounded.
        if frames >= 16 {
            return true;
        }
        let end = usize::try_from(header.payload).ok().and_then(|payload| header.len.checked_add(payload));
        let Some(next) = end.and_then(|end| octets.get(end..)) else {
            return frames >= 2;
        };
        octets = next;
    }
    frames > 0
}

/// Lengths of slices of a segment fit easily.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
pub(crate) mod tests;
