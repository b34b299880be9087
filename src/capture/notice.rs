//! What is worth telling of a capture file although reading goes on, or ended well.

use std::fmt;
use std::path::PathBuf;

/// Something that happened to a file: one line, with the remedy where there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The file, as it was named.
    pub path: PathBuf,
    /// What happened.
    pub kind: NoticeKind,
}

/// What happened to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoticeKind {
    /// It ends inside a packet. Every whole one before it was delivered.
    Truncated {
        /// Where the cut packet begins, in octets of the (decompressed) file.
        offset: u64,
        /// How many whole packets were read.
        packets: u64,
    },
    /// Something in it is no packet; reading went on behind it.
    Damaged {
        /// Where that begins, in octets of the (decompressed) file.
        offset: u64,
        /// How many octets were passed over.
        octets: u64,
        /// How many whole packets came before.
        packets: u64,
    },
    /// It is damaged in so many places that they are counted from here on, and not told.
    ManyDamages,
    /// A followed file became shorter than what was read of it.
    Shrunk,
    /// Another file took the name of a followed one.
    Replaced,
    /// The sender of a stream closed the connection.
    Closed {
        /// How many packets it had sent.
        packets: u64,
    },
    /// A file in a watched folder begins before what was read already.
    Late,
    /// A file in a watched folder cannot be read, or not to its end. The others are.
    Unusable {
        /// Which and why, with the remedy.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.kind, NoticeKind::Unusable { .. }) {
            write!(f, "{}: ", self.path.display())?;
        }
        match &self.kind {
            NoticeKind::Truncated { offset, packets } => write!(
                f,
                "truncated at octet {offset}; the {packets} whole packets before it were read, copy the file \
                 again if it should be longer"
            ),
            NoticeKind::Damaged { offset, octets, packets } => write!(
                f,
                "damaged at octet {offset}, after packet {packets}: {octets} octets were passed over to the next packet"
            ),
            NoticeKind::ManyDamages => {
                f.write_str("damaged in more places, which are counted only (--stats)")
            }
            NoticeKind::Shrunk => {
                f.write_str("was cut short while it was followed; reading it from its beginning")
            }
            NoticeKind::Replaced => f.write_str("was replaced while it was followed; reading the new file"),
            NoticeKind::Closed { packets } => {
                write!(f, "the sender closed the connection after {packets} packets")
            }
            NoticeKind::Late => {
                f.write_str("begins before what was read already; left out, replay it by itself")
            }
            NoticeKind::Unusable { reason } => f.write_str(reason),
        }
    }
}
