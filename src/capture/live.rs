//! Live interfaces, merged into one stream by one thread.
//!
//! Each interface has its own libpcap handle. The stream is in order of time among the frames that are
//! waiting; a frame that the kernel hands over later than a younger one of another interface comes after
//! it. That lateness is at most two [`LiveOptions::batch`] and a round of 64 frames. An interface seen
//! twice, as a bridge and as its port, yields its frames twice.
//!
//! On a loopback device libpcap is told to deliver incoming frames only; on `any` the outgoing copy of a
//! loopback frame is skipped. libpcap would do either by itself, but only for a device called `lo`.
//!
//! An interface that is deleted, renamed or switched off becomes [`State::Blind`](super::State::Blind), the
//! others go on. It is looked for every second, by name, and reopened when it is back. Where `CAP_NET_RAW` was
//! given up since, it stays blind for that reason ([`BlindReason::NoRights`](super::BlindReason::NoRights)).

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::interface::{ANY, Interface, InterfaceStatus, present};
use super::{CaptureError, Event, FrameSource};
use crate::time::Timestamp;

/// How many frames are handed out before interfaces without a waiting frame are asked again.
const ROUND: u32 = 64;

/// How often the interfaces are compared with what exists.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How interfaces are captured on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveOptions {
    /// Octets kept of each frame.
    pub snaplen: u32,
    /// Octets of memory for waiting frames, per interface. It is taken at once and counts as resident.
    pub buffer_bytes: u32,
    /// Whether frames for other stations are wanted; without meaning on `any`.
    pub promiscuous: bool,
    /// Whether the kernel hands every frame over at once, or in batches.
    ///
    /// At once is `TPACKET_V2`: a slot of twice the snaplen for every frame however short, so that 32 MiB
    /// hold about 500 frames and take 64 MiB of memory. Batches are `TPACKET_V3`: frames packed tightly. Measured on
    /// `lo` with 25 000 frames a second and a reader that halts for 50 ms twice a second: at once 8 % were
    /// dropped at 0.22 s of CPU, in batches none at 0.03 s. Hence batches by default; a frame then comes
    /// up to twice [`LiveOptions::batch`] late.
    pub immediate: bool,
    /// In batches: how long a frame may wait for others, at least a millisecond.
    pub batch: Duration,
    /// A BPF expression; `None` lets everything pass.
    pub filter: Option<String>,
    /// How long the source waits for a frame before it says [`Event::Idle`].
    pub tick: Duration,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            snaplen: 65_535,
            buffer_bytes: 32 << 20,
            promiscuous: true,
            immediate: false,
            batch: Duration::from_millis(10),
            filter: None,
            tick: Duration::from_millis(100),
        }
    }
}

/// One or several live interfaces.
pub struct LiveSource {
    interfaces: Vec<Interface>,
    options: LiveOptions,
    /// The interface whose frame was handed out last.
    current: Option<usize>,
    /// Frames left to hand out in this round.
    budget: u32,
    checked: Instant,
    failed: bool,
}

