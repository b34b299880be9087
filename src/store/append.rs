//! Adding to the stream.

use super::db::{Change, weight};
use super::directory::{OpenReport, Opened};
use super::{Counts, Record, Store, StoreConfig, StoreError, evict};
use crate::alert::Alert;
use crate::publish::payload::{Identity, Lost, LostReason, alert_json, lost_json};
use crate::time::Timestamp;

impl Store {
    /// Numbers the alerts, stores them and their place in the outbox, and returns when the disk has them.
    ///
    /// When that passes the byte budget the oldest documents go first; if any of them had not been acknowledged
    /// by the broker, a lost record comes before the new alerts. All of it is on the disk or none of it. The
    /// returned documents include that record. `now` dates it.
    ///
    /// # Errors
    /// The disk is full or the database fails: nothing was stored and the store is closed until
    /// [`Store::reopen`].
    pub fn append(
        &mut self,
        alerts: &[Alert],
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Vec<Record>, StoreError> {
        let render = |first: u64| -> Vec<Record> {
            (first..)
                .zip(alerts)
                .map(|(seq, alert)| Record { seq, json: alert_json(alert, seq, identity) })
                .collect()
        };
        let records = render(self.next_seq);
        self.add(records, render, identity, now)
    }

    /// Says in the stream that `count` alerts were lost before they could be stored. They take `count` numbers,
    /// so that the range in the record is theirs alone.
    ///
    /// # Errors
    /// As for [`Store::append`].
    pub fn append_lost(
        &mut self,
        count: u64,
        reason: LostReason,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Vec<Record>, StoreError> {
        let render = |first: u64| -> Vec<Record> {
            let lost = Lost { from_seq: first, to_seq: first + count - 1, count: Some(count), reason };
            let seq = first + count;
            vec![Record { seq, json: lost_json(&lost, seq, now, identity) }]
        };
        if count == 0 {
            return Ok(Vec::new());
        }
        let records = render(self.next_seq);
        self.add(records, render, identity, now)
    }

    /// Takes over what [`super::directory::Directory::open`] found.
    pub(super) fn install(
        &mut self,
        opened: Opened,
        report: &OpenReport,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.counts = Counts {
            records: opened.scan.records,
            pending: opened.scan.pending,
            live_bytes: opened.scan.live_bytes,
            evicted: self.counts.evicted,
        };
        self.database = Some(opened.database);
        self.next_seq = opened.next_seq;
        self.unflushed = false;
        if let Some(lost) = report.lost {
            let render = |seq: u64| -> Vec<Record> {
                vec![Record { seq, json: lost_json(&lost, seq, now, identity) }]
            };
            self.add(render(self.next_seq), render, identity, now)?;
        }
        Ok(())
    }

    /// Stores `records`, which `render` can make again with other numbers should a lost record come first.
    fn add(
        &mut self,
        mut records: Vec<Record>,
        render: impl Fn(u64) -> Vec<Record>,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Vec<Record>, StoreError> {
        let budget = self.config.byte_budget.max(StoreConfig::LEAST_BUDGET);
        let wanted = self.counts.live_bytes + records.iter().map(|record| weight(&record.json)).sum::<u64>();
        let mut change = Change::default();
        let mut counts = self.counts;
        if wanted > budget {
            // An eighth more than needed goes, so that one lost record covers many alerts.
            let excess = wanted - budget + budget / 8;
            let plan = self.with_database(|database| evict::plan(database, excess))?;
            for seq in &plan.removed {
                change.remove(*seq);
            }
            let removed = u64::try_from(plan.removed.len()).unwrap_or(u64::MAX);
            counts.records -= removed;
            counts.pending -= plan.pending;
            counts.live_bytes -= plan.bytes;
            counts.evicted += removed;
            if let Some(lost) = plan.lost {
                let seq = self.next_seq;
                records = render(seq + 1);
                records.insert(0, Record { seq, json: lost_json(&lost, seq, now, identity) });
            }
        }
        for record in &records {
            change.insert(record);
            counts.records += 1;
            counts.pending += 1;
            counts.live_bytes += weight(&record.json);
        }
        let next_seq = records.last().map_or(self.next_seq, |record| record.seq + 1);
        self.directory.reserve(next_seq)?;
        self.with_database(|database| database.commit(change, next_seq, counts.records))?;
        self.next_seq = next_seq;
        self.counts = counts;
        self.unflushed = false;
        Ok(records)
    }
}
