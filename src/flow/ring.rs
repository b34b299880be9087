//! A ring of buffers for octets that must wait: allocation overwrites the oldest buffer.
//!
//! There is no freeing and no search. A holder asks with its ticket and learns whether its octets are still
//! there, so an attacker who hoards buffers loses his own first.

use heapless::Vec;

/// One buffer. Public so that the caller can supply the memory.
#[derive(Clone, Debug)]
pub struct Buffer<const BYTES: usize> {
    serial: u32,
    octets: Vec<u8, BYTES>,
}

impl<const BYTES: usize> Buffer<BYTES> {
    /// An unused buffer.
    pub const EMPTY: Self = Self { serial: 0, octets: Vec::new() };
}

/// Proof of having put octets in; worthless once the buffer has been overwritten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket(u32);

/// The ring.
#[derive(Debug)]
pub struct Ring<'m, const BYTES: usize> {
    buffers: &'m mut [Buffer<BYTES>],
    next_serial: u32,
}

impl<'m, const BYTES: usize> Ring<'m, BYTES> {
    /// A ring in the memory given.
    ///
    /// # Panics
    /// If there is no buffer at all.
    #[must_use]
    pub fn new(buffers: &'m mut [Buffer<BYTES>]) -> Self {
        assert!(!buffers.is_empty(), "a ring needs at least one buffer");
        Self { buffers, next_serial: 1 }
    }

    fn index(&self, serial: u32) -> usize {
        serial as usize % self.buffers.len()
    }

    /// Keeps a copy of `octets`; `None` when they are longer than a buffer.
    pub fn put(&mut self, octets: &[u8]) -> Option<Ticket> {
        let index = self.index(self.next_serial);
        let kept = Vec::from_slice(octets).ok()?;
        let serial = self.next_serial;
        // Serial 0 marks buffers never used.
        self.next_serial = self.next_serial.checked_add(1).unwrap_or(1);
        *self.buffers.get_mut(index)? = Buffer { serial, octets: kept };
        Some(Ticket(serial))
    }

    /// The octets behind a ticket, unless they were overwritten.
    #[must_use]
    pub fn get(&self, ticket: Ticket) -> Option<&[u8]> {
        let buffer = self.buffers.get(self.index(ticket.0))?;
        (buffer.serial == ticket.0).then_some(buffer.octets.as_slice())
    }

    /// Adds octets behind those of a ticket, as many as fit; how many that were, or `None` when it was overwritten.
    pub fn extend(&mut self, ticket: Ticket, octets: &[u8]) -> Option<usize> {
        let index = self.index(ticket.0);
        let buffer = self.buffers.get_mut(index)?;
        if buffer.serial != ticket.0 {
            return None;
        }
        let fitting = octets.len().min(BYTES - buffer.octets.len());
        buffer.octets.extend_from_slice(octets.get(..fitting)?).ok()?;
        Some(fitting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_overwritten() {
        let mut buffers = vec![Buffer::<4>::EMPTY; 2];
        let mut ring = Ring::new(&mut buffers);
        let a = ring.put(b"a").unwrap();
        let b = ring.put(b"b").unwrap();
        assert_eq!((ring.get(a), ring.get(b)), (Some(&b"a"[..]), Some(&b"b"[..])));
        let c = ring.put(b"c").unwrap();
        assert_eq!((ring.get(a), ring.get(b), ring.get(c)), (None, Some(&b"b"[..]), Some(&b"c"[..])));
        assert_eq!(ring.extend(a, b"x"), None);
    }

    #[test]
    fn extends_up_to_its_size() {
        let mut buffers = vec![Buffer::<4>::EMPTY; 1];
        let mut ring = Ring::new(&mut buffers);
        assert!(ring.put(b"12345").is_none());
        let ticket = ring.put(b"12").unwrap();
        assert_eq!(ring.extend(ticket, b"345"), Some(2));
        assert_eq!(ring.get(ticket), Some(&b"1234"[..]));
    }

    #[test]
    fn serials_wrap() {
        let mut buffers = vec![Buffer::<4>::EMPTY; 3];
        let mut ring = Ring::new(&mut buffers);
        ring.next_serial = u32::MAX;
        let last = ring.put(b"z").unwrap();
        let first = ring.put(b"y").unwrap();
        assert_eq!(first, Ticket(1));
        assert_eq!(ring.get(first), Some(&b"y"[..]));
        let _ = last;
    }
}
