//! The single source of feature names, order, units and schema hash, for training and serving alike.

use core::fmt;

use crate::host::gauge::Gauge;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;

/// One column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    /// Column name, lower case with underscores.
    pub name: &'static str,
    /// Unit of the value, such as `packets/10s`.
    pub unit: &'static str,
    /// What it measures, in one sentence.
    pub doc: &'static str,
}

/// An ordered list of columns with a name and a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schema {
    /// Such as `picket-host`.
    pub name: &'static str,
    /// Grows whenever a column changes its meaning without changing its name or unit.
    pub version: u16,
    /// The columns in order.
    pub features: &'static [Feature],
}

/// The 64-bit FNV-1a hash of a schema's name, version, column names and units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SchemaHash(pub u64);

impl fmt::Display for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Schema {
    /// How many columns.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.features.len()
    }

    /// The hash a model must carry to be served with this schema. It covers
    /// `name/version`, then `\n`, then `column:unit\n` for each column in order.
    #[must_use]
    pub fn hash(&self) -> SchemaHash {
        use fmt::Write as _;
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing into the hasher cannot fail.
        let _ = writeln!(hasher, "{}/{}", self.name, self.version);
        for feature in self.features {
            let _ = writeln!(hasher, "{}:{}", feature.name, feature.unit);
        }
        SchemaHash(hasher.0)
    }
}

/// FNV-1a: tells schemas apart, no defence against forgery, which is the business of the model's signature.
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for byte in s.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

/// Where the value of a host column comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostSource {
    /// Sum of a counter over the last 10 s.
    Last10(Counter),
    /// Sum of a counter over the last 60 s.
    Last60(Counter),
    /// Distinct values seen in the last 60 s.
    Distinct60(Sketch),
    /// A count of what is so at this moment.
    Now(Gauge),
}

macro_rules! host_columns {
    ($($name:literal $unit:literal $source:expr, $doc:literal;)+) => {
        /// Columns of the host vector: one source host's behaviour towards brokers and ports.
        const HOST_FEATURES: &[Feature] = &[$(Feature { name: $name, unit: $unit, doc: $doc }),+];
        /// Where each host column's value comes from, in the same order.
        pub const HOST_SOURCES: &[HostSource] = &[$($source),+];
    };
}

use HostSource::{Distinct60, Last10, Last60, Now};

