//! Links with delay, loss and reordering, made by a process between the hosts and the bridge. Many kernels lack netem.
//!
//! The links of a sandbox pass through one namespace: `hostN` is the end of a host's cable, `portN` that of its cable to the
//! bridge. What comes in at one leaves by the other, later or never. That namespace has no addresses and says nothing
//! itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, sendto, socket,
};
use socket2::Socket;

use crate::random::Random;
use crate::scenario::spec::Link;
use crate::stop::Stop;

/// Names of both ends of a cable, before its number.
pub(super) const ENDS: [&str; 2] = ["host", "port"];

/// Frames that are under way at the most: whatever comes then is lost, as in any queue. netem has 1000 for each link.
const MOST: usize = 20_000;

/// Longest frame: Ethernet without jumbo frames, and some air.
const FRAME: usize = 2048;

/// Longest wait, so that a stop is noticed.
const SLICE: Duration = Duration::from_millis(100);

/// `PACKET_OUTGOING` of packet(7): sent by somebody else here, not received.
const OUTGOING: u8 = 4;

/// A frame that waits: when it is due, the how manieth it is, by which interface it leaves.
type Waiting = Reverse<(Instant, u64, usize, Vec<u8>)>;

/// Lets frames pass until the stop.
///
/// # Errors
/// If there is no packet socket, or it fails.
pub fn run(link: &Link, seed: u64, stop: &Stop) -> io::Result<()> {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    let socket = Socket::from(socket);
    socket.set_read_timeout(Some(SLICE))?;
    // A burst waits here while others have the processor.
    socket.set_recv_buffer_size(8 << 20)?;
    let queue: (Mutex<BinaryHeap<Waiting>>, Condvar) = Default::default();
    let links: Mutex<BTreeMap<usize, LinkAddr>> = Mutex::default();
    thread::scope(|scope| {
        scope.spawn(|| deliver(&socket, &queue, &links, stop));
        let result = receive(&socket, link, seed, &queue, &links, stop);
        stop.set();
        result
    })
}

/// Takes frames and decides what becomes of them.
fn receive(
    socket: &Socket,
    link: &Link,
    seed: u64,
    (queue, more): &(Mutex<BinaryHeap<Waiting>>, Condvar),
    links: &Mutex<BTreeMap<usize, LinkAddr>>,
    stop: &Stop,
) -> io::Result<()> {
    let mut fate = Fate { link: *link, random: Random::new(seed), last: BTreeMap::new() };
    let mut across = BTreeMap::new();
    let mut frame = [0; FRAME];
    let mut number = 0;
    while !stop.is_set() {
        let (length, from) = match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame) {
            Ok((length, Some(from))) if from.pkttype() != OUTGOING => (length, from.ifindex()),
            Ok(_) => continue,
            Err(error) => match io::Error::from(error) {
                error if crate::mqtt::session::is_timeout(&error) => continue,
                error => return Err(error),
            },
        };
        // Cables are laid while this runs.
        if !across.contains_key(&from) {
            across = cables(&mut lock(links))?;
        }
        let (Some(&to), Some(due)) = (across.get(&from), fate.of(from, Instant::now())) else { continue };
        let Some(frame) = frame.get_mut(..length) else { continue };
        checksum(frame);
        let mut queue = lock(queue);
        if queue.len() < MOST {
            number += 1;
            queue.push(Reverse((due, number, to, frame.to_vec())));
            more.notify_one();
        }
    }
    Ok(())
}

