//! Keeping the byte budget: which documents go, and what is said about them.

use super::db::{Database, weight};
use super::{Record, StoreError};
use crate::publish::payload::{Head, Lost, LostReason};

/// Documents read at a time.
const PAGE: usize = 256;

/// What has to go.
#[derive(Default, Debug)]
pub(super) struct Eviction {
    /// The numbers to remove.
    pub removed: Vec<u64>,
    /// Of those, how many the broker had not acknowledged.
    pub pending: u64,
    /// Their weight in bytes.
    pub bytes: u64,
    /// What the stream has to say about those the broker had not acknowledged.
    pub lost: Option<Lost>,
}

/// Plans the removal of at least `excess` bytes: the oldest acknowledged documents first, then the oldest.
pub(super) fn plan(database: &Database, excess: u64) -> Result<Eviction, StoreError> {
    let mut plan = Eviction::default();
    each(database, |record| {
        let enough = plan.bytes >= excess;
        if !enough && !database.is_pending(record.seq)? {
            plan.take(record, false);
        }
        Ok(!enough)
    })?;
    if plan.bytes < excess {
        each(database, |record| {
            let enough = plan.bytes >= excess;
            if !enough && database.is_pending(record.seq)? {
                plan.take(record, true);
            }
            Ok(!enough)
        })?;
    }
    Ok(plan)
}

/// Shows every document to `f`, oldest first, until it says `false`.
fn each(
    database: &Database,
    mut f: impl FnMut(&Record) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = database.range(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        for record in &page {
            if !f(record)? {
                return Ok(());
            }
        }
    }
}

impl Eviction {
    fn take(&mut self, record: &Record, pending: bool) {
        self.removed.push(record.seq);
        self.bytes += weight(&record.json);
        if !pending {
            return;
        }
        self.pending += 1;
        // A lost record that goes itself lives on in the new one.
        let (from_seq, to_seq, count) = match Head::of(&record.json) {
            Ok(Head::Lost { from_seq, to_seq, count, .. }) => {
                (from_seq.min(record.seq), to_seq.max(record.seq), count)
            }
            _ => (record.seq, record.seq, Some(1)),
        };
        self.lost = Some(match self.lost {
            None => Lost { from_seq, to_seq, count, reason: LostReason::Budget },
            Some(lost) => Lost {
                from_seq: lost.from_seq.min(from_seq),
                to_seq: lost.to_seq.max(to_seq),
                count: lost.count.zip(count).map(|(a, b)| a.saturating_add(b)),
                reason: LostReason::Budget,
            },
        });
    }
}
