//! What the sensors say of one release, and whether they have ended.

use std::collections::BTreeMap;

use crate::update::document::{Release, Reported, State};

/// Sensors that are followed, at most.
const MAX_SENSORS: usize = 4096;

/// Which release, and when a sensor has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Goal {
    pub(super) request: String,
    pub(super) target: Release,
    /// Whether a release that is in use on probation has arrived.
    pub(super) probation_suffices: bool,
}

/// Where a sensor is with the release.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Progress {
    /// It failed there, or was taken back.
    Failed,
    /// On its way.
    Underway,
    /// The sensor has not said anything about it.
    Silent,
    /// There.
    Arrived,
}

/// One sensor.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    /// What it said last.
    pub(super) reported: Option<Reported>,
    /// Whether it is connected, where it has said so.
    pub(super) is_online: Option<bool>,
    pub(super) progress: Progress,
}

impl Row {
    const SILENT: Self = Self { reported: None, is_online: None, progress: Progress::Silent };
}

/// The sensors.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Fleet {
    goal: Goal,
    rows: BTreeMap<String, Row>,
    /// Whether others than those named at the start are taken in.
    is_open: bool,
    expected: Option<usize>,
}

impl Fleet {
    /// The sensors that were named.
    pub(super) fn of(goal: Goal, names: impl IntoIterator<Item = String>) -> Self {
        let row = |name| (name, Row::SILENT);
        let rows: BTreeMap<_, _> = names.into_iter().map(row).collect();
        Self { goal, expected: Some(rows.len()), rows, is_open: false }
    }

    /// Whoever speaks up; all have ended when `expected` have.
    pub(super) const fn open(goal: Goal, expected: Option<usize>) -> Self {
        Self { goal, rows: BTreeMap::new(), is_open: true, expected }
    }

    /// A sensor says something of its update. Returns whether its line changed.
    pub(super) fn reported(&mut self, sensor: &str, message: &[u8]) -> bool {
        let Some(reported) = Reported::read(message).ok().filter(|reported| reported.sensor == sensor) else {
            return false;
        };
        let progress = self.goal.progress(&reported);
        // Of a channel only those that follow it are of interest: they name it.
        if self.is_open && progress == Progress::Silent && !self.rows.contains_key(sensor) {
            return false;
        }
        let Some(row) = self.row(sensor) else { return false };
        let seen = |row: &Row| {
            let of = |r: &Reported| (r.state, r.reason, r.detail.clone(), r.active, r.target);
            (row.progress, row.reported.as_ref().map(of))
        };
        let before = seen(row);
        row.reported = Some(reported);
        row.progress = progress;
        seen(row) != before
    }

    /// A sensor is connected, or not.
    pub(super) fn online(&mut self, sensor: &str, message: &[u8]) {
        let status: Option<serde_json::Value> = serde_json::from_slice(message).ok();
        let is_online = status.and_then(|status| status.get("online")?.as_bool());
        if let (Some(is_online), Some(row)) = (is_online, self.rows.get_mut(sensor)) {
            row.is_online = Some(is_online);
        }
    }

    fn row(&mut self, sensor: &str) -> Option<&mut Row> {
        if self.is_open && self.rows.len() < MAX_SENSORS && !self.rows.contains_key(sensor) {
            self.rows.insert(sensor.to_owned(), Row::SILENT);
        }
        self.rows.get_mut(sensor)
    }

    /// Whether sensors that were not named take part.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether blocks may be asked for by this sensor.
    pub(super) fn serves(&self, sensor: &str) -> bool {
        self.is_open || self.rows.contains_key(sensor)
    }

    /// The sensors in the order of their names.
    pub(super) const fn rows(&self) -> &BTreeMap<String, Row> {
        &self.rows
    }

    /// How many are so far.
    pub(super) fn count(&self, progress: Progress) -> usize {
        self.rows.values().filter(|row| row.progress == progress).count()
    }

    /// Whether nothing more is to come.
    pub(super) fn has_ended(&self) -> bool {
        let ended = self.count(Progress::Arrived) + self.count(Progress::Failed);
        self.expected.is_some_and(|expected| ended >= expected)
    }

    /// How many are waited for; none when that is not known.
    pub(super) const fn expected(&self) -> Option<usize> {
        self.expected
    }
}

