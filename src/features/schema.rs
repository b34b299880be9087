//! The single source of feature names, order, units and schema hash, for training and serving alike.

use core::fmt;

use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
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
        hash_of(self.name, self.version, self.features.iter().map(|feature| (feature.name, feature.unit)))
    }
}

/// The hash of a schema with these columns and units; see [`Schema::hash`].
pub(crate) fn hash_of<'a>(
    name: &str,
    version: u16,
    columns: impl Iterator<Item = (&'a str, &'a str)>,
) -> SchemaHash {
    use fmt::Write as _;
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    // Writing into the hasher cannot fail.
    let _ = writeln!(hasher, "{name}/{version}");
    for (column, unit) in columns {
        let _ = writeln!(hasher, "{column}:{unit}");
    }
    SchemaHash(hasher.0)
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
    /// Sum of a counter of what is rare over the last 60 s.
    Rare60(Rare),
    /// Kinds of violations since the host was last quiet for a minute.
    Kinds,
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

use HostSource::{Distinct60, Kinds, Last10, Last60, Now, Rare60};

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
    "encrypted_refused_60s" "connections/60s" Last60(Counter::EncryptedRefused), "connections with MQTT in TLS that ended like a refused login";
    "connect_persistent_60s" "packets/60s" Rare60(Rare::Persistent), "CONNECT sent whose session the server keeps after the connection";
    "connect_will_60s" "packets/60s" Rare60(Rare::Will), "CONNECT sent with a will";
    "will_released_60s" "sessions/60s" Rare60(Rare::WillReleased), "sessions with a will that ended without DISCONNECT";
    "takeover_60s" "packets/60s" Rare60(Rare::Takeover), "CONNECT sent with a client id whose session another host holds open";
    "qos2_open" "messages" Now(Gauge::Qos2Open), "PUBLISH sent with QoS 2 whose PUBREL has not come";
    "publish_emptied_60s" "packets/60s" Rare60(Rare::Emptied), "PUBLISH sent with RETAIN and no payload, which wipes what the server keeps";
    "publish_foreign_60s" "packets/60s" Rare60(Rare::Foreign), "PUBLISH and wills sent with a topic that another host publishes to";
    "publish_commanding_60s" "packets/60s" Rare60(Rare::Commanding), "PUBLISH and wills sent with a topic that another host subscribes to by name";
    "publish_refused_60s" "packets/60s" Rare60(Rare::PublishRefused), "PUBACK and PUBREC received that refuse";
    "retained_received_60s" "packets/60s" Rare60(Rare::RetainedReceived), "PUBLISH received with RETAIN";
    "filters_60s" "filters/60s" Rare60(Rare::Filters), "topic filters subscribed to";
    "filters_wildcard_60s" "filters/60s" Rare60(Rare::WildcardFilters), "topic filters with wildcards subscribed to";
    "filters_shared_60s" "filters/60s" Rare60(Rare::SharedFilters), "shared subscriptions made";
    "subscribe_all_60s" "packets/60s" Rare60(Rare::ReadsAll), "SUBSCRIBE sent to everything, or to the server's own figures";
    "filters_refused_60s" "filters/60s" Rare60(Rare::FiltersRefused), "topic filters that a SUBACK refused";
    "distinct_filters_60s" "filters/60s" Distinct60(Sketch::Filters), "distinct topic filters subscribed to";
    "large_packets_60s" "packets/60s" Rare60(Rare::Large), "control packets sent with a Remaining Length of 64 KiB or more";
    "stalled_60s" "looks/60s" Rare60(Rare::Stalled), "looks, ten seconds apart, at connections in which the same control packet was incomplete both times";
    "property_bytes_60s" "64 octets/60s" Rare60(Rare::PropertyBytes), "properties sent, in units of 64 octets";
    "violation_format_60s" "packets/60s" Rare60(Rare::BadFormat), "control packets sent that cannot be read as what they say they are";
    "violation_order_60s" "packets/60s" Rare60(Rare::BadOrder), "control packets sent when they must not be";
    "violation_identifier_60s" "packets/60s" Rare60(Rare::BadIdentifier), "control packets sent that use packet identifiers, QoS or acknowledgements wrongly";
    "violation_text_60s" "packets/60s" Rare60(Rare::BadText), "control packets sent with strings, topics or filters that are none";
    "violation_property_60s" "packets/60s" Rare60(Rare::BadProperty), "control packets sent that use properties or topic aliases wrongly";
    "violation_kinds" "kinds" Kinds, "kinds of violations since the host was last quiet for a minute";
    "ssh_opened_60s" "connections/60s" Rare60(Rare::SshOpened), "TCP connections opened to SSH";
    "telnet_opened_60s" "connections/60s" Rare60(Rare::TelnetOpened), "TCP connections opened to Telnet";
    "http_requests_10s" "segments/10s" Last10(Counter::HttpRequest), "segments sent that begin an HTTP request";
    "distinct_failed_hosts_60s" "hosts/60s" Distinct60(Sketch::FailedHosts), "distinct hosts of failed connections";
    "stray_sent_10s" "segments/10s" Last10(Counter::Stray), "TCP segments sent that belong to no connection";
    "udp_sent_10s" "datagrams/10s" Last10(Counter::UdpSent), "UDP datagrams sent as a client does, to a port as high as the sender's or lower";
    "distinct_probed_ports_60s" "ports/60s" Distinct60(Sketch::ProbedPorts), "distinct destination ports of these datagrams and of the segments that belong to no connection";
    "unreachable_60s" "messages/60s" Rare60(Rare::Unreachable), "ICMP messages received that say that somebody could not be reached";
    "other_sent_10s" "packets/10s" Last10(Counter::OtherSent), "IP packets sent with neither TCP nor UDP in them, such as ICMP and tunnels";
    "arp_unasked_60s" "messages/60s" Rare60(Rare::ArpUnasked), "ARP messages sent that announce an address and that nobody asked for";
    "arp_claims_60s" "messages/60s" Rare60(Rare::ArpClaim), "ARP messages sent that claim an address of another station";
}

/// One row per source host, second and 10 s / 60 s windows.
pub const HOST: Schema = Schema { name: "picket-host", version: 2, features: HOST_FEATURES };

/// The schema before version 2: its columns are the first of today's, so that models made for it still work.
pub const HOST_V1: Schema =
    Schema { name: "picket-host", version: 1, features: HOST_FEATURES.split_at(43).0 };

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
    fn only_counters_with_a_short_window_are_asked_for_it() {
        for source in HOST_SOURCES {
            assert!(!matches!(source, Last10(counter) if *counter as usize >= Counter::SHORT_COUNT));
        }
    }

    #[test]
    fn version_1_is_what_it_was() {
        assert_eq!(HOST_V1.hash().to_string(), "1f524937637b0f88");
        assert_eq!(HOST.features[..43], *HOST_V1.features);
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
