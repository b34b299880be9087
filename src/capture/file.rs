//! Capture files: pcap and pcapng, plain or compressed by gzip or zstd, told apart by their first octets; from a
//! path, standard input (`-`) or a connection (`tcp://host:port`, pcap-over-IP).
//!
//! **Reading is streaming**, through one window of 512 KiB in which frames lie; nothing is allocated for a
//! frame. Frames of more than 262,144 octets are passed over and counted. A file that ends inside a packet yields every
//! whole one and a [`Notice`]; so does damage, after which the next packet is looked for. It is an error only
//! when none is found.
//!
//! **Following** ([`FileOptions::follow`]): at the end of the file the source waits for whole records, and looks four times
//! a second. A file that became shorter, or whose name means another file, is read from its beginning.
//! Only its packets tell the time: nothing is settled before the next one comes.
//!
//! **Loopback.** A cooked capture (`any`) may hold both copies of a loopback frame. The outgoing one, packet type 4 on
//! a device of ARPHRD type 772, is skipped. Whatever libpcap itself captures holds one copy already, but
//! other writers exist. In an Ethernet capture of a loopback device the two copies cannot be told
//! apart, nor need they: no current tool writes both.

use std::cell::Cell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::buffer::Buffer;
use super::filter::Filter;
use super::input::{Change, Input, Kind, Stop, Tail};
use super::interface::is_outgoing_loopback;
use super::notice::{Notice, NoticeKind};
use super::reader::{Fault, Reader};
use super::record::{Found, Losses, Step};
use super::{CaptureError, Event, FrameSource};
use crate::frame::Frame;
use crate::time::Timestamp;

/// Damaged places of a file that are told one by one.
const DAMAGES_TOLD: u64 = 5;

/// How a capture file is read.
#[derive(Clone, Default, Debug)]
pub struct FileOptions {
    /// A BPF expression; `None` lets everything pass. It is compiled for each link type that occurs; where it
    /// makes no sense for one, no frame of that passes.
    pub filter: Option<String>,
    /// Whether to wait at the end of a regular file for more.
    pub follow: bool,
    /// Set to end reading before the end: of a followed file, a pipe, a connection.
    pub stop: Option<Arc<AtomicBool>>,
}

/// What was read of a capture so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileCounters {
    /// Frames handed out.
    pub packets: u64,
    /// Frames that did not pass the filter.
    pub filtered: u64,
    /// Outgoing copies of loopback frames.
    pub copies: u64,
    /// What did not become a frame.
    pub losses: Losses,
}

impl FileCounters {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            filtered: self.filtered + other.filtered,
            copies: self.copies + other.copies,
            losses: self.losses.plus(other.losses),
        }
    }
}

/// What a source comes upon, without what it is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Advance {
    /// For [`FileSource::frame`].
    Frame(Found),
    Idle,
    /// For [`FileSource::notice`].
    Notice,
    End,
}

/// A capture file being read.
pub struct FileSource {
    path: PathBuf,
    follow: bool,
    /// Whether a followed file that was replaced or cut short is read again.
    reopen: bool,
    /// Whether it was replaced: its end is now its end.
    replaced: bool,
    stop: Stop,
    filter: Option<Filter>,
    reader: Reader,
    kind: Kind,
    tail: Option<Tail>,
    total: Option<u64>,
    position: Rc<Cell<u64>>,
    /// The step that was taken on opening.
    ahead: Option<Step>,
    notice: Notice,
    counters: FileCounters,
    /// Losses of earlier files of this name.
    before: Losses,
    ended: bool,
}

impl FileSource {
    /// Opens the capture `path` to its present end, to yield what passes the BPF expression `filter`.
    ///
    /// # Errors
    /// As [`FileSource::with`].
    pub fn open(path: &Path, filter: Option<&str>) -> Result<Self, CaptureError> {
        Self::with(path, FileOptions { filter: filter.map(str::to_owned), ..FileOptions::default() })
    }

    /// Opens the capture `path`.
    ///
    /// # Errors
    /// [`CaptureError`]: no such file, unreadable, a directory, no connection, not a capture, or a bad filter.
    pub fn with(path: &Path, options: FileOptions) -> Result<Self, CaptureError> {
        let input = Input::open(path, &Stop(options.stop.clone()))?;
        Self::of(path, input, options)
    }

