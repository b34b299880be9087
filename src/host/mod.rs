//! What is remembered of each source host: sliding windows, sketches of distinct values, gauges.

pub mod family;
pub mod gauge;
pub mod newcomers;
pub mod owners;
pub mod rare;
pub mod sketch;
pub mod stations;
pub mod window;

use core::hash::{Hash, Hasher};

use crate::decode::Address;
use crate::detect::class::Class;
use crate::detect::vote::Ballot;
use crate::features::FeatureVector;
use crate::features::schema::{HOST_SOURCES, HostSource};
use crate::flow::key::Socket;
use crate::flow::table::{Handle, Worth};
use crate::limits::{MODELS, SCORED_OF_HOST};
use crate::mqtt::version::Version;
use crate::mqtt::violation::Violations;
use gauge::{Gauge, Gauges};
use rare::{Rare, Rares};
use sketch::{Distinct, Sketch};
use window::{Counter, Windows};

/// The key of the host table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostKey(pub Address);

impl Hash for HostKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0.0);
    }
}

/// No incident.
pub const NO_INCIDENT: u8 = u8::MAX;

/// How many rows about a host's connections and packets were scored in one second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScoredRows {
    second: u64,
    rows: [u8; 2],
}

impl ScoredRows {
    /// None.
    pub const NONE: Self = Self { second: 0, rows: [0; 2] };

    /// Whether one more may be scored in `second`, of the kind at `place`; it is counted if so.
    pub fn admits(&mut self, place: usize, second: u64) -> bool {
        if self.second != second {
            *self = Self { second, rows: [0; 2] };
        }
        let Some(rows) = self.rows.get_mut(place).filter(|rows| **rows < SCORED_OF_HOST) else {
            return false;
        };
        *rows += 1;
        true
    }
}

/// One source host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Counters over 10 and 60 seconds.
    pub windows: Windows,
    /// What is rare, over 60 seconds.
    pub rares: Rares,
    /// Counts of what is so now.
    pub gauges: Gauges,
    sketches: [Distinct; Sketch::COUNT],
    /// The second of the latest event.
    pub active: u64,
    /// Link address it was last seen with.
    pub mac: Option<[u8; 6]>,
    /// Whom it last opened a connection to.
    pub target: Option<Address>,
    /// The second of its latest CONNECT.
    pub connected_in: u64,
    /// The server it last spoke MQTT with.
    pub server: Option<Socket>,
    /// The client id of its latest CONNECT.
    pub client: Handle,
    /// Its open incident of each class, by index into the incident table.
    pub incidents: [u8; Class::ALL.len()],
    /// Kinds of violations since the host was last quiet for a minute.
    pub violation_kinds: Violations,
    /// The version of the session of the latest.
    pub violation_version: Version,
    /// Lengths, modulo 64, of the records that held a CONNECT in encrypted connections that ended like a refused login, as
    /// a bit set; since the host was last quiet for a minute.
    pub connect_sizes: u64,
    /// What the models said of it lately, by the model's place.
    pub ballots: [Ballot; MODELS],
    /// Its rows scored in one second.
    pub scored: ScoredRows,
}

impl Host {
    /// Never seen.
    pub const NEW: Self = Self {
        windows: Windows::EMPTY,
        rares: Rares::EMPTY,
        gauges: Gauges::NONE,
        sketches: [const { Distinct::EMPTY }; Sketch::COUNT],
        active: 0,
        mac: None,
        target: None,
        connected_in: 0,
        server: None,
        client: Handle::NONE,
        incidents: [NO_INCIDENT; Class::ALL.len()],
        violation_kinds: Violations::NONE,
        violation_version: Version::Unknown,
        connect_sizes: 0,
        ballots: [Ballot::EMPTY; MODELS],
        scored: ScoredRows::NONE,
    };

    /// Brings the windows up to `second`.
    #[inline]
    pub fn advance(&mut self, second: u64) {
        if second.saturating_sub(self.active) > 60 {
            self.sketches.iter_mut().for_each(Distinct::forget);
            self.violation_kinds = Violations::NONE;
            self.connect_sizes = 0;
        }
        self.windows.advance(second);
        self.rares.advance(second);
        self.active = self.active.max(second);
    }

    /// Counts `n` of something in the second given.
    #[inline]
    pub fn count(&mut self, counter: Counter, n: u32, second: u64) {
        self.advance(second);
        self.windows.add(counter, n);
    }

    /// Counts `n` of something rare in the second given.
    #[cold]
    pub fn count_rare(&mut self, counter: Rare, n: u32, second: u64) {
        self.advance(second);
        self.rares.add(counter, n);
    }

    /// Notes a value by its keyed hash, in the second given.
    #[inline]
    pub fn note(&mut self, sketch: Sketch, hash: u64, second: u64) {
        self.advance(second);
        self.sketches[sketch as usize].note(hash, second);
    }

