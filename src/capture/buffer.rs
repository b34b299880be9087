//! A fixed window over a stream of octets: the one buffer that records are read from.

use std::io::{self, BufRead, Read};

/// The most octets of a frame that are handed out, libpcap's own limit (`MAXIMUM_SNAPLEN`).
pub(super) const MAX_FRAME: usize = 1 << 18;

/// Octets of the window: twice [`MAX_FRAME`], for a record with its headers and options and the header after it.
/// Pages are resident only once records of that size come.
pub(super) const CAPACITY: usize = 2 * MAX_FRAME;

/// Octets asked for at once.
const CHUNK: usize = 1 << 17;

/// Whether so many octets are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fill {
    /// They are.
    Enough,
    /// Not yet: the stream may go on.
    Wait,
    /// They never will be.
    End,
}

/// The window.
pub(super) struct Buffer {
    input: Box<dyn Read>,
    data: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the stream of the first octet of `data`.
    base: u64,
    /// Octets that are to be passed over before anything is read.
    debt: u64,
    chunk: usize,
    ended: bool,
    /// What ended the stream, if it was not its end.
    failure: Option<io::Error>,
}

impl Buffer {
    pub(super) fn new(input: Box<dyn Read>) -> Self {
        // Zeroed memory comes from the system untouched, so it costs nothing until it is used.
        Self {
            input,
            data: vec![0; CAPACITY],
            start: 0,
            end: 0,
            base: 0,
            debt: 0,
            chunk: CHUNK,
            ended: false,
            failure: None,
        }
    }

    /// A window that asks for little at once, to look at the beginning of a file.
    pub(super) fn small(input: Box<dyn Read>) -> Self {
        Self { chunk: 1 << 12, ..Self::new(input) }
    }

    /// Offset in the stream of the next octet.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// What is there of the rest, possibly nothing.
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// So many octets from the place that [`Buffer::consume`] gave; valid until octets are asked for again.
    #[inline]
    pub(super) fn at(&self, place: usize, len: usize) -> &[u8] {
        self.data.get(place..).and_then(|rest| rest.get(..len)).unwrap_or_default()
    }

    /// Whether nothing at all is left, neither to read nor to pass over.
    pub(super) fn is_spent(&self) -> bool {
        self.start == self.end && self.debt == 0
    }

    /// Whether the stream has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Passes over `n` octets that are there, and gives the place of the first.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) -> usize {
        let place = self.start;
        self.start = (self.start + n).min(self.end);
        place
    }

    /// Passes over `n` octets, whether they are there yet or not.
    #[cold]
    pub(super) fn skip(&mut self, n: u64) {
        let here = usize::try_from(n).unwrap_or(usize::MAX).min(self.end - self.start);
        self.start += here;
        self.debt += n - here as u64;
    }

    /// The error that ended the stream, told once.
    #[cold]
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Sees to it that `n` octets, at most [`CAPACITY`], are in [`Buffer::rest`]. An error is an end, so that what came
    /// before it is read first.
    #[inline]
    pub(super) fn need(&mut self, n: usize) -> Fill {
        if self.end - self.start >= n {
            return Fill::Enough;
        }
        self.fill(n)
    }

    #[inline(never)]
    fn fill(&mut self, n: usize) -> Fill {
        loop {
            if self.debt > 0 {
                let paid = usize::try_from(self.debt).unwrap_or(usize::MAX).min(self.end - self.start);
                self.start += paid;
                self.debt -= paid as u64;
            }
            if self.debt == 0 && self.end - self.start >= n {
                return Fill::Enough;
            }
            if self.ended {
                return Fill::End;
            }
            if self.start > 0 {
                self.data.copy_within(self.start..self.end, 0);
                self.base += self.start as u64;
                self.end -= self.start;
                self.start = 0;
            }
            let limit = (self.end + self.chunk).max(n).min(self.data.len());
            match self.input.read(self.data.get_mut(self.end..limit).unwrap_or_default()) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fill::Wait,
                Err(error) => {
                    self.ended = true;
                    self.failure = Some(error);
                }
            }
        }
    }
}

/// For decompression, which cannot be interrupted: waits as long as the stream does. An input that may wait
/// ends when it is told to stop, so this does too.
impl BufRead for Buffer {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.need(1) == Fill::Wait {}
        match self.failure.take_if(|_| self.start == self.end) {
            Some(error) => Err(error),
            None => Ok(self.rest()),
        }
    }

    fn consume(&mut self, n: usize) {
        Self::consume(self, n);
    }
}

impl Read for Buffer {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        Self::consume(self, read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Gives one octet at a time and waits before each.
    struct Slow(Cursor<Vec<u8>>, bool);

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let one = out.len().min(1);
            self.0.read(&mut out[..one])
        }
    }

    #[test]
    fn octets_come_in_order_whatever_the_window() {
        let octets: Vec<u8> = (0..3 * CAPACITY).map(|n| (n % 251) as u8).collect();
        for step in [1_000, 77_777, CAPACITY] {
            let mut buffer = Buffer::new(Box::new(Cursor::new(octets.clone())));
            let mut seen = Vec::new();
            while buffer.need(step) == Fill::Enough {
                assert_eq!(buffer.offset(), seen.len() as u64);
                let place = buffer.consume(step);
                seen.extend_from_slice(buffer.at(place, step));
            }
            seen.extend_from_slice(buffer.rest());
            assert!(seen == octets, "{step}");
            assert_eq!(buffer.need(step), Fill::End);
        }
    }

    #[test]
    fn a_skip_may_go_beyond_what_is_there() {
        let mut buffer = Buffer::new(Box::new(Slow(Cursor::new((0..100).collect()), false)));
        buffer.skip(40);
        let mut waits = 0;
        while buffer.need(2) == Fill::Wait {
            waits += 1;
        }
        assert_eq!((buffer.rest(), buffer.offset(), waits), (&[40, 41][..], 40, 42));
        buffer.skip(200);
        while buffer.need(1) == Fill::Wait {}
        assert_eq!(buffer.need(1), Fill::End);
        assert!(!buffer.is_spent(), "the skip was not fulfilled");
    }

    #[test]
    fn nothing_is_asked_for_that_does_not_fit() {
        let mut buffer = Buffer::new(Box::new(io::repeat(7)));
        assert_eq!(buffer.need(CAPACITY), Fill::Enough);
        assert_eq!(buffer.rest().len(), CAPACITY);
    }
}
