//! Rows that wait for the models, and what becomes of the verdicts.
//!
//! Rows about hosts are few: one for each host and second. Rows about connections and packets are as many as an attacker
//! wants, so that only the first of each host and second are scored, and only so many of all hosts: the rest is
//! counted and passed over. The work of a second is bounded, whatever the line carries.

use heapless::Vec;

use super::{Engine, Sink};
use crate::detect::scorer::{Scorer, Verdict};
use crate::detect::vote::Ballot;
use crate::features::FeatureVector;
use crate::features::connection::CONNECTION;
use crate::features::packet::PACKET;
use crate::features::schema::{HOST, Schema};
use crate::flow::table::Handle;
use crate::host::Host;
use crate::limits::{MODELS, PACKETS_OF_SEGMENT, SCORED_PER_SECOND, WAITING_ROWS};
use crate::time::Timestamp;

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// A source host over its windows.
    Host,
    /// A connection.
    Connection,
    /// A control packet of a client.
    Packet,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Host, Self::Connection, Self::Packet];

    const fn schema(self) -> &'static Schema {
        match self {
            Self::Host => &HOST,
            Self::Connection => &CONNECTION,
            Self::Packet => &PACKET,
        }
    }
}

/// Places of [`ScoredRows`](crate::host::ScoredRows).
const OF_CONNECTIONS: usize = 0;
const OF_PACKETS: usize = 1;

/// Rows about control packets between their reading, where only what is known of hosts is at hand, and the models.
#[derive(Debug)]
pub(super) struct PacketRows {
    /// Whether any model wants them.
    pub(super) wanted: bool,
    waiting: Vec<(FeatureVector, Handle), PACKETS_OF_SEGMENT>,
    passed_over: u64,
}

impl PacketRows {
    /// None yet.
    pub(super) const fn new(wanted: bool) -> Self {
        Self { wanted, waiting: Vec::new(), passed_over: 0 }
    }

    /// Whether there is something for [`Engine::offer_packets`] to do.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a row about a control packet of this host is to be scored, so that it is made only then.
    pub(super) fn admits(&mut self, host: &mut Host, now: Timestamp) -> bool {
        let admits = !self.waiting.is_full() && host.scored.admits(OF_PACKETS, now.as_secs());
        if !admits {
            self.passed_over += 1;
        }
        admits
    }

    /// Lets a row wait for the end of its segment.
    pub(super) fn push(&mut self, row: FeatureVector, host: Handle) {
        // Who was admitted finds room.
        let _ = self.waiting.push((row, host));
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

    /// Whether one more row of this kind may be scored in the second of `now`; it is counted either way.
    fn admits(&mut self, subject: Subject, now: Timestamp) -> bool {
        let second = now.as_secs();
        if self.second != second {
            self.second = second;
            self.waiting.iter_mut().for_each(|waiting| waiting.taken = 0);
        }
        let waiting = &mut self.waiting[subject as usize];
        let admits = waiting.taken < SCORED_PER_SECOND;
        if admits {
            waiting.taken += 1;
        } else {
            self.passed_over += 1;
        }
        admits
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
    /// The model at `place` is another one from now on. Rows are made as the models want them now, and what the old one said
    /// of hosts counts no more; connections, windows and rows that wait stay as they are.
    #[cold]
    pub fn model_changed(&mut self, place: usize) {
        self.scoring.ask_wishes(&self.scorer);
        self.knowledge.packet_rows.wanted = self.scoring.wants(Subject::Packet);
        for host in self.knowledge.hosts.values_mut() {
            if let Some(ballot) = host.ballots.get_mut(place) {
                *ballot = Ballot::EMPTY;
            }
        }
    }

    /// Whether a row about a connection of this host is to be scored, so that it is made only then.
    pub(super) fn admits(&mut self, subject: Subject, host: Handle, now: Timestamp) -> bool {
        if !self.scoring.wants(subject) {
            return false;
        }
        let Some((_, host)) = self.knowledge.hosts.at(host).filter(|(_, host)| host.is_of_interest()) else {
            return false;
        };
        if !host.scored.admits(OF_CONNECTIONS, now.as_secs()) {
            self.scoring.passed_over += 1;
            return false;
        }
        self.scoring.admits(subject, now)
    }

    /// Hands the rows of the control packets just read to the models.
    #[cold]
    pub(super) fn offer_packets<K: Sink>(&mut self, now: Timestamp, sink: &mut K) {
        self.scoring.passed_over += core::mem::take(&mut self.knowledge.packet_rows.passed_over);
        for (row, host) in core::mem::take(&mut self.knowledge.packet_rows.waiting) {
            if self.scoring.admits(Subject::Packet, now) {
                self.offer(Subject::Packet, &row, host, now, sink);
            }
        }
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
        self.offer_packets(now, sink);
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
