//! What a client does many times within one second.

use super::super::packet::PacketType;

/// Retained messages within a second that are a storm.
const RETAIN_STORM: u16 = 100;
/// Changes between SUBSCRIBE and UNSUBSCRIBE within a second that are churn.
const CHURN: u8 = 4;

/// Counts of one second.
#[derive(Clone, Debug)]
pub(super) struct Burst {
    second: u32,
    retained: u16,
    /// Changes between SUBSCRIBE and UNSUBSCRIBE, whether one of them was shared, and which came last.
    changes: u8,
    shared: bool,
    last: PacketType,
}

impl Burst {
    /// Nothing yet.
    pub(super) const NEW: Self =
        Self { second: 0, retained: 0, changes: 0, shared: false, last: PacketType::Reserved };

    fn turn(&mut self, second: u32) {
        if self.second != second {
            *self = Self { second, last: self.last, ..Self::NEW };
        }
    }

    /// A retained message; whether they are a storm.
    pub(super) fn retained(&mut self, second: u32) -> bool {
        self.turn(second);
        self.retained = self.retained.saturating_add(1);
        self.retained > RETAIN_STORM
    }

    /// A SUBSCRIBE or UNSUBSCRIBE; whether they are churn of shared and plain subscriptions.
    pub(super) fn request(&mut self, packet_type: PacketType, shared: bool, second: u32) -> bool {
        self.turn(second);
        self.shared |= shared;
        if self.last != packet_type {
            self.last = packet_type;
            self.changes = self.changes.saturating_add(1);
        }
        self.changes > CHURN && self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storms_and_churn_are_of_one_second() {
        let mut burst = Burst::NEW;
        let storms = (0..150).filter(|_| burst.retained(7)).count();
        assert_eq!(storms, 50);
        assert!(!burst.retained(8));
        let kinds = [PacketType::Subscribe, PacketType::Unsubscribe];
        let churn = |shared, second: fn(u32) -> u32| {
            let mut burst = Burst::NEW;
            (0..8u32).filter(|i| burst.request(kinds[*i as usize % 2], shared, second(*i))).count()
        };
        assert_eq!((churn(true, |_| 1), churn(false, |_| 1), churn(true, |i| i)), (4, 0, 0));
    }
}