    /// Distinct values over the last 60 seconds (a lower bound: see [`Distinct`]).
    #[inline]
    pub fn distinct(&mut self, sketch: Sketch, second: u64) -> u32 {
        self.sketches[sketch as usize].count(second)
    }

    /// Whether an incident of this host is open.
    #[must_use]
    pub fn has_incident(&self) -> bool {
        self.incidents.iter().any(|index| *index != NO_INCIDENT)
    }

    /// Whether nothing is in the windows of 60 seconds.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.windows.is_empty() && self.rares.is_empty()
    }

    /// Whether it has lately spoken MQTT, failed to connect, or done what no browser does: only then is there anything
    /// for the model to judge. A host that merely browses is nobody the model was trained on.
    #[must_use]
    pub fn is_of_interest(&self) -> bool {
        let spoke =
            self.windows.last60(Counter::SegmentsSent) + self.windows.last60(Counter::SegmentsReceived);
        spoke + self.windows.last60(Counter::SynFailed) > 0
            || self.gauges.get(Gauge::Sessions) + self.gauges.get(Gauge::Idle) > 0
            || self.is_busy_elsewhere()
    }

    /// Whether what it does besides MQTT is more than an honest host's housekeeping: name lookups, a few answers that
    /// nobody wanted, an address announced at start.
    fn is_busy_elsewhere(&self) -> bool {
        const FLOOD: u32 = 100;
        const SOME: u32 = 10;
        let last10 = |counter| self.windows.last10(counter);
        let rare = |counter| self.rares.last60(counter);
        last10(Counter::Syn).max(last10(Counter::UdpSent)).max(last10(Counter::OtherSent)) >= FLOOD
            || last10(Counter::HttpRequest) >= FLOOD
            || last10(Counter::Stray) >= SOME
            || rare(Rare::SshOpened).max(rare(Rare::TelnetOpened)) >= 3
            || rare(Rare::Unreachable).max(rare(Rare::ArpUnasked)) >= SOME
            || rare(Rare::ArpClaim) > 0
    }

    /// The feature vector over the windows that end with `second`.
    pub fn vector(&mut self, second: u64) -> FeatureVector {
        let mut vector = FeatureVector::ZERO;
        for (value, source) in vector.values.iter_mut().zip(HOST_SOURCES) {
            let number = match *source {
                HostSource::Last10(counter) => self.windows.last10(counter),
                HostSource::Last60(counter) => self.windows.last60(counter),
                HostSource::Rare60(counter) => self.rares.last60(counter),
                HostSource::Kinds => self.violation_kinds.len(),
                HostSource::Distinct60(sketch) => self.distinct(sketch, second),
                HostSource::Now(gauge) => self.gauges.get(gauge),
            };
            // Exact up to 2^24, beyond that rounded the same way everywhere.
            *value = number as f32;
        }
        vector
    }
}

impl Worth for Host {
    /// A host with open sessions or an open incident outlives one that only opened connections, so that
    /// made-up sources cannot push out real ones.
    fn worth(&self) -> u8 {
        if self.has_incident() {
            3
        } else if self.gauges.get(Gauge::Sessions) > 0 {
            2
        } else {
            u8::from(self.windows.last60(Counter::Accepted) > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::schema::HOST;

    fn value(vector: &FeatureVector, name: &str) -> f32 {
        vector.values[HOST.features.iter().position(|f| f.name == name).unwrap()]
    }

    #[test]
    fn the_vector_follows_the_schema() {
        let mut host = Host::NEW.clone();
        host.count(Counter::Connect, 3, 1000);
        host.count(Counter::Connect, 2, 1030);
        host.note(Sketch::ClientIds, 7, 1030);
        host.gauges.up(Gauge::Sessions);
        let vector = host.vector(1030);
        assert_eq!(value(&vector, "connect_10s"), 2.0);
        assert_eq!(value(&vector, "connect_60s"), 5.0);
        assert_eq!(value(&vector, "distinct_client_ids_60s"), 1.0);
        assert_eq!(value(&vector, "sessions_open"), 1.0);
        assert_eq!(HOST_SOURCES.len(), HOST.width());
    }

    #[test]
    fn long_silence_forgets_everything() {
        let mut host = Host::NEW.clone();
        host.note(Sketch::Topics, 7, 1000);
        host.count(Counter::Publish, 1, 1000);
        // 255 s later the stored second looks the same; it must not come back to life.
        host.advance(1255);
        assert_eq!(host.vector(1255), FeatureVector::ZERO);
    }

    #[test]
    fn worth_puts_incidents_and_sessions_first() {
        let mut host = Host::NEW.clone();
        assert_eq!(host.worth(), 0);
        host.count(Counter::Accepted, 1, 5);
        assert_eq!(host.worth(), 1);
        host.gauges.up(Gauge::Sessions);
        assert_eq!(host.worth(), 2);
        host.incidents[0] = 4;
        assert_eq!(host.worth(), 3);
    }
}
