//! When to look at which place of a table again: one number per place, read in one sweep.
//!
//! A table of 4,096 places is swept in a few microseconds, which is cheaper and simpler than a timer wheel and
//! costs the same under attack.

/// A place without an appointment.
const NONE: u32 = u32::MAX;

/// The appointments, in whole seconds after the origin.
#[derive(Debug)]
pub struct Schedule<'m> {
    due: &'m mut [u32],
    origin: u64,
    /// No appointment is before this.
    earliest: u32,
}

impl<'m> Schedule<'m> {
    /// No appointments, in the memory given: one number per place of the table it belongs to.
    #[must_use]
    pub fn new(due: &'m mut [u32]) -> Self {
        due.fill(NONE);
        Self { due, origin: 0, earliest: NONE }
    }

    /// Sets the origin; before the first appointment is made.
    pub fn start(&mut self, origin: u64) {
        self.due.fill(NONE);
        self.origin = origin;
        self.earliest = NONE;
    }

    #[inline]
    fn offset(&self, second: u64) -> u32 {
        u32::try_from(second.saturating_sub(self.origin)).map_or(NONE - 1, |offset| offset.min(NONE - 1))
    }

    /// Makes an appointment, replacing the place's earlier one.
    #[inline]
    pub fn set(&mut self, index: usize, second: u64) {
        let offset = self.offset(second);
        if let Some(due) = self.due.get_mut(index) {
            *due = offset;
            self.earliest = self.earliest.min(offset);
        }
    }

    /// Makes an appointment unless the place has an earlier one.
    #[inline]
    pub fn no_later(&mut self, index: usize, second: u64) {
        let offset = self.offset(second);
        if let Some(due) = self.due.get_mut(index) {
            *due = offset.min(*due);
            self.earliest = self.earliest.min(offset);
        }
    }

    /// Cancels a place's appointment.
    #[inline]
    pub fn cancel(&mut self, index: usize) {
        if let Some(due) = self.due.get_mut(index) {
            *due = NONE;
        }
    }

    /// The first place at or behind `from` whose appointment has come.
    #[must_use]
    pub fn next_due(&mut self, from: usize, second: u64) -> Option<usize> {
        let now = self.offset(second);
        if now < self.earliest {
            return None;
        }
        let rest = self.due.get(from..)?;
        // In blocks, so that the common answer "nothing" is found with wide comparisons.
        let mut base = from;
        for block in rest.chunks(64) {
            if block.iter().fold(false, |any, due| any | (*due <= now)) {
                return block.iter().position(|due| *due <= now).map(|at| base + at);
            }
            base += block.len();
        }
        if from == 0 {
            self.earliest = self.due.iter().fold(NONE, |earliest, due| earliest.min(*due));
        }
        None
    }

    /// A second before which nothing is due; later than any if there is no appointment.
    #[must_use]
    pub fn nothing_before(&self) -> u64 {
        match self.earliest {
            NONE => u64::MAX,
            offset => self.origin.saturating_add(u64::from(offset)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_due_in_order() {
        let mut memory = vec![0; 200];
        let mut schedule = Schedule::new(&mut memory);
        schedule.start(1000);
        schedule.set(150, 1005);
        schedule.set(3, 1003);
        schedule.set(70, 1009);
        assert_eq!(schedule.next_due(0, 1002), None);
        assert_eq!(schedule.next_due(0, 1005), Some(3));
        assert_eq!(schedule.next_due(4, 1005), Some(150));
        assert_eq!(schedule.nothing_before(), 1003);
        schedule.cancel(150);
        assert_eq!(schedule.next_due(4, 1005), None);
        assert_eq!(schedule.next_due(4, u64::MAX), Some(70));
        assert_eq!(schedule.next_due(200, u64::MAX), None);
        schedule.cancel(3);
        assert_eq!((schedule.next_due(0, 1008), schedule.nothing_before()), (None, 1009));
        schedule.set(9, 1004);
        schedule.no_later(9, 1006);
        assert_eq!((schedule.nothing_before(), schedule.next_due(0, 1004)), (1004, Some(9)));
    }
}
