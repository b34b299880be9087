//! What the broker does with what it hears.

use std::collections::BTreeMap;

use super::{Event, Heard, Said, World, micros};
use crate::benign::behaviour::{Hello, Message};
use crate::benign::profile::Profile;
use crate::mqtt::packet::{self, Version};
use crate::sim::broker::{self, Id, Parcel, Session};
use crate::sim::tcp::Side;
use crate::sim::{SECOND, Time};

impl World {
    pub(super) fn at_broker(&mut self, at: Time, id: Id, said: Said) {
        let Some(client) = self.clients.get(&id) else { return };
        let device = &self.actors[client.place].place.device;
        let (version, qos, profile) = (device.version, device.qos, device.profile);
        match said {
            Said::Connect(hello) => self.welcome(at, id, hello),
            Said::Publish(message, packet_id) => {
                let allowed = profile != Profile::Denied;
                let mut out = BTreeMap::new();
                let wanted = allowed && self.broker.publish(Some(id), &message, qos, &mut out);
                let reason = match (allowed, wanted) {
                    (false, _) => 0x87,    // Not authorized
                    (true, false) => 0x10, // No matching subscribers
                    (true, true) => 0,
                };
                match qos {
                    0 => {}
                    1 => self.tell(
                        at,
                        id,
                        &broker::received(packet::PUBACK, version, packet_id, reason),
                        vec![Heard::Done],
                    ),
                    _ => {
                        let bytes = broker::received(packet::PUBREC, version, packet_id, reason);
                        let refused = version == Version::V5 && reason >= 0x80;
                        let heard = if refused { Heard::Done } else { Heard::Pubrec(packet_id) };
                        self.tell(at, id, &bytes, vec![heard]);
                    }
                }
                self.hand_out(at, out);
            }
            Said::Subscribe(filters, packet_id) => {
                let denied = if version == Version::V5 { 0x87 } else { 0x80 };
                let code = if profile == Profile::Denied { denied } else { qos };
                self.tell(
                    at,
                    id,
                    &broker::suback(version, packet_id, &vec![code; filters.len()]),
                    vec![Heard::Other],
                );
                if profile != Profile::Denied {
                    for filter in filters {
                        for parcel in self.broker.subscribe(id, &filter, qos) {
                            self.hand_out(at, BTreeMap::from([(id, parcel)]));
                        }
                    }
                }
            }
            Said::Pubrec(packet_id) => {
                let bytes = packet::acknowledge(packet::PUBREL, packet_id);
                self.tell(at, id, &bytes, vec![Heard::Pubrel(packet_id)]);
            }
            Said::Pubrel(packet_id) => {
                self.tell(at, id, &packet::acknowledge(packet::PUBCOMP, packet_id), vec![Heard::Done]);
            }
            Said::Ping => self.tell(at, id, &[0xD0, 0], vec![Heard::Other]),
            Said::Done => {
                let parcel = self.broker.settled(id);
                self.hand_out(at, BTreeMap::from([(id, parcel)]));
            }
        }
    }

    pub(super) fn hand_out(&mut self, at: Time, parcels: BTreeMap<Id, Parcel>) {
        for (id, Parcel { bytes, messages }) in parcels {
            if !bytes.is_empty() {
                let heard = messages.into_iter().map(|(qos, id)| Heard::Publish(qos, id)).collect();
                self.tell(at, id, &bytes, heard);
            }
        }
    }

    /// CONNECT has arrived.
    pub(super) fn welcome(&mut self, at: Time, id: Id, hello: Hello) {
        let index = self.clients[&id].place;
        let device = &self.actors[index].place.device;
        let (version, clean, profile) = (device.version, device.clean, device.profile);
        if profile == Profile::Misconfigured {
            let code = if version == Version::V5 { 0x87 } else { 5 };
            self.tell(at, id, &broker::connack(version, false, code), vec![Heard::Other]);
            let mut client = self.clients.remove(&id).expect("it is there");
            let over = client.connection.close(at, Side::Server, &mut self.random, &mut self.out);
            let actor = &mut self.actors[index];
            actor.tally.refused += 1;
            actor.current = None;
            let retry = actor.behaviour.retry_delay();
            self.queue.push(over + micros(retry), Event::Begin(index));
            return;
        }
        // Only one session for each client identifier: an old one has to go.
        if let Some(old) = self.broker.taken_over(&hello.client_id) {
            self.expire(at, old);
        }
        // A session outlives its connection only if the client asks for it (3.1.2.4; version 5: 3.1.2.11.2).
        let lasts = if clean { 0 } else { lasting(version, profile) };
        let kept = self.known.remove(&hello.client_id).is_some_and(|until| lasts > 0 && at < until);
        if lasts > 0 {
            self.known.insert(hello.client_id.clone(), Time::MAX);
        }
        let kept = kept && version != Version::V31; // MQTT 3.1 has no flag for it.
        let bridge = profile == Profile::Trunk;
        let mut session = Session::new(version, hello.client_id.clone(), hello.will.clone(), bridge);
        session.lasts = lasts;
        self.broker.sessions.insert(id, session);
        self.tell(at, id, &broker::connack(version, kept, 0), vec![Heard::Welcome(hello)]);
    }

    /// The broker publishes figures about itself.
    pub(super) fn figures(&mut self, at: Time) {
        let mut out = BTreeMap::new();
        for topic in
            ["uptime", "clients/connected", "messages/received", "messages/sent", "load/bytes/sent/1min"]
        {
            let payload = self.random.between((1, 90_000)).to_string().into_bytes();
            let message = Message { topic: format!("$SYS/broker/{topic}"), payload, retain: true };
            self.broker.publish(None, &message, 0, &mut out);
        }
        self.hand_out(at, out);
    }
}

/// How long a session that is not clean outlives its connection: for ever before version 5, and there as long as the CONNECT of
/// [`Speech`](crate::benign::speech::Speech) says.
const fn lasting(version: Version, profile: Profile) -> Time {
    match (version, profile) {
        (Version::V5, Profile::Modern) => 600 * SECOND,
        (Version::V5, _) => 0,
        _ => Time::MAX,
    }
}
