//! Everything remembered of one exchange of datagrams: MQTT-SN or CoAP between two sockets.

use core::time::Duration;

use super::key::{Direction, Socket};
use super::moments::Moments;
use super::table::Worth;
use crate::time::Timestamp;

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spoken {
    /// MQTT-SN.
    MqttSn,
    /// CoAP.
    Coap,
}

/// Figures of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Side {
    /// Length of the IP packets in octets.
    pub lengths: Moments,
    /// Time between datagrams in microseconds.
    pub intervals: Moments,
    /// UDP payload in octets.
    pub payload: u64,
    last: Option<Timestamp>,
}

impl Side {
    /// Nothing measured yet.
    pub const NEW: Self = Self { lengths: Moments::NONE, intervals: Moments::NONE, payload: 0, last: None };

    /// Takes one datagram in.
    pub fn measure(&mut self, now: Timestamp, ip_len: u32, payload: u32) {
        self.lengths.add(ip_len);
        if let Some(last) = self.last.replace(now) {
            self.intervals.add(u32::try_from(now.micros_since(last)).unwrap_or(u32::MAX));
        }
        self.payload += u64::from(payload);
    }
}

/// Counts of messages. Those that a protocol does not have stay zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Messages {
    /// MQTT-SN CONNECT.
    pub connects: u32,
    /// MQTT-SN CONNACK that refuses, CoAP answers with an error.
    pub refusals: u32,
    /// MQTT-SN PUBLISH, CoAP requests.
    pub requests: u32,
    /// MQTT-SN SUBSCRIBE and UNSUBSCRIBE with their answers.
    pub subscribes: u32,
    /// MQTT-SN PINGREQ and PINGRESP, CoAP empty messages.
    pub pings: u32,
    /// CoAP messages that want an acknowledgement.
    pub confirmable: u32,
    /// CoAP messages that refuse to process one.
    pub resets: u32,
    /// Messages that break their format.
    pub malformed: u32,
}

/// One exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who spoke first, or whose port is not the protocol's.
    pub client: Socket,
    /// The other end.
    pub server: Socket,
    /// What is spoken.
    pub spoken: Spoken,
    /// First datagram.
    pub opened: Timestamp,
    /// Latest datagram.
    pub last_seen: Timestamp,
    /// When the current flow record began.
    pub record_start: Timestamp,
    /// To the server and to the client.
    pub sides: [Side; 2],
    /// What was said.
    pub messages: Messages,
}

impl Exchange {
    /// First seen now.
    #[must_use]
    pub const fn new(client: Socket, server: Socket, spoken: Spoken, now: Timestamp) -> Self {
        Self {
            client,
            server,
            spoken,
            opened: now,
            last_seen: now,
            record_start: now,
            sides: [Side::NEW; 2],
            messages: Messages {
                connects: 0,
                refusals: 0,
                requests: 0,
                subscribes: 0,
                pings: 0,
                confirmable: 0,
                resets: 0,
                malformed: 0,
            },
        }
    }

    /// The figures of a direction.
    pub const fn side(&mut self, direction: Direction) -> &mut Side {
        let [up, down] = &mut self.sides;
        match direction {
            Direction::ToServer => up,
            Direction::ToClient => down,
        }
    }

    /// Whether nothing came for so long.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp, patience: Duration) -> bool {
        self.last_seen + patience <= now
    }
}

impl Worth for Exchange {
    /// Answered ones outlive those that nobody answers, which are easily made up.
    fn worth(&self) -> u8 {
        u8::from(self.sides.iter().all(|side| side.lengths.count() > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answered_one_is_worth_more() {
        let mut exchange =
            Exchange::new(Socket::default(), Socket::default(), Spoken::Coap, Timestamp::from_secs(1));
        exchange.side(Direction::ToServer).measure(Timestamp::from_secs(1), 60, 32);
        assert_eq!(exchange.worth(), 0);
        exchange.side(Direction::ToClient).measure(Timestamp::from_secs(2), 60, 32);
        exchange.side(Direction::ToClient).measure(Timestamp::from_secs(4), 60, 32);
        assert_eq!(exchange.worth(), 1);
        let [up, down] = exchange.sides;
        assert_eq!((up.payload, down.payload, down.intervals.max()), (32, 64, 2_000_000));
        assert!(exchange.is_silent(Timestamp::from_secs(61), Duration::from_secs(60)));
        assert!(!exchange.is_silent(Timestamp::from_secs(60), Duration::from_secs(60)));
    }
}
