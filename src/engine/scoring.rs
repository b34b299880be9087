//! Rows that wait for the models, and what becomes of the verdicts.
//!
//! Rows about hosts are few: one for each host and second. Rows about connections and packets are as many as an attacker
//! wants, so that only the first of each host and second are scored, and only so many of all hosts: the rest is
//! counted and passed over. The work of a second is bounded, whatever the line carries.

use heapless::Vec;

use super::{Engine, Sink};
use crate::detect::scorer::{Scorer, Verdict};
use crate::features::FeatureVector;
use crate::features::connection::CONNECTION;
use crate::features::schema::{HOST, Schema};
use crate::flow::table::Handle;
use crate::limits::{MODELS, SCORED_PER_SECOND, WAITING_ROWS};
use crate::time::Timestamp;

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// A source host over its windows.
    Host,
    /// A connection.
    Connection,
}

impl Subject {
    const ALL: [Self; 2] = [Self::Host, Self::Connection];

    const fn schema(self) -> &'static Schema {
        match self {
            Self::Host => &HOST,
            Self::Connection => &CONNECTION,
        }
    }
}

/// Rows of one schema, each with the host that it is about.
#[derive(Debug)]
struct Waiting {
    rows: Vec<FeatureVector, WAITING_ROWS>,
    hosts: Vec<Handle, WAITING_ROWS>,
    /// Whether any model wants them.
    wanted: bool,
    /// Rows of the current second so far.
    taken: u32,
}

/// Everything that waits.
#[derive(Debug)]
pub(super) struct Scoring {
    waiting: [Waiting; Subject::ALL.len()],
    /// The second that `taken` counts.
    second: u64,
    /// Rows that were not scored for their number.
    passed_over: u64,
}

impl Scoring {
    pub(super) fn new(scorer: &impl Scorer) -> Self {
        let waiting = || Waiting { rows: Vec::new(), hosts: Vec::new(), wanted: false, taken: 0 };
        let mut scoring = Self { waiting: Subject::ALL.map(|_| waiting()), second: 0, passed_over: 0 };
        scoring.ask_wishes(scorer);
        scoring
    }

    /// Asks the models again which rows they want: they may be others than before.
    pub(super) fn ask_wishes(&mut self, scorer: &impl Scorer) {
        for (waiting, subject) in self.waiting.iter_mut().zip(Subject::ALL) {
            let models = scorer.models().iter().take(MODELS);
            waiting.wanted = models.into_iter().any(|model| model.schema.name == subject.schema().name);
        }
    }

    /// Whether any model wants rows about this.
    #[inline]
    pub(super) const fn wants(&self, subject: Subject) -> bool {
        self.waiting[subject as usize].wanted
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.iter().all(|waiting| waiting.rows.is_empty())
    }

    pub(super) const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Lets a row wait; says whether there is room for another.
    fn push(&mut self, subject: Subject, row: &FeatureVector, host: Handle) -> bool {
        let waiting = &mut self.waiting[subject as usize];
        // Who fills it empties it.
        let _ = waiting.rows.push(*row);
        let _ = waiting.hosts.push(host);
        !waiting.rows.is_full()
    }
}

impl<S: Scorer> Engine<'_, S> {
    /// Whether a row about a connection of this host is to be scored, so that it is made only then.
    pub(super) fn admits(&mut self, subject: Subject, host: Handle, now: Timestamp) -> bool {
        if !self.scoring.wants(subject) {
            return false;
        }
        let Some((_, host)) = self.knowledge.hosts.at(host).filter(|(_, host)| host.is_of_interest()) else {
            return false;
        };
        let second = now.as_secs();
        if self.scoring.second != second {
            self.scoring.second = second;
            self.scoring.waiting.iter_mut().for_each(|waiting| waiting.taken = 0);
        }
        let waiting = &mut self.scoring.waiting[subject as usize];
        let admits = waiting.taken < SCORED_PER_SECOND
            && host.scored.admits(subject as usize - Subject::Connection as usize, second);
        if admits {
            waiting.taken += 1;
        } else {
            self.scoring.passed_over += 1;
        }
        admits
    }

    /// Hands a row about a host to the models. It is scored at the end of the second, or when enough have come together.
    pub(super) fn offer<K: Sink>(
        &mut self,
        subject: Subject,
        row: &FeatureVector,
        host: Handle,
        now: Timestamp,
        sink: &mut K,
    ) {
        if !self.scoring.push(subject, row, host) {
            self.score(subject, now, sink);
        }
    }

    /// Scores all that waits.
    pub(super) fn score_all<K: Sink>(&mut self, now: Timestamp, sink: &mut K) {
        for subject in Subject::ALL {
            self.score(subject, now, sink);
        }
    }

    fn score<K: Sink>(&mut self, subject: Subject, now: Timestamp, sink: &mut K) {
        let Waiting { rows, hosts, .. } = &mut self.scoring.waiting[subject as usize];
        if rows.is_empty() {
            return;
        }
        for place in 0..self.scorer.models().len().min(MODELS) {
            let Some(model) = self.scorer.models().get(place).copied() else {
                continue;
            };
            if model.schema.name != subject.schema().name {
                continue;
            }
            let mut verdicts = [Verdict::NOTHING; WAITING_ROWS];
            let verdicts = verdicts.get_mut(..rows.len()).unwrap_or_default();
            self.scorer.score(place, rows, verdicts);
            self.stats.scored += rows.len() as u64;
            for (verdict, host) in verdicts.iter().zip(hosts.iter()) {
                self.knowledge.report_verdict(*verdict, place, model.vote, *host, now, sink);
            }
        }
        rows.clear();
        hosts.clear();
    }
}