    /// Reads a capture from a stream, which messages call `name`. A read may give "would block" for "not yet".
    ///
    /// # Errors
    /// [`CaptureError`]: not a capture, or a bad filter.
    pub fn stream(name: &Path, stream: Box<dyn Read>, options: FileOptions) -> Result<Self, CaptureError> {
        let input = Input { stream, total: None, position: Rc::default(), tail: None, kind: Kind::Pipe };
        Self::of(name, input, options)
    }

    fn of(path: &Path, input: Input, options: FileOptions) -> Result<Self, CaptureError> {
        let Input { stream, total, position, tail, kind } = input;
        let stop = Stop(options.stop);
        let follow = options.follow && tail.is_some();
        if let Some(tail) = &tail {
            tail.set_followed(follow);
        }
        let mut source = Self {
            path: path.to_owned(),
            filter: Filter::new(options.filter.as_deref()),
            follow,
            reopen: true,
            replaced: false,
            stop,
            reader: Reader::new(Buffer::new(stream), !follow),
            kind,
            tail,
            total: total.filter(|_| !follow),
            position,
            ahead: None,
            notice: Notice { path: path.to_owned(), kind: NoticeKind::ManyDamages },
            counters: FileCounters::default(),
            before: Losses::default(),
            ended: false,
        };
        let first = source.reader.step().map_err(|fault| source.fault(fault))?;
        if let Some(filter) = &mut source.filter {
            // Without any packet it is checked as of Ethernet; with none so far, later.
            let number = match &first {
                Step::Frame(found) => Some(found.number),
                Step::End => source.reader.link_number().or(Some(1)),
                _ => source.reader.link_number(),
            };
            number.map_or(Ok(()), |number| filter.compile(number))?;
        }
        source.ahead = Some(first);
        Ok(source)
    }

