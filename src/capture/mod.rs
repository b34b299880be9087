//! Where frames come from: capture files, or one or several live interfaces.
//!
//! Both are a [`FrameSource`], so everything behind this module cannot tell live from replay. Live capture goes
//! through libpcap; files are read by a reader of our own, which takes what libpcap refuses (several link types,
//! compression, damage) and grows with the file. This is the only part of the frame's way that does I/O or
//! reads a clock.
//!
//! **Timestamps** are for a file what the file says, live the host's real-time clock at the moment the kernel
//! saw the frame (so they step when that clock is set). They are microseconds; what a file has beyond them is in
//! [`Frame::nanos`], for whoever wants to be as exact as other programs.
//!
//! **Loopback.** The kernel shows each frame on a loopback device twice, on its way out and on its way
//! in. Only the incoming copy is counted; see [`live`] and [`file`](mod@file) for how.

pub(crate) mod abi;
mod buffer;
mod compressed;
mod error;
pub mod file;
mod filter;
mod input;
mod interface;
pub mod live;
mod notice;
mod pcap;
mod pcapng;
mod reader;
mod record;
mod savefile;
mod watch;

pub use error::CaptureError;
pub use file::{FileCounters, FileOptions, FileSource};
pub(crate) use filter::Filter;
pub use interface::{BlindReason, Counters, InterfaceStatus, State};
pub use live::{LiveOptions, LiveSource};
pub use notice::{Notice, NoticeKind};
pub use record::Losses;
pub use savefile::{Savefile, SavefileError};
pub use watch::WatchSource;

use crate::frame::Frame;
use crate::time::Timestamp;

/// What a source has to say next.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A frame, valid until the source is asked again.
    Frame(Frame<'a>),
    /// Nothing arrived for a while. No frame before this instant is to be expected any more, so windows and
    /// timeouts up to it may be settled. Of a file nobody knows: it says [`Timestamp::ZERO`].
    Idle(Timestamp),
    /// Something to tell of a file; reading goes on.
    Notice(&'a Notice),
    /// No more frames, ever.
    End,
}

/// Something that yields frames one at a time.
pub trait FrameSource {
    /// The next event. Live sources block for at most one tick, files that may grow for a quarter of a second.
    ///
    /// # Errors
    /// When the source can give nothing more; asked again after an error, it answers [`Event::End`].
    /// A live interface that fails is not an error but a [`State::Blind`].
    fn next_frame(&mut self) -> Result<Event<'_>, CaptureError>;
}

/// Checks that libpcap understands `filter`, without opening anything.
///
/// # Errors
/// [`CaptureError::Filter`] with libpcap's message.
pub fn check_filter(filter: &str) -> Result<(), CaptureError> {
    ::pcap::Capture::dead(::pcap::Linktype::ETHERNET)
        .and_then(|dead| dead.compile(filter, true))
        .map(drop)
        .map_err(|error| CaptureError::filter(filter, &error))
}

/// libpcap's time of a packet, at microsecond precision.
fn timestamp(header: &::pcap::PacketHeader) -> Timestamp {
    // Both fields are signed and their width depends on the target; no capture is from before 1970.
    let secs = u64::try_from(header.ts.tv_sec).unwrap_or(0);
    let micros = u64::try_from(header.ts.tv_usec).unwrap_or(0);
    Timestamp::from_micros(secs.saturating_mul(1_000_000).saturating_add(micros))
}

/// libpcap's own words, without the crate's prefix.
fn reason(error: &::pcap::Error) -> String {
    match error {
        ::pcap::Error::PcapError(message) => message.trim().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_without_an_interface() {
        check_filter("tcp or udp or arp or icmp or icmp6").expect("the default filter");
        let error = check_filter("tcp prot 1883").expect_err("no such keyword");
        assert_eq!(error.exit_code(), 78);
        let text = error.to_string();
        assert!(text.contains("tcp prot 1883") && text.contains("syntax error"), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}
