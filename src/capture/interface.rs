//! One live interface: its libpcap handle, its counters, and what becomes of it when it goes away.

use std::os::fd::{AsFd, BorrowedFd};

use ::pcap::{Active, Capture, Direction, Precision, Stat};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};

use super::live::LiveOptions;
use super::{CaptureError, reason, timestamp};
use crate::frame::{Frame, LinkType};
use crate::time::Timestamp;

/// The pseudo-interface that captures on all others.
pub(super) const ANY: &str = "any";

/// Whether an interface is being watched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// Its frames arrive.
    Ok,
    /// Nothing of it is seen; it is tried again every second.
    Blind {
        /// When that was noticed.
        since: Timestamp,
        /// Why, as last seen.
        reason: BlindReason,
    },
}

/// Why an interface is not being watched.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BlindReason {
    /// There is no interface of that name: deleted, renamed, or moved to another namespace.
    #[error("no such interface")]
    Gone,
    /// It exists and is switched off.
    #[error("interface is down")]
    Down,
    /// It is back, but the right to open it was given up: only a new start sees it again.
    #[error("interface is back and may not be opened again")]
    NoRights,
    /// It could not be read or reopened: libpcap's message.
    #[error("{0}")]
    Failed(String),
}

/// Frames of one interface since the start, over every reopening.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Handed to the caller.
    pub delivered: u64,
    /// Seen by the kernel's filter, dropped ones included. On a loopback device both copies of a frame
    /// count here, of which one is delivered.
    pub received: u64,
    /// Lost because the capture buffer was full.
    pub dropped: u64,
    /// Lost by the device or its driver.
    pub dropped_by_interface: u64,
}

/// What the health report says of an interface. The kernel's counters are at most a second old.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceStatus {
    /// Its name as configured.
    pub name: String,
    /// Whether it is being watched.
    pub state: State,
    /// Its frames.
    pub counters: Counters,
    /// How often it came back after being blind.
    pub recoveries: u64,
}

/// An interface that exists.
pub(super) struct Present {
    name: String,
    flags: InterfaceFlags,
}

/// Every interface of this network namespace, each once.
pub(super) fn present() -> Result<Vec<Present>, nix::Error> {
    let mut all: Vec<Present> = Vec::new();
    for address in getifaddrs()? {
        if all.iter().all(|seen| seen.name != address.interface_name) {
            all.push(Present { name: address.interface_name, flags: address.flags });
        }
    }
    Ok(all)
}

/// A frame read ahead, in [`Interface::buffer`].
struct Head {
    ts: Timestamp,
    link: LinkType,
    wire_len: u32,
}

/// An open handle.
struct Handle {
    capture: Capture<Active>,
    link: LinkType,
    /// The kernel's number of the interface; `None` for `any`. A new interface of the same name has another.
    index: Option<u32>,
    /// libpcap's counters when last read: 32 bits that wrap and start at zero with every handle.
    seen: Stat,
}

/// One interface, watched or not.
pub(super) struct Interface {
    status: InterfaceStatus,
    handle: Option<Handle>,
    head: Option<Head>,
    buffer: Vec<u8>,
}

impl Interface {
    /// Opens an interface for the first time. One that exists but is down starts blind.
    pub(super) fn open(
        name: &str,
        options: &LiveOptions,
        present: &[Present],
        now: Timestamp,
    ) -> Result<Self, CaptureError> {
        let found = present.iter().find(|one| one.name == name);
        if found.is_none() && name != ANY {
            let known = present.iter().map(|one| one.name.clone()).chain([ANY.to_owned()]).collect();
            return Err(CaptureError::NoSuchInterface { interface: name.to_owned(), known });
        }
        let down = found.is_some_and(|one| !one.flags.contains(InterfaceFlags::IFF_UP));
        let (handle, state) = match open_handle(name, options, found) {
            Ok(handle) => (Some(handle), State::Ok),
            Err(CaptureError::Interface { .. }) if down => {
                (None, State::Blind { since: now, reason: BlindReason::Down })
            }
            Err(error) => return Err(error),
        };
        let status =
            InterfaceStatus { name: name.to_owned(), state, counters: Counters::default(), recoveries: 0 };
        Ok(Self { status, handle, head: None, buffer: Vec::new() })
    }

    pub(super) fn status(&self) -> &InterfaceStatus {
        &self.status
    }