/// Sends what is due.
fn deliver(
    socket: &Socket,
    (queue, more): &(Mutex<BinaryHeap<Waiting>>, Condvar),
    links: &Mutex<BTreeMap<usize, LinkAddr>>,
    stop: &Stop,
) {
    let mut waiting = lock(queue);
    while !stop.is_set() {
        let now = Instant::now();
        let wait = waiting.peek().map_or(SLICE, |Reverse((due, ..))| due.saturating_duration_since(now));
        if !wait.is_zero() {
            waiting = more.wait_timeout(waiting, wait.min(SLICE)).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        let Some(Reverse((_, _, to, frame))) = waiting.pop() else { continue };
        drop(waiting);
        if let Some(link) = lock(links).get(&to) {
            // A full queue of the system, or a cable that is gone: the frame is lost.
            let _ = sendto(socket.as_raw_fd(), &frame, link, MsgFlags::empty());
        }
        waiting = lock(queue);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fills in the interfaces by number, and says which one is across from which.
fn cables(links: &mut BTreeMap<usize, LinkAddr>) -> io::Result<BTreeMap<usize, usize>> {
    let mut named = BTreeMap::new();
    for interface in getifaddrs()? {
        if let Some(link) = interface.address.as_ref().and_then(|address| address.as_link_addr()) {
            named.insert(interface.interface_name, link.ifindex());
            links.insert(link.ifindex(), *link);
        }
    }
    let other = |name: &str| {
        let (here, there) = if name.starts_with(ENDS[0]) { (ENDS[0], ENDS[1]) } else { (ENDS[1], ENDS[0]) };
        named.get(&format!("{there}{}", name.strip_prefix(here)?)).copied()
    };
    Ok(named.iter().filter_map(|(name, index)| Some((*index, other(name)?))).collect())
}

/// Decides when a frame arrives.
struct Fate {
    link: Link,
    random: Random,
    /// When the last frame of each direction is due.
    last: BTreeMap<usize, Instant>,
}

impl Fate {
    /// When a frame that came in here is due on the other side; never, if it is lost. Only some overtake others.
    fn of(&mut self, from: usize, now: Instant) -> Option<Instant> {
        let Link { delay_ms, jitter_ms, loss, reorder } = self.link;
        if self.random.chance(loss / 100.0) {
            return None;
        }
        let delay = delay_ms + self.random.between_f64((-jitter_ms, jitter_ms));
        let due = now + Duration::from_secs_f64(delay.max(0.0) / 1000.0);
        if self.random.chance(reorder / 100.0) {
            return Some(now);
        }
        let last = self.last.entry(from).or_insert(due);
        *last = due.max(*last);
        Some(*last)
    }
}

/// Fills in the checksum of TCP or UDP over IPv4: senders on virtual links leave that to a network card.
fn checksum(frame: &mut [u8]) {
    let Some((_, packet)) = frame.split_at_mut_checked(14).filter(|(head, _)| head.ends_with(&[8, 0])) else {
        return;
    };
    let [first, _, high, low, _, _, flags, offset, _, protocol, ..] = *packet else { return };
    let (header, total) = (usize::from(first & 15) * 4, usize::from(u16::from_be_bytes([high, low])));
    let field = match protocol {
        6 => 16,
        17 => 6,
        _ => return,
    };
    // A fragment does not hold all that is summed up.
    if first >> 4 != 4 || flags & 0x3F != 0 || offset != 0 {
        return;
    }
    let Some(addresses) = packet.get(12..20).map(<[u8]>::to_vec) else { return };
    let Some(segment) = packet.get_mut(header..total) else { return };
    let Ok(length) = u32::try_from(segment.len()) else { return };
    match segment.get_mut(field..field + 2) {
        // A datagram may be without.
        Some([0, 0]) if protocol == 17 => return,
        Some(field) => field.fill(0),
        None => return,
    }
    let mut sum = u32::from(protocol) + length;
    for pair in addresses.chunks(2).chain(segment.chunks(2)) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let sum = match !u16::try_from(sum).expect("folded") {
        0 => 0xFFFF,
        sum => sum,
    };
    segment[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

    use super::*;

    fn fate(link: Link) -> Fate {
        Fate { link, random: Random::new(5), last: BTreeMap::new() }
    }

    #[test]
    fn frames_are_late_lost_and_out_of_order_as_often_as_was_asked() {
        let link = Link { delay_ms: 20.0, jitter_ms: 5.0, loss: 10.0, reorder: 5.0 };
        let mut fate = fate(link);
        let start = Instant::now();
        let mut arrivals = Vec::new();
        for number in 0..2000 {
            let now = start + Duration::from_millis(number);
            arrivals.extend(fate.of(1, now).map(|due| (due, due - now)));
        }
        assert!((1700..1900).contains(&arrivals.len()), "{}", arrivals.len());
        let overtaking = arrivals.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
        assert!((40..180).contains(&overtaking), "{overtaking}");
        let longest = arrivals.iter().map(|(_, delay)| *delay).max().unwrap();
        assert!(longest > Duration::from_millis(20) && longest <= Duration::from_millis(25), "{longest:?}");
    }

    #[test]
    fn without_reordering_nothing_overtakes() {
        let mut fate = fate(Link { delay_ms: 10.0, jitter_ms: 9.0, loss: 0.0, reorder: 0.0 });
        let start = Instant::now();
        let due: Vec<_> =
            (0..500).filter_map(|number| fate.of(1, start + Duration::from_micros(number * 300))).collect();
        assert_eq!(due.len(), 500);
        assert!(due.is_sorted());
    }

    #[test]
    fn the_checksum_is_that_of_etherparse() {
        for length in [0, 7, 100] {
            let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
                .ipv4([10, 77, 1, 2], [10, 77, 1, 1], 64)
                .tcp(40_000, 1883, 9, 1000)
                .ack(4);
            let mut frame = Vec::new();
            builder.write(&mut frame, &vec![0xA5; length]).unwrap();
            let right = frame.clone();
            frame[14 + 20 + 16..][..2].copy_from_slice(&[0x12, 0x34]);
            checksum(&mut frame);
            assert_eq!(frame, right);
            let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
            assert!(matches!(sliced.transport, Some(TransportSlice::Tcp(_))));
        }
    }
}