impl Goal {
    fn progress(&self, reported: &Reported) -> Progress {
        let Reported { state, active, target, request, bad, .. } = reported;
        let is_ours = request.as_deref() == Some(&self.request);
        let is_target = *target == Some(self.target);
        if *active == Some(self.target) {
            return match state {
                State::Probation if !self.probation_suffices => Progress::Underway,
                State::RolledBack if is_ours || is_target => Progress::Failed,
                _ => Progress::Arrived,
            };
        }
        match state {
            State::Failed | State::RolledBack if is_ours || (is_target && request.is_none()) => {
                Progress::Failed
            }
            // What an earlier request came to.
            State::Failed | State::RolledBack => Progress::Silent,
            _ if is_ours || is_target => Progress::Underway,
            // It was given up while nobody looked, and the sensor has started since.
            State::Idle if bad.contains(&self.target.release) => Progress::Failed,
            _ => Progress::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::digest::Digest;
    use crate::update::document::Moment;
    use crate::update::reason::Reason;

    fn goal() -> Goal {
        let target = Release { release: 7, sha256: Digest([7; 32]) };
        Goal { request: "night".to_owned(), target, probation_suffices: false }
    }

    fn reported(state: State, change: impl FnOnce(&mut Reported)) -> Reported {
        let mut reported = Reported {
            schema: Reported::SCHEMA.to_owned(),
            sensor: "gw-1".to_owned(),
            ts: Moment(1_795_000_000),
            state,
            active: Some(Release { release: 6, sha256: Digest([6; 32]) }),
            target: Some(goal().target),
            request: Some("night".to_owned()),
            reason: None,
            detail: None,
            progress: None,
            shadow: None,
            floor: 0,
            root_version: 1,
            timestamp_seq: 1,
            bad: Vec::new(),
        };
        change(&mut reported);
        reported
    }

    #[test]
    fn what_a_sensor_says_is_how_far_it_is() {
        let active = |r: &mut Reported| r.active = Some(goal().target);
        let other = |r: &mut Reported| (r.request, r.target) = (Some("old".to_owned()), None);
        let restarted = |r: &mut Reported| (r.request, r.target) = (None, None);
        let bad = |r: &mut Reported| (r.request, r.target, r.bad) = (None, None, vec![7]);
        for (state, change, expected) in [
            (State::Downloading, &(|_: &mut Reported| ()) as &dyn Fn(&mut Reported), Progress::Underway),
            (State::Deferred, &|_| (), Progress::Underway),
            (State::Probation, &active, Progress::Underway),
            (State::Committed, &active, Progress::Arrived),
            (
                State::Idle,
                &|r| (r.request, r.target, r.active) = (None, None, Some(goal().target)),
                Progress::Arrived,
            ),
            (State::Failed, &|_| (), Progress::Failed),
            (State::RolledBack, &|_| (), Progress::Failed),
            (State::Failed, &other, Progress::Silent),
            (State::Idle, &restarted, Progress::Silent),
            (State::Idle, &bad, Progress::Failed),
        ] {
            assert_eq!(goal().progress(&reported(state, change)), expected, "{state:?}");
        }
        let soon = Goal { probation_suffices: true, ..goal() };
        assert_eq!(soon.progress(&reported(State::Probation, active)), Progress::Arrived);
    }

    #[test]
    fn named_sensors_are_waited_for_and_strangers_not_heard() {
        let mut fleet = Fleet::of(goal(), ["gw-1", "gw-2"].map(str::to_owned));
        let say = |fleet: &mut Fleet, sensor: &str, state, reason| {
            let change = |r: &mut Reported| {
                (r.sensor, r.reason) = (sensor.to_owned(), reason);
                if state == State::Committed {
                    r.active = r.target;
                }
            };
            fleet.reported(sensor, &serde_json::to_vec(&reported(state, change)).unwrap())
        };
        assert!(!say(&mut fleet, "gw-3", State::Committed, None));
        assert!(!fleet.reported("gw-1", b"{}") && !fleet.serves("gw-3") && fleet.serves("gw-2"));
        assert!(say(&mut fleet, "gw-1", State::Committed, None));
        assert!(!say(&mut fleet, "gw-1", State::Committed, None), "nothing new");
        assert!(!fleet.has_ended());
        assert!(say(&mut fleet, "gw-2", State::Failed, Some(Reason::TooSlow)));
        assert!(fleet.has_ended());
        assert_eq!((fleet.count(Progress::Arrived), fleet.count(Progress::Failed)), (1, 1));
        fleet.online("gw-2", br#"{"online":false}"#);
        assert_eq!(fleet.rows()["gw-2"].is_online, Some(false));
    }

    #[test]
    fn of_a_channel_those_are_followed_that_take_part() {
        let mut fleet = Fleet::open(goal(), Some(1));
        let idle = reported(State::Idle, |r| (r.request, r.target) = (None, None));
        assert!(!fleet.reported("gw-1", &serde_json::to_vec(&idle).unwrap()));
        assert!(fleet.rows().is_empty() && !fleet.has_ended());
        let done = reported(State::Committed, |r| r.active = r.target);
        assert!(fleet.reported("gw-1", &serde_json::to_vec(&done).unwrap()));
        assert!(fleet.has_ended());
        // A sensor speaks for itself alone.
        assert!(!fleet.reported("gw-2", &serde_json::to_vec(&done).unwrap()));
    }
}
