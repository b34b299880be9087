//! Gives out events, and tells of what is odd below MQTT.

use core::time::Duration;

use super::Sink;
use super::knowledge::Knowledge;
use crate::event::{Event, Reaction};
use crate::flow::anomaly::Anomaly;
use crate::flow::key::{Direction, Socket};
use crate::time::Timestamp;

impl Knowledge<'_> {
    /// Gives out the event of an anomaly between these two ends.
    #[cold]
    pub(super) fn tell<K: Sink>(
        &self,
        anomaly: Anomaly,
        (client, server): (Socket, Socket),
        direction: Direction,
        now: Timestamp,
        sink: &mut K,
    ) {
        let event = Event {
            ts: now,
            name: anomaly.name(),
            what: anomaly.what(),
            severity: anomaly.severity(),
            client,
            server,
            direction,
            packet_type: None,
            reaction: Reaction::NotDue,
        };
        self.give_out(event, sink);
    }

    /// Gives an event out, in the time of the capture.
    #[cold]
    pub(super) fn give_out<K: Sink>(&self, event: Event, sink: &mut K) {
        sink.event(&Event { ts: event.ts - Duration::from_micros(self.clock_offset), ..event });
    }
}