    /// The file, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many packets it has yielded.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counters.packets
    }

    /// What was read so far.
    #[must_use]
    pub fn counters(&self) -> FileCounters {
        FileCounters { losses: self.before.plus(self.reader.losses), ..self.counters }
    }

    /// Its size in octets; `None` for what has no end yet.
    #[must_use]
    pub fn total_bytes(&self) -> Option<u64> {
        self.total
    }

    /// How many of its octets have been read, ahead of the last frame by what is buffered; `None` for what has no end yet.
    #[must_use]
    pub fn position_bytes(&self) -> Option<u64> {
        self.total.map(|total| self.position.get().min(total))
    }

    /// Device and inode of a regular file.
    pub(super) fn id(&self) -> Option<(u64, u64)> {
        self.tail.as_ref().map(Tail::id)
    }

    /// Never to read what has taken the name of the file.
    pub(super) fn never_reopen(&mut self) {
        self.reopen = false;
    }

    /// Takes the present end of a followed file for its end.
    pub(super) fn unfollow(&mut self) {
        self.follow = false;
        if let Some(tail) = &self.tail {
            tail.set_followed(false);
        }
    }

    /// Frames read, handed out or not.
    fn read(&self) -> u64 {
        self.counters.packets + self.counters.filtered + self.counters.copies
    }

    #[cold]
    fn fault(&mut self, fault: Fault) -> CaptureError {
        self.ended = true;
        let (path, packets) = (self.path.clone(), self.read());
        match fault {
            Fault::NotACapture(reason, hint) => CaptureError::NotACapture { path, reason, hint },
            Fault::Compressed => CaptureError::NotACapture {
                path,
                reason: "it is compressed".to_owned(),
                hint: "a compressed file does not grow, read it without following it",
            },
            Fault::Damaged(reason) => CaptureError::Corrupt { path, packets, reason },
            Fault::Io(source) => CaptureError::Read { path, packets, source },
        }
    }

    /// What [`Advance::Notice`] is about.
    pub(super) fn notice(&self) -> &Notice {
        &self.notice
    }

    /// What [`Advance::Frame`] is about.
    #[inline]
    pub(super) fn frame(&self, found: Found) -> Frame<'_> {
        let Found { ts, nanos, link, wire_len, place, len, .. } = found;
        Frame { ts, nanos, link, wire_len, data: self.reader.octets(place, len) }
    }

    /// Goes on to the next thing.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Advance, CaptureError> {
        loop {
            if self.ended {
                return Ok(Advance::End);
            }
            let step = match self.ahead.take() {
                Some(step) => step,
                None => match self.reader.step() {
                    Ok(step) => step,
                    // What was not read because nobody wants more is not missing.
                    Err(Fault::NotACapture(..)) if self.stop.is_asked() => Step::End,
                    Err(fault) => return Err(self.fault(fault)),
                },
            };
            let Step::Frame(found) = step else { return self.other(&step) };
            if self.wants(&found)? {
                self.counters.packets += 1;
                return Ok(Advance::Frame(found));
            }
        }
    }

    #[cold]
    fn tell(&mut self, kind: NoticeKind) -> Advance {
        self.notice.kind = kind;
        Advance::Notice
    }

    /// Everything but a frame.
    #[cold]
    fn other(&mut self, step: &Step) -> Result<Advance, CaptureError> {
        let packets = self.read();
        Ok(match *step {
            Step::Frame(_) | Step::Wait => return self.wait(),
            Step::End | Step::Truncated(_) if self.stop.is_asked() => {
                // What was begun is not cut off: nobody waits for the rest of it.
                self.ended = true;
                Advance::End
            }
            Step::End if self.replaced => return self.again(NoticeKind::Replaced),
            Step::End => {
                self.ended = true;
                match self.kind {
                    Kind::Connection => self.tell(NoticeKind::Closed { packets }),
                    Kind::File | Kind::Pipe => Advance::End,
                }
            }
            Step::Truncated(offset) => self.tell(NoticeKind::Truncated { offset, packets }),
            Step::Damaged(offset, octets) => match self.counters().losses.damages {
                ..=DAMAGES_TOLD => self.tell(NoticeKind::Damaged { offset, octets, packets }),
                damages if damages == DAMAGES_TOLD + 1 => self.tell(NoticeKind::ManyDamages),
                _ => Advance::Idle,
            },
            Step::Lost(offset) => {
                self.ended = true;
                let reason = format!("no packet begins at octet {offset} or behind it");
                return Err(CaptureError::Corrupt { path: self.path.clone(), packets, reason });
            }
        })
    }

    /// Nothing more has come.
    fn wait(&mut self) -> Result<Advance, CaptureError> {
        let Some(tail) = self.tail.as_ref().filter(|_| self.follow) else {
            // The read has waited already.
            return Ok(Advance::Idle);
        };
        match tail.change() {
            Change::Shrunk if self.reopen => return self.again(NoticeKind::Shrunk),
            Change::Replaced if self.reopen => {
                // Its last packets may have been written after it was found at its end.
                self.replaced = true;
                tail.set_followed(false);
            }
            _ => self.stop.pause(),
        }
        Ok(Advance::Idle)
    }

    /// Reads what has the name now.
    fn again(&mut self, kind: NoticeKind) -> Result<Advance, CaptureError> {
        let input = match Input::open(&self.path, &self.stop) {
            Ok(input) => input,
            Err(CaptureError::NoSuchFile { .. }) => {
                // The new one is not there yet after all.
                self.stop.pause();
                return Ok(Advance::Idle);
            }
            Err(error) => {
                self.ended = true;
                return Err(error);
            }
        };
        self.replaced = false;
        self.before = self.before.plus(self.reader.losses);
        self.reader = Reader::new(Buffer::new(input.stream), false);
        self.position = input.position;
        self.tail = input.tail;
        if let Some(tail) = &self.tail {
            tail.set_followed(true);
        }
        Ok(self.tell(kind))
    }

    /// Whether a frame is to be handed out; counts those that are not.
    #[inline]
    fn wants(&mut self, found: &Found) -> Result<bool, CaptureError> {
        let data = self.reader.octets(found.place, found.len);
        if is_outgoing_loopback(found.link, data) {
            self.counters.copies += 1;
            return Ok(false);
        }
        if let Some(filter) = &mut self.filter {
            let passes = filter.passes(found.number, data, found.wire_len);
            if !passes.inspect_err(|_| self.ended = true)? {
                self.counters.filtered += 1;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl FrameSource for FileSource {
    #[inline]
    fn next_frame(&mut self) -> Result<Event<'_>, CaptureError> {
        Ok(match self.advance()? {
            Advance::Frame(found) => Event::Frame(self.frame(found)),
            Advance::Idle => Event::Idle(Timestamp::ZERO),
            Advance::Notice => Event::Notice(&self.notice),
            Advance::End => Event::End,
        })
    }
}
