//! What happens next: events in order of time, and of arrival where times are equal.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Time;

/// Events waiting for their time.
#[derive(Debug)]
pub(super) struct Queue<E> {
    order: BinaryHeap<Reverse<(Time, u64)>>,
    events: BTreeMap<u64, E>,
    serial: u64,
}

impl<E> Queue<E> {
    pub(super) const fn new() -> Self {
        Self { order: BinaryHeap::new(), events: BTreeMap::new(), serial: 0 }
    }

    pub(super) fn push(&mut self, at: Time, event: E) {
        self.order.push(Reverse((at, self.serial)));
        self.events.insert(self.serial, event);
        self.serial += 1;
    }

    /// The next event, if it is due by `end`.
    pub(super) fn pop(&mut self, end: Time) -> Option<(Time, E)> {
        let Reverse((at, serial)) = *self.order.peek().filter(|Reverse((at, _))| *at <= end)?;
        self.order.pop();
        Some((at, self.events.remove(&serial).expect("every entry of the order has an event")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_then_by_arrival() {
        let mut queue = Queue::new();
        for (at, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b"), (9, "late")] {
            queue.push(at, name);
        }
        let mut seen = Vec::new();
        while let Some((_, name)) = queue.pop(8) {
            seen.push(name);
        }
        assert_eq!(seen, ["a", "b", "c", "d"]);
    }
}
