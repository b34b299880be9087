//! How many rows of a host must say the same before a model is believed.

use super::class::Class;
use super::scorer::Verdict;
use crate::limits::{VOTE_MEMORY_SECS, VOTES};

/// `needed` of the last `of` scored rows of a source host must name a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vote {
    needed: u8,
    of: u8,
}

impl Vote {
    /// Two rows in a row.
    pub const DEFAULT: Self = Self { needed: 2, of: 2 };

    /// `None` unless `1 <= needed <= of <=` [`VOTES`].
    #[must_use]
    pub const fn new(needed: u8, of: u8) -> Option<Self> {
        if 1 <= needed && needed <= of && of as usize <= VOTES { Some(Self { needed, of }) } else { None }
    }

    /// Rows that must agree.
    #[must_use]
    pub const fn needed(self) -> u8 {
        self.needed
    }

    /// Rows that are looked at.
    #[must_use]
    pub const fn of(self) -> u8 {
        self.of
    }
}

/// The latest verdicts of one model on one host. Rows from which the model abstained are not among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ballot {
    /// The classes by number, the latest first.
    votes: [u8; VOTES],
    /// The second of the latest.
    second: u64,
}

/// A row in which the model saw nothing, or no row.
const NOTHING: u8 = u8::MAX;

impl Ballot {
    /// No vote yet.
    pub const EMPTY: Self = Self { votes: [NOTHING; VOTES], second: 0 };

    /// Casts the verdict on one row, scored in `second`; says whether its class is now believed. What was said more than
    /// [`VOTE_MEMORY_SECS`] before does not count.
    pub fn cast(&mut self, verdict: Verdict, vote: Vote, second: u64) -> Option<Class> {
        if second.saturating_sub(self.second) > VOTE_MEMORY_SECS {
            self.votes = [NOTHING; VOTES];
        }
        self.second = second;
        let said = verdict.class.map_or(NOTHING, |class| class as u8);
        for _ in 0..if verdict.is_sure { vote.needed } else { 1 } {
            self.votes.rotate_right(1);
            self.votes[0] = said;
        }
        let class = verdict.class?;
        let agree = self.votes.iter().take(usize::from(vote.of)).filter(|voted| **voted == said).count();
        (agree >= usize::from(vote.needed)).then_some(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOD: Verdict =
        Verdict { class: Some(Class::MqttConnectFlood), confidence: 0.9, ..Verdict::NOTHING };
    const SCAN: Verdict = Verdict { class: Some(Class::TcpScan), ..FLOOD };

    /// How often each verdict is believed, one row a second.
    fn believed(vote: (u8, u8), verdicts: &[Verdict]) -> Vec<bool> {
        let vote = Vote::new(vote.0, vote.1).unwrap();
        let mut ballot = Ballot::EMPTY;
        (100..).zip(verdicts).map(|(second, verdict)| ballot.cast(*verdict, vote, second).is_some()).collect()
    }

    #[test]
    fn so_many_of_the_last_must_agree() {
        let rows = [FLOOD, Verdict::NOTHING, FLOOD, FLOOD, SCAN, FLOOD];
        assert_eq!(believed((2, 2), &rows), [false, false, false, true, false, false]);
        assert_eq!(believed((2, 3), &rows), [false, false, true, true, false, true]);
        assert_eq!(believed((1, 1), &rows), [true, false, true, true, true, true]);
        assert_eq!(believed((3, 16), &rows), [false, false, false, true, false, true]);
    }

    #[test]
    fn a_sure_row_counts_for_as_many_as_are_needed() {
        let sure = Verdict { is_sure: true, ..SCAN };
        assert_eq!(believed((2, 2), &[FLOOD, sure, SCAN, FLOOD]), [false, true, true, false]);
        assert_eq!(believed((3, 4), &[sure, FLOOD, SCAN, FLOOD]), [true, false, true, false]);
    }

    #[test]
    fn votes_fade() {
        let vote = Vote::DEFAULT;
        let mut ballot = Ballot::EMPTY;
        assert_eq!(ballot.cast(FLOOD, vote, 1000), None);
        assert_eq!(ballot.cast(FLOOD, vote, 1001 + VOTE_MEMORY_SECS), None);
        assert_eq!(ballot.cast(FLOOD, vote, 1001 + 2 * VOTE_MEMORY_SECS), FLOOD.class);
    }

    #[test]
    fn votes_have_room_and_sense() {
        assert_eq!(Vote::new(2, 2), Some(Vote::DEFAULT));
        assert!(Vote::new(16, 16).is_some());
        assert_eq!([(0, 1), (3, 2), (1, 17)].map(|(k, n)| Vote::new(k, n)), [None; 3]);
    }
}