impl LiveSource {
    /// Opens the named interfaces; a name given twice counts once. An interface that is down starts blind.
    ///
    /// # Errors
    /// [`CaptureError`]: no interface, one that does not exist, no permission, a bad filter, `any` beside
    /// others, or what else libpcap objects to.
    pub fn open<S: AsRef<str>>(names: &[S], options: LiveOptions) -> Result<Self, CaptureError> {
        let mut wanted: Vec<&str> = Vec::with_capacity(names.len());
        for name in names.iter().map(AsRef::as_ref) {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        if wanted.is_empty() {
            return Err(CaptureError::NoInterface);
        }
        if wanted.len() > 1 && wanted.contains(&ANY) {
            return Err(CaptureError::AnyAndOthers);
        }
        super::abi::check()?;
        if let Some(filter) = &options.filter {
            super::check_filter(filter)?;
        }
        let present = present().map_err(|error| CaptureError::Wait { source: error.into() })?;
        let now = wall_clock();
        let interfaces = wanted
            .iter()
            .map(|name| Interface::open(name, &options, &present, now))
            .collect::<Result<_, _>>()?;
        Ok(Self { interfaces, options, current: None, budget: 0, checked: monotonic(), failed: false })
    }

    /// State and counters of every interface.
    pub fn status(&self) -> impl ExactSizeIterator<Item = &InterfaceStatus> {
        self.interfaces.iter().map(Interface::status)
    }

    /// Asks every interface without a waiting frame for one, and now and then whether it still exists.
    fn round(&mut self) {
        self.budget = ROUND;
        if monotonic().duration_since(self.checked) >= CHECK_EVERY {
            self.checked = monotonic();
            // Without the list (out of descriptors or memory) things stay as they are for a second.
            if let Ok(present) = present() {
                let now = wall_clock();
                for interface in &mut self.interfaces {
                    interface.check(&self.options, &present, now);
                }
            }
        }
        for interface in &mut self.interfaces {
            interface.fill(wall_clock);
        }
    }

    /// Waits up to a tick for any interface to have something.
    fn wait(&mut self) -> Result<(), CaptureError> {
        let tick = PollTimeout::try_from(self.options.tick).unwrap_or(PollTimeout::MAX);
        let (mut positions, mut descriptors) = (Vec::new(), Vec::new());
        for (position, interface) in self.interfaces.iter().enumerate() {
            if let Some(descriptor) = interface.descriptor() {
                positions.push(position);
                descriptors.push(PollFd::new(descriptor, PollFlags::POLLIN));
            }
        }
        match poll(&mut descriptors, tick) {
            // A signal: the caller wants to know soon.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                self.failed = true;
                return Err(CaptureError::Wait { source: io::Error::from(error) });
            }
        }
        let trouble = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        let broken: Vec<usize> = positions
            .into_iter()
            .zip(&descriptors)
            .filter(|(_, polled)| polled.revents().is_none_or(|seen| seen.intersects(trouble)))
            .map(|(position, _)| position)
            .collect();
        self.round();
        // Left open, such a descriptor would make every further wait return at once.
        for position in broken {
            self.interfaces[position].broken(wall_clock());
        }
        Ok(())
    }

    /// The interface with the earliest waiting frame.
    fn earliest(&self) -> Option<usize> {
        let waiting = self.interfaces.iter().enumerate();
        waiting
            .filter_map(|(position, interface)| Some((interface.head_ts()?, position)))
            .min()
            .map(|(_, position)| position)
    }

    /// The instant before which no frame is to be expected any more.
    fn settled(&self) -> Timestamp {
        // A block is handed over by a timer that may just have passed when the frame came, and a frame is
        // stamped a little before it can be read.
        let held = if self.options.immediate { Duration::ZERO } else { self.options.batch * 2 };
        wall_clock() - held - Duration::from_millis(1)
    }
}

impl FrameSource for LiveSource {
    fn next_frame(&mut self) -> Result<Event<'_>, CaptureError> {
        if self.failed {
            return Ok(Event::End);
        }
        if let Some(last) = self.current.take() {
            self.interfaces[last].take();
            self.interfaces[last].fill(wall_clock);
        }
        if self.budget == 0 {
            self.round();
        }
        let mut next = self.earliest();
        if next.is_none() {
            self.wait()?;
            next = self.earliest();
        }
        let Some(position) = next else {
            return Ok(Event::Idle(self.settled()));
        };
        self.budget -= 1;
        self.current = Some(position);
        self.interfaces[position].deliver();
        let frame = self.interfaces[position].head().expect("the earliest interface has a frame waiting");
        Ok(Event::Frame(frame))
    }
}

/// The real-time clock, which also stamps the frames. With [`monotonic`] the only clock on a frame's way.
#[expect(clippy::disallowed_methods, reason = "the edge: what has the time of frames starts here")]
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::ZERO + since
}

/// The clock for the pace of checks, which nobody sets.
#[expect(clippy::disallowed_methods, reason = "the edge: paces the look at interfaces, reaches no frame")]
fn monotonic() -> Instant {
    Instant::now()
}
