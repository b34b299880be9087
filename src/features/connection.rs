//! The vector of one connection, at its end and every ten seconds while it lives.

use super::FeatureVector;
use super::schema::{Feature, Schema};
use crate::flow::carrier::Carrier;
use crate::flow::connection::{Connection, Speaks};
use crate::time::Timestamp;
use crate::tls::cadence::Cadence;

macro_rules! connection_columns {
    ($($name:literal $unit:literal $value:expr, $doc:literal;)+) => {
        const FEATURES: &[Feature] = &[$(Feature { name: $name, unit: $unit, doc: $doc }),+];
        const VALUES: &[fn(&Connection, Timestamp) -> u64] = &[$($value),+];
    };
}

/// Microseconds as whole milliseconds.
const fn millis(micros: u64) -> u64 {
    micros / 1000
}

connection_columns! {
    "age" "ms" |c, now| millis(now.micros_since(c.opened)), "time since the first segment";
    "silence" "ms" |c, now| millis(now.micros_since(c.last_seen)), "time since the latest segment";
    "segments_up" "segments" |c, _| u64::from(c.up.meter.lengths.count()), "segments to the server";
    "segments_down" "segments" |c, _| u64::from(c.down.meter.lengths.count()), "segments to the client";
    "payload_up" "octets" |c, _| c.up.meter.payload, "TCP payload to the server";
    "payload_down" "octets" |c, _| c.down.meter.payload, "TCP payload to the client";
    "length_mean_up" "octets" |c, _| c.up.meter.lengths.mean(), "mean length of the IP packets to the server";
    "length_deviation_up" "octets" |c, _| c.up.meter.lengths.deviation(), "population standard deviation of these lengths";
    "length_min_up" "octets" |c, _| u64::from(c.up.meter.lengths.min()), "shortest of them";
    "length_max_up" "octets" |c, _| u64::from(c.up.meter.lengths.max()), "longest of them";
    "length_mean_down" "octets" |c, _| c.down.meter.lengths.mean(), "mean length of the IP packets to the client";
    "length_deviation_down" "octets" |c, _| c.down.meter.lengths.deviation(), "population standard deviation of these lengths";
    "length_min_down" "octets" |c, _| u64::from(c.down.meter.lengths.min()), "shortest of them";
    "length_max_down" "octets" |c, _| u64::from(c.down.meter.lengths.max()), "longest of them";
    "interval_mean_up" "us" |c, _| c.up.meter.intervals.mean(), "mean time between segments to the server";
    "interval_deviation_up" "us" |c, _| c.up.meter.intervals.deviation(), "population standard deviation of these times";
    "interval_max_up" "us" |c, _| u64::from(c.up.meter.intervals.max()), "longest of them";
    "interval_mean_down" "us" |c, _| c.down.meter.intervals.mean(), "mean time between segments to the client";
    "interval_deviation_down" "us" |c, _| c.down.meter.intervals.deviation(), "population standard deviation of these times";
    "interval_max_down" "us" |c, _| u64::from(c.down.meter.intervals.max()), "longest of them";
    "pushes_up" "segments" |c, _| u64::from(c.up.meter.pushes), "segments with PSH to the server";
    "pushes_down" "segments" |c, _| u64::from(c.down.meter.pushes), "segments with PSH to the client";
    "fins" "segments" |c, _| u64::from(c.up.meter.fins) + u64::from(c.down.meter.fins), "segments with FIN";
    "resets" "segments" |c, _| u64::from(c.up.meter.resets) + u64::from(c.down.meter.resets), "segments with RST";
    "packets_up" "packets" |c, _| u64::from(c.session.tally.packets[0]), "control packets to the server";
    "packets_down" "packets" |c, _| u64::from(c.session.tally.packets[1]), "control packets to the client";
    "connack_delay" "us" |c, _| u64::from(c.session.connack_delay.unwrap_or(0)), "from CONNECT to CONNACK";
    "refused" "flag" |c, _| u64::from(c.session.refused), "CONNACK refused";
    "keep_alive" "s" |c, _| u64::from(c.session.keep_alive), "keep alive of the CONNECT";
    "client_id_length" "octets" |c, _| u64::from(c.session.client_id_len), "length of the client id";
    "protocol_level" "level" |c, _| u64::from(c.session.version.level()), "3, 4, 5, or 0 when unknown";
    "clean" "flag" |c, _| u64::from(c.session.clean), "clean session";
    "will" "flag" |c, _| u64::from(c.session.has_will), "a will was left";
    "user_name" "flag" |c, _| u64::from(c.session.has_user), "a user name was given";
    "publish_qos0" "packets" |c, _| u64::from(c.session.tally.published[0]), "PUBLISH with QoS 0 by the client";
    "publish_qos1" "packets" |c, _| u64::from(c.session.tally.published[1]), "PUBLISH with QoS 1 by the client";
    "publish_qos2" "packets" |c, _| u64::from(c.session.tally.published[2]), "PUBLISH with QoS 2 by the client";
    "publish_retained" "packets" |c, _| u64::from(c.session.tally.retained), "PUBLISH with RETAIN by the client";
    "publish_duplicates" "packets" |c, _| u64::from(c.session.tally.duplicates), "PUBLISH with DUP by the client";
    "publish_unanswered" "packets" |c, _| unanswered(c), "PUBLISH with QoS 1 or 2 by the client without PUBACK or PUBREC";
    "remaining_length_mean" "octets" |c, _| mean(c.session.tally.length_sum, c.session.tally.packets[0]), "mean Remaining Length of the client's packets";
    "remaining_length_max" "octets" |c, _| u64::from(c.session.tally.length_max), "longest of them";
    "topic_length_mean" "octets" |c, _| mean(c.session.tally.topic_len_sum, published(c)), "mean length of the topics the client published to";
    "filters" "filters" |c, _| u64::from(c.session.tally.filters), "topic filters subscribed to";
    "wildcard_filters" "filters" |c, _| u64::from(c.session.tally.wildcards), "of these, with wildcards";
    "pings" "packets" |c, _| u64::from(c.session.tally.pings), "PINGREQ";
    "violations" "events" |c, _| u64::from(c.session.tally.violations), "breaches of the standard by the client";
    "websocket" "flag" |c, _| u64::from(matches!(c.carrier, Carrier::WebSocket(_))), "control packets in a WebSocket";
    "encrypted" "flag" |c, _| u64::from(c.session.speaks == Speaks::Encrypted), "MQTT in TLS: only sizes and times are seen";
    "records_up" "records" |c, _| cadence(c, |k| k.records[0].into()), "TLS records with application data by the client";
    "records_down" "records" |c, _| cadence(c, |k| k.records[1].into()), "TLS records with application data by the server";
    "record_max_up" "octets" |c, _| cadence(c, |k| k.longest[0].into()), "longest of the client's";
    "record_max_down" "octets" |c, _| cadence(c, |k| k.longest[1].into()), "longest of the server's";
    "record_first_up" "octets" |c, _| cadence(c, |k| k.connect.into()), "the client's first, which holds its CONNECT";
    "bare_records" "records" |c, _| cadence(c, |k| k.pings.into()), "records as short as a PINGREQ, answered by one as short";
    "bare_interval_min" "ms" |c, _| cadence(c, |k| k.ping_interval[0].into()), "shortest time between two of these";
    "bare_interval_max" "ms" |c, _| cadence(c, |k| k.ping_interval[1].into()), "longest of these times";
    "refused_by_shape" "flag" |c, _| u64::from(matches!(&c.carrier, Carrier::Tls(tls) if tls.was_refused())), "ended like a refused login";
    "missed_up" "octets" |c, _| u64::from(c.up.stream.missed()), "octets to the server that were not captured";
    "missed_down" "octets" |c, _| u64::from(c.down.stream.missed()), "octets to the client that were not captured";
}

