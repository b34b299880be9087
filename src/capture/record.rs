//! What the readers of both formats have in common.

use std::io;

use super::buffer::{Buffer, Fill};
use crate::frame::LinkType;
use crate::time::Timestamp;

/// The octet order of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) fn u16(self, octets: [u8; 2]) -> u16 {
        if self == Self::Little { u16::from_le_bytes(octets) } else { u16::from_be_bytes(octets) }
    }

    #[inline]
    pub(super) fn u32(self, octets: [u8; 4]) -> u32 {
        if self == Self::Little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }
    }
}

/// A frame in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) ts: Timestamp,
    /// Nanoseconds beyond `ts`.
    pub(super) nanos: u16,
    pub(super) link: LinkType,
    /// The `LINKTYPE_` value behind `link`.
    pub(super) number: u16,
    pub(super) wire_len: u32,
    /// For [`Buffer::at`].
    pub(super) place: usize,
    pub(super) len: usize,
}

/// What a reader comes upon.
#[derive(Debug)]
pub(super) enum Step {
    Frame(Found),
    /// The stream may go on later.
    Wait,
    /// It ended between two records.
    End,
    /// It ended inside a record, which begins at this offset.
    Truncated(u64),
    /// Octets from this offset on that are no records; as many were passed over to the next one.
    Damaged(u64, u64),
    /// Octets from this offset on that are no records, and none came after them.
    Lost(u64),
}

/// What went by without becoming a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Losses {
    /// Frames of more than 262,144 captured octets.
    pub oversize: u64,
    /// pcapng packets of an interface that was not described, or with lengths that contradict their block.
    pub invalid: u64,
    /// Places where what followed was no record, and the next one was looked for.
    pub damages: u64,
    /// Octets passed over in doing so.
    pub damaged_octets: u64,
    /// Frames that the capturing program says it lost (pcapng interface statistics).
    pub dropped: u64,
}

impl Losses {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            oversize: self.oversize + other.oversize,
            invalid: self.invalid + other.invalid,
            damages: self.damages + other.damages,
            damaged_octets: self.damaged_octets + other.damaged_octets,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// What it means that a record was expected and is not there in full.
#[cold]
pub(super) fn short(buffer: &mut Buffer, fill: Fill) -> io::Result<Step> {
    if fill != Fill::End {
        return Ok(Step::Wait);
    }
    match buffer.take_failure() {
        Some(error) => Err(error),
        None if buffer.is_spent() => Ok(Step::End),
        None => Ok(Step::Truncated(buffer.offset())),
    }
}

/// A search for the next record, octet by octet, which may have to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    pub(super) from: u64,
}

impl Search {
    /// `is_record` looks at the octets from each place on; it may ask for more of them.
    pub(super) fn go_on(
        self,
        buffer: &mut Buffer,
        least: usize,
        losses: &mut Losses,
        mut is_record: impl FnMut(&mut Buffer) -> Option<bool>,
    ) -> io::Result<Option<Step>> {
        loop {
            match buffer.need(least) {
                Fill::Enough => {}
                Fill::Wait => return Ok(None),
                Fill::End => {
                    if let Some(error) = buffer.take_failure() {
                        return Err(error);
                    }
                    let left = buffer.rest().len();
                    buffer.consume(left);
                    losses.damaged_octets += buffer.offset() - self.from;
                    return Ok(Some(Step::Lost(self.from)));
                }
            }
            match is_record(buffer) {
                None => return Ok(None),
                Some(true) => {
                    let passed = buffer.offset() - self.from;
                    losses.damaged_octets += passed;
                    return Ok(Some(Step::Damaged(self.from, passed)));
                }
                Some(false) => {
                    buffer.consume(1);
                }
            }
        }
    }
}

/// A length in a file as one in memory.
#[inline]
pub(super) fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
