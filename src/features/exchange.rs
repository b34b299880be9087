//! The vector of one exchange of MQTT-SN or CoAP datagrams, at the end of each of its flow records.

use super::FeatureVector;
use super::schema::{Feature, Schema};
use crate::flow::exchange::{Exchange, Spoken};
use crate::time::Timestamp;

macro_rules! exchange_columns {
    ($($name:literal $unit:literal $value:expr, $doc:literal;)+) => {
        const FEATURES: &[Feature] = &[$(Feature { name: $name, unit: $unit, doc: $doc }),+];
        const VALUES: &[fn(&Exchange, Timestamp) -> u64] = &[$($value),+];
    };
}

exchange_columns! {
    "coap" "flag" |e, _| u64::from(e.spoken == Spoken::Coap), "CoAP, else MQTT-SN";
    "age" "ms" |e, now| now.micros_since(e.opened) / 1000, "time since the first datagram";
    "silence" "ms" |e, now| now.micros_since(e.last_seen) / 1000, "time since the latest datagram";
    "datagrams_up" "datagrams" |e, _| u64::from(e.sides[0].lengths.count()), "datagrams to the server";
    "datagrams_down" "datagrams" |e, _| u64::from(e.sides[1].lengths.count()), "datagrams to the client";
    "payload_up" "octets" |e, _| e.sides[0].payload, "UDP payload to the server";
    "payload_down" "octets" |e, _| e.sides[1].payload, "UDP payload to the client";
    "length_mean_up" "octets" |e, _| e.sides[0].lengths.mean(), "mean length of the IP packets to the server";
    "length_deviation_up" "octets" |e, _| e.sides[0].lengths.deviation(), "population standard deviation of these lengths";
    "length_max_up" "octets" |e, _| u64::from(e.sides[0].lengths.max()), "longest of them";
    "length_mean_down" "octets" |e, _| e.sides[1].lengths.mean(), "mean length of the IP packets to the client";
    "length_deviation_down" "octets" |e, _| e.sides[1].lengths.deviation(), "population standard deviation of these lengths";
    "length_max_down" "octets" |e, _| u64::from(e.sides[1].lengths.max()), "longest of them";
    "interval_mean_up" "us" |e, _| e.sides[0].intervals.mean(), "mean time between datagrams to the server";
    "interval_deviation_up" "us" |e, _| e.sides[0].intervals.deviation(), "population standard deviation of these times";
    "interval_mean_down" "us" |e, _| e.sides[1].intervals.mean(), "mean time between datagrams to the client";
    "interval_deviation_down" "us" |e, _| e.sides[1].intervals.deviation(), "population standard deviation of these times";
    "connects" "messages" |e, _| u64::from(e.messages.connects), "MQTT-SN CONNECT";
    "refusals" "messages" |e, _| u64::from(e.messages.refusals), "MQTT-SN CONNACK that refuses, CoAP answers with an error";
    "requests" "messages" |e, _| u64::from(e.messages.requests), "MQTT-SN PUBLISH, CoAP requests";
    "subscribes" "messages" |e, _| u64::from(e.messages.subscribes), "MQTT-SN SUBSCRIBE, UNSUBSCRIBE and their answers";
    "pings" "messages" |e, _| u64::from(e.messages.pings), "MQTT-SN PINGREQ and PINGRESP, CoAP empty messages";
    "confirmable" "messages" |e, _| u64::from(e.messages.confirmable), "CoAP messages that want an acknowledgement";
    "resets" "messages" |e, _| u64::from(e.messages.resets), "CoAP messages that refuse to process one";
    "malformed" "messages" |e, _| u64::from(e.messages.malformed), "messages that break their format";
}

/// One row per flow record of an exchange.
pub const EXCHANGE: Schema = Schema { name: "picket-exchange", version: 1, features: FEATURES };

const _: () = assert!(FEATURES.len() == VALUES.len() && FEATURES.len() <= crate::limits::MAX_FEATURES);

/// The vector of an exchange at `now`.
#[must_use]
pub fn vector(exchange: &Exchange, now: Timestamp) -> FeatureVector {
    FeatureVector::of(VALUES, exchange, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::key::{Direction, Socket};

    #[test]
    fn a_fresh_exchange_has_only_its_first_datagram() {
        let mut exchange =
            Exchange::new(Socket::default(), Socket::default(), Spoken::Coap, Timestamp::from_secs(5));
        exchange.side(Direction::ToServer).measure(Timestamp::from_secs(5), 60, 32);
        exchange.messages.requests = 1;
        let vector = vector(&exchange, Timestamp::from_secs(7));
        let mut expected = FeatureVector::ZERO;
        for (name, value) in [
            ("coap", 1.0),
            ("age", 2000.0),
            ("silence", 2000.0),
            ("datagrams_up", 1.0),
            ("payload_up", 32.0),
            ("length_mean_up", 60.0),
            ("length_max_up", 60.0),
            ("requests", 1.0),
        ] {
            let place = FEATURES.iter().position(|feature| feature.name == name).unwrap();
            expected.values[place] = value;
        }
        assert_eq!(vector, expected);
    }
}