host_columns! {
    "syn_10s" "segments/10s" Last10(Counter::Syn), "TCP connections opened";
    "syn_60s" "segments/60s" Last60(Counter::Syn), "TCP connections opened";
    "syn_failed_10s" "connections/10s" Last10(Counter::SynFailed), "connections opened that were refused, never answered or dropped unused";
    "syn_failed_60s" "connections/60s" Last60(Counter::SynFailed), "connections opened that were refused, never answered or dropped unused";
    "connect_10s" "packets/10s" Last10(Counter::Connect), "CONNECT sent";
    "connect_60s" "packets/60s" Last60(Counter::Connect), "CONNECT sent";
    "connect_accepted_10s" "packets/10s" Last10(Counter::Accepted), "CONNACK received that accepts";
    "connect_accepted_60s" "packets/60s" Last60(Counter::Accepted), "CONNACK received that accepts";
    "connect_refused_10s" "packets/10s" Last10(Counter::Refused), "CONNACK received that refuses";
    "connect_refused_60s" "packets/60s" Last60(Counter::Refused), "CONNACK received that refuses";
    "connect_long_keepalive_60s" "packets/60s" Last60(Counter::LongKeepAlive), "CONNECT with keep alive off or beyond one hour";
    "session_used_10s" "sessions/10s" Last10(Counter::SessionUsed), "sessions that published or subscribed for the first time";
    "session_used_60s" "sessions/60s" Last60(Counter::SessionUsed), "sessions that published or subscribed for the first time";
    "session_closed_by_broker_60s" "sessions/60s" Last60(Counter::ClosedByBroker), "accepted sessions that the broker ended";
    "publish_10s" "packets/10s" Last10(Counter::Publish), "PUBLISH sent";
    "publish_60s" "packets/60s" Last60(Counter::Publish), "PUBLISH sent";
    "publish_retained_10s" "packets/10s" Last10(Counter::PublishRetained), "PUBLISH sent with RETAIN";
    "publish_retained_60s" "packets/60s" Last60(Counter::PublishRetained), "PUBLISH sent with RETAIN";
    "publish_acked_10s" "packets/10s" Last10(Counter::PublishAcked), "PUBLISH sent with QoS 1 or 2";
    "publish_acked_60s" "packets/60s" Last60(Counter::PublishAcked), "PUBLISH sent with QoS 1 or 2";
    "publish_received_10s" "packets/10s" Last10(Counter::PublishReceived), "PUBLISH received";
    "publish_received_60s" "packets/60s" Last60(Counter::PublishReceived), "PUBLISH received";
    "subscribe_10s" "packets/10s" Last10(Counter::Subscribe), "SUBSCRIBE sent";
    "subscribe_60s" "packets/60s" Last60(Counter::Subscribe), "SUBSCRIBE sent";
    "pingreq_10s" "packets/10s" Last10(Counter::PingReq), "PINGREQ sent";
    "pingreq_60s" "packets/60s" Last60(Counter::PingReq), "PINGREQ sent";
    "disconnect_10s" "packets/10s" Last10(Counter::Disconnect), "DISCONNECT sent";
    "disconnect_60s" "packets/60s" Last60(Counter::Disconnect), "DISCONNECT sent";
    "violation_10s" "events/10s" Last10(Counter::Violation), "control packets sent that break the standard";
    "violation_60s" "events/60s" Last60(Counter::Violation), "control packets sent that break the standard";
    "oddity_60s" "events/60s" Last60(Counter::Oddity), "client ids and topics that are legal but that no honest client uses";
    "segments_sent_10s" "segments/10s" Last10(Counter::SegmentsSent), "MQTT segments sent";
    "segments_received_10s" "segments/10s" Last10(Counter::SegmentsReceived), "MQTT segments received";
    "bytes_sent_10s" "64 octets/10s" Last10(Counter::BytesSent), "MQTT payload sent, in units of 64 octets";
    "bytes_received_10s" "64 octets/10s" Last10(Counter::BytesReceived), "MQTT payload received, in units of 64 octets";
    "distinct_failed_ports_60s" "ports/60s" Distinct60(Sketch::FailedPorts), "distinct ports of failed connections";
    "distinct_hosts_60s" "hosts/60s" Distinct60(Sketch::Hosts), "distinct hosts to which connections were opened";
    "distinct_client_ids_60s" "ids/60s" Distinct60(Sketch::ClientIds), "distinct client ids connected as";
    "distinct_credentials_60s" "pairs/60s" Distinct60(Sketch::Credentials), "distinct pairs of user name and password tried";
    "distinct_topics_60s" "topics/60s" Distinct60(Sketch::Topics), "distinct topics published to";
    "sessions_open" "sessions" Now(Gauge::Sessions), "accepted sessions open at this moment";
    "sessions_unused" "sessions" Now(Gauge::Unused), "open sessions that never published nor subscribed";
    "sessions_idle" "sessions" Now(Gauge::Idle), "sessions unused for more than 20 s";
}

/// One row per source host, second and 10 s / 60 s windows.
pub const HOST: Schema = Schema { name: "picket-host", version: 1, features: HOST_FEATURES };

const _: () = assert!(HOST.width() <= crate::limits::MAX_FEATURES);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_names_are_unique_and_plain() {
        for (i, feature) in HOST.features.iter().enumerate() {
            assert!(!HOST.features[..i].iter().any(|f| f.name == feature.name), "{}", feature.name);
            assert!(feature.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        }
    }

    #[test]
    fn the_hash_sees_order_names_units_and_version() {
        const A: Feature = Feature { name: "a", unit: "s", doc: "" };
        const B: Feature = Feature { name: "b", unit: "s", doc: "" };
        const B2: Feature = Feature { name: "b", unit: "ms", doc: "other words" };
        let hash = |version, features| Schema { name: "x", version, features }.hash();
        let base = hash(1, &[A, B]);
        assert_ne!(base, hash(1, &[B, A]));
        assert_ne!(base, hash(1, &[A, B2]));
        assert_ne!(base, hash(2, &[A, B]));
        assert_eq!(base, hash(1, &[A, Feature { doc: "better words", ..B }]));
    }
}