    /// The descriptor to wait on; none while blind.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.handle.as_ref()?.capture.as_fd())
    }

    /// The time of the frame read ahead.
    pub(super) fn head_ts(&self) -> Option<Timestamp> {
        Some(self.head.as_ref()?.ts)
    }

    /// Reads one frame ahead unless there is one; never blocks. A read error makes the interface blind.
    pub(super) fn fill(&mut self, now: impl FnOnce() -> Timestamp) {
        let (None, Some(handle)) = (&self.head, &mut self.handle) else {
            return;
        };
        loop {
            match handle.capture.next_packet() {
                Ok(packet) if is_outgoing_loopback(handle.link, packet.data) => {}
                Ok(packet) => {
                    self.buffer.clear();
                    self.buffer.extend_from_slice(packet.data);
                    self.head = Some(Head {
                        ts: timestamp(packet.header),
                        link: handle.link,
                        wire_len: packet.header.len,
                    });
                    return;
                }
                Err(::pcap::Error::TimeoutExpired) => return,
                Err(error) => {
                    let reason = BlindReason::Failed(reason(&error));
                    return self.close(reason, now());
                }
            }
        }
    }

    /// Counts the frame read ahead as delivered.
    pub(super) fn deliver(&mut self) {
        self.status.counters.delivered += 1;
    }

    /// The frame read ahead.
    pub(super) fn head(&self) -> Option<Frame<'_>> {
        let head = self.head.as_ref()?;
        Some(Frame { ts: head.ts, nanos: 0, link: head.link, wire_len: head.wire_len, data: &self.buffer })
    }

    /// Forgets the frame read ahead.
    pub(super) fn take(&mut self) {
        self.head = None;
    }

    /// The descriptor reports an error and no frame is left to read: closes the handle.
    pub(super) fn broken(&mut self, now: Timestamp) {
        if self.head.is_none() && self.handle.is_some() {
            self.close(BlindReason::Failed("error on the packet socket".to_owned()), now);
        }
    }

    /// Compares the interface with what exists, closes or reopens it accordingly, and reads its counters.
    pub(super) fn check(&mut self, options: &LiveOptions, present: &[Present], now: Timestamp) {
        self.read_counters();
        let found = present.iter().find(|one| one.name == self.status.name);
        let trouble = match found {
            None if self.status.name == ANY => None,
            None => Some(BlindReason::Gone),
            Some(one) if !one.flags.contains(InterfaceFlags::IFF_UP) => Some(BlindReason::Down),
            Some(_) => None,
        };
        // What was captured before the trouble is delivered first.
        if self.head.is_some() {
            return;
        }
        if let Some(reason) = trouble {
            self.close(reason, now);
            return;
        }
        if let Some(handle) = &self.handle {
            if handle.index == index_of(&self.status.name) {
                return;
            }
            // Another interface has taken the name.
            self.close(BlindReason::Gone, now);
        }
        match open_handle(&self.status.name, options, found) {
            Ok(handle) => {
                self.handle = Some(handle);
                self.status.state = State::Ok;
                self.status.recoveries += 1;
                log::info!("{}: capturing again", self.status.name);
            }
            Err(CaptureError::Interface { reason, .. }) => {
                self.close(BlindReason::Failed(reason), now);
            }
            Err(CaptureError::NoPermission { .. }) => self.close(BlindReason::NoRights, now),
            Err(error) => self.close(BlindReason::Failed(error.to_string()), now),
        }
    }

    /// Becomes blind, or stays so for a possibly other reason.
    fn close(&mut self, reason: BlindReason, now: Timestamp) {
        self.read_counters();
        self.handle = None;
        self.head = None;
        match &mut self.status.state {
            State::Blind { reason: last, .. } => *last = reason,
            state @ State::Ok => {
                log::warn!("{}: blind: {reason}; trying again every second", self.status.name);
                *state = State::Blind { since: now, reason };
            }
        }
    }

    fn read_counters(&mut self) {
        let Some(handle) = &mut self.handle else {
            return;
        };
        // A vanished interface may have no statistics left: what was read last then stands.
        let Ok(stat) = handle.capture.stats() else {
            return;
        };
        let counters = &mut self.status.counters;
        counters.received += delta(handle.seen.received, stat.received);
        counters.dropped += delta(handle.seen.dropped, stat.dropped);
        counters.dropped_by_interface += delta(handle.seen.if_dropped, stat.if_dropped);
        handle.seen = stat;
    }
}

/// Whether a cooked frame (`any`) is the outgoing copy of one on a loopback device, which also comes in.
///
/// libpcap drops that copy itself, but only of a device called `lo`.
#[inline]
pub(super) fn is_outgoing_loopback(link: LinkType, data: &[u8]) -> bool {
    let (packet_type, hardware) = match link {
        LinkType::LinuxSll => (data.get(0..2), data.get(2..4)),
        LinkType::LinuxSll2 => (data.get(10..11), data.get(8..10)),
        _ => return false,
    };
    let outgoing = matches!(packet_type, Some([0, 4] | [4]));
    // ARPHRD_LOOPBACK, linux/if_arp.h
    outgoing && hardware == Some(&772_u16.to_be_bytes())
}

