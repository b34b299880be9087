//! Where frames come from: a capture file, or one or several live interfaces.
//!
//! Both are a [`FrameSource`], so everything behind this module cannot tell live from replay. All of it
//! goes through libpcap. This is the only part of the frame's way that does I/O or reads a clock.
//!
//! **Timestamps** are libpcap's: for a file what the file says, live the host's real-time clock at the
//! moment the kernel saw the frame (so they step when that clock is set). They are microseconds;
//! libpcap itself cuts nanosecond captures down, which costs less than asking it for nanoseconds and
//! dividing here, and loses nothing that [`Timestamp`] could hold.
//!
//! **Loopback.** The kernel shows each frame on a loopback device twice, on its way out and on its way
//! in. Only the incoming copy is counted; see [`live`] and [`file`](mod@file) for how.

mod error;
pub mod file;
mod interface;
pub mod live;

pub use error::CaptureError;
pub use file::FileSource;
pub use interface::{BlindReason, Counters, InterfaceStatus, State};
pub use live::{LiveOptions, LiveSource};

use crate::frame::Frame;
use crate::time::Timestamp;

/// What a source has to say next.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A frame, valid until the source is asked again.
    Frame(Frame<'a>),
    /// Live only: nothing arrived for a tick. No frame before this instant is to be expected any more, so
    /// windows and timeouts up to it may be settled.
    Idle(Timestamp),
    /// No more frames, ever.
    End,
}

/// Something that yields frames one at a time.
pub trait FrameSource {
    /// The next event. Live sources block for at most one tick.
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
    pcap::Capture::dead(pcap::Linktype::ETHERNET)
        .and_then(|dead| dead.compile(filter, true))
        .map(drop)
        .map_err(|error| CaptureError::filter(filter, &error))
}

/// libpcap's time of a packet, at microsecond precision.
fn timestamp(header: &pcap::PacketHeader) -> Timestamp {
    // Both fields are signed and their width depends on the target; no capture is from before 1970.
    let secs = u64::try_from(header.ts.tv_sec).unwrap_or(0);
    let micros = u64::try_from(header.ts.tv_usec).unwrap_or(0);
    Timestamp::from_micros(secs.saturating_mul(1_000_000).saturating_add(micros))
}

/// libpcap's own words, without the crate's prefix.
fn reason(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message.trim().to_owned(),
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