/// Something of the records of a connection with MQTT in TLS; 0 of any other.
fn cadence(connection: &Connection, value: impl Fn(&Cadence) -> u64) -> u64 {
    match &connection.carrier {
        Carrier::Tls(tls) => value(tls.cadence()),
        _ => 0,
    }
}

fn published(connection: &Connection) -> u32 {
    connection.session.tally.published.iter().sum()
}

fn unanswered(connection: &Connection) -> u64 {
    let [_, qos1, qos2] = connection.session.tally.published;
    u64::from((qos1 + qos2).saturating_sub(connection.session.tally.acknowledged))
}

fn mean(sum: u64, count: u32) -> u64 {
    sum.checked_div(u64::from(count)).unwrap_or(0)
}

/// One row per connection: at its end and every ten seconds while it lives.
pub const CONNECTION: Schema = Schema { name: "picket-connection", version: 1, features: FEATURES };

const _: () = assert!(FEATURES.len() == VALUES.len() && FEATURES.len() <= crate::limits::MAX_FEATURES);

/// The vector of a connection at `now`.
#[must_use]
pub fn vector(connection: &Connection, now: Timestamp) -> FeatureVector {
    FeatureVector::of(VALUES, connection, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::connection::{Ends, Phase};
    use crate::flow::key::Socket;
    use crate::flow::table::Handle;

    #[test]
    fn a_fresh_connection_has_only_its_age() {
        let ends = Ends { client: Socket::default(), server: Socket::default(), host: Handle::NONE };
        let connection = Connection::new(ends, Phase::Opening, Timestamp::from_secs(5));
        let vector = vector(&connection, Timestamp::from_secs(7));
        assert_eq!(&vector.values[..3], &[2000.0, 2000.0, 0.0]);
        assert!(vector.values[2..].iter().all(|v| *v == 0.0));
    }
}