/// How far a wrapping 32-bit counter has come. A step of more than half its range is one backwards (a
/// driver that was reset) and counts nothing.
fn delta(before: u32, after: u32) -> u64 {
    let step = after.wrapping_sub(before);
    if step > u32::MAX / 2 { 0 } else { u64::from(step) }
}

/// The kernel's number of an interface; `None` for `any` or when there is none of that name.
fn index_of(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

fn open_handle(name: &str, options: &LiveOptions, found: Option<&Present>) -> Result<Handle, CaptureError> {
    let failed = |error: ::pcap::Error| {
        let reason = reason(&error);
        // libpcap gives no code through the crate, only its words (pcap.c, pcap-linux.c).
        if ["permission", "not permitted", "CAP_NET_RAW"].iter().any(|words| reason.contains(words)) {
            CaptureError::NoPermission { interface: name.to_owned() }
        } else {
            CaptureError::Interface { interface: name.to_owned(), reason }
        }
    };
    // Read first: should the interface be replaced during the opening, the next check sees another number.
    let index = index_of(name);
    let inactive = Capture::from_device(name)
        .map_err(failed)?
        .snaplen(i32::try_from(options.snaplen).unwrap_or(i32::MAX))
        .buffer_size(i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX))
        // `any` has no promiscuous mode, and libpcap's warning about that would come back as an error.
        .promisc(options.promiscuous && name != ANY)
        .immediate_mode(options.immediate)
        .timeout(i32::try_from(options.batch.as_millis()).unwrap_or(i32::MAX))
        .precision(Precision::Micro);
    let mut capture = inactive.open().map_err(failed)?;
    if found.is_some_and(|one| one.flags.contains(InterfaceFlags::IFF_LOOPBACK)) {
        // libpcap drops the outgoing copy by itself, but only on a device called `lo`.
        capture.direction(Direction::In).map_err(failed)?;
    }
    if let Some(filter) = options.filter.as_deref().map(str::trim).filter(|filter| !filter.is_empty()) {
        capture.filter(filter, true).map_err(|error| CaptureError::filter(filter, &error))?;
    }
    let link = LinkType::from_number(capture.get_datalink().0);
    let capture = capture.setnonblock().map_err(failed)?;
    let seen = Stat { received: 0, dropped: 0, if_dropped: 0 };
    Ok(Handle { capture, link, index, seen })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_counters_wrap_and_reset() {
        assert_eq!(delta(5, 5), 0);
        assert_eq!(delta(5, 9), 4);
        assert_eq!(delta(u32::MAX - 1, 3), 5, "wrapped");
        assert_eq!(delta(1_000_000, 0), 0, "reset");
    }

    #[test]
    fn only_the_outgoing_copy_on_a_loopback_device_is_skipped() {
        // packet type, ARPHRD type (772), address length, address, protocol
        let sll = |packet_type, hardware| [0, packet_type, 3, hardware, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0];
        assert!(is_outgoing_loopback(LinkType::LinuxSll, &sll(4, 4)));
        assert!(!is_outgoing_loopback(LinkType::LinuxSll, &sll(0, 4)));
        assert!(!is_outgoing_loopback(LinkType::LinuxSll, &sll(4, 1)));
        assert!(!is_outgoing_loopback(LinkType::Ethernet, &sll(4, 4)));
        assert!(!is_outgoing_loopback(LinkType::LinuxSll, &[0, 4, 3]));
        // protocol, reserved, interface, ARPHRD type, packet type, address length, address
        let sll2 = |packet_type| [8, 0, 0, 0, 0, 0, 0, 1, 3, 4, packet_type, 6, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(is_outgoing_loopback(LinkType::LinuxSll2, &sll2(4)));
        assert!(!is_outgoing_loopback(LinkType::LinuxSll2, &sll2(0)));
    }

    #[test]
    fn every_interface_is_listed_once_and_loopback_is_known_by_its_flag() {
        let all = present().unwrap();
        let lo: Vec<_> = all.iter().filter(|one| one.name == "lo").collect();
        assert_eq!(lo.len(), 1);
        assert!(lo[0].flags.contains(InterfaceFlags::IFF_LOOPBACK));
        assert_eq!(index_of("lo"), Some(1));
        assert_eq!(index_of(ANY), None);
    }
}
