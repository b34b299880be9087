//! What devices do by themselves, and with what they hear.

use super::{Event, Heard, SETTLE, Said, World, micros, next_port};
use crate::benign::behaviour::{Message, Step, Then};
use crate::benign::errand::Errand;
use crate::mqtt::packet;
use crate::mqtt::session::IN_FLIGHT;
use crate::sim::broker::Id;
use crate::sim::site::{Place, rhythm};
use crate::sim::{HOUR, SECOND, Time, beside};

impl World {
    pub(super) fn at_client(&mut self, at: Time, id: Id, heard: Heard) {
        let Some(client) = self.clients.get(&id).filter(|client| !client.silent) else { return };
        let index = client.place;
        let actor = &mut self.actors[index];
        let slow = at + Time::from(actor.place.device.answer_ms) * 1000;
        match heard {
            Heard::Welcome(hello) => {
                actor.tally.sessions += 1;
                let first = actor.behaviour.step();
                let keep_alive = keep_alive(actor.place.device.keep_alive);
                self.publish(at, id, &hello.messages);
                self.subscribe(at, id, &hello.filters);
                self.schedule(at, id, first);
                self.queue.push(at + keep_alive, Event::KeepAlive(id));
            }
            Heard::Publish(qos, packet_id) => {
                actor.tally.received += 1;
                let answer = actor.behaviour.answer();
                match qos {
                    0 => {}
                    1 => {
                        self.say(slow, id, &packet::acknowledge(packet::PUBACK, packet_id), vec![Said::Done]);
                    }
                    _ => {
                        let bytes = packet::acknowledge(packet::PUBREC, packet_id);
                        self.say(slow, id, &bytes, vec![Said::Pubrec(packet_id)]);
                    }
                }
                if let Some(answer) = answer {
                    self.publish(slow + 3000, id, &[answer]);
                }
            }
            Heard::Pubrec(packet_id) => {
                let bytes = packet::acknowledge(packet::PUBREL, packet_id);
                self.say(slow, id, &bytes, vec![Said::Pubrel(packet_id)]);
            }
            Heard::Pubrel(packet_id) => {
                self.say(slow, id, &packet::acknowledge(packet::PUBCOMP, packet_id), vec![Said::Done]);
            }
            Heard::Done => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                client.in_flight = client.in_flight.saturating_sub(1);
                if let Some(message) = client.waiting.pop_front() {
                    self.publish(at, id, &[message]);
                }
            }
            Heard::Other => {}
        }
    }

    /// The next action of a device, at its time of the day.
    pub(super) fn schedule(&mut self, at: Time, id: Id, step: Step) {
        let index = self.clients[&id].place;
        let place = &self.actors[index].place;
        let after = micros(step.after.mul_f64(rhythm(place.device.profile, at)));
        self.queue.push(at + after, Event::Act(id, step));
    }

    pub(super) fn act(&mut self, at: Time, id: Id, step: &Step) {
        let Some(client) = self.clients.get(&id).filter(|client| !client.silent) else { return };
        let index = client.place;
        self.subscribe(at, id, &step.filters);
        self.publish(at, id, &step.messages);
        let stretch = rhythm(self.actors[index].place.device.profile, at);
        match step.then {
            Then::Stay => {
                let next = self.actors[index].behaviour.step();
                self.schedule(at, id, next);
            }
            Then::Leave(pause) => {
                self.queue.push(at + SETTLE, Event::Leave(id, micros(pause.mul_f64(stretch)), 50));
            }
            Then::Vanish(pause) => {
                self.vanish(at, id);
                self.queue.push(at + SECOND + micros(pause), Event::Begin(index));
            }
        }
    }

    pub(super) fn subscribe(&mut self, at: Time, id: Id, filters: &[String]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let first = client.next_id;
        let next = &mut client.next_id;
        let packets = client.speech.subscribe(filters, || {
            *next = next.checked_add(1).unwrap_or(1);
            *next
        });
        let mut number = first;
        for (bytes, filters) in packets.into_iter().zip(filters.chunks(10)) {
            number = number.checked_add(1).unwrap_or(1);
            self.say(at, id, &bytes, vec![Said::Subscribe(filters.to_vec(), number)]);
        }
    }

    /// Publishes, each message in a segment of its own or, without `TCP_NODELAY`, in one write.
    pub(super) fn publish(&mut self, at: Time, id: Id, messages: &[Message]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let actor = &mut self.actors[client.place];
        let mut writes: Vec<(Vec<u8>, Vec<Said>)> = Vec::new();
        for message in messages {
            if client.speech.qos() > 0 {
                if client.in_flight >= IN_FLIGHT {
                    client.waiting.push_back(message.clone());
                    continue;
                }
                client.in_flight += 1;
            }
            let packet_id = if client.speech.qos() > 0 {
                client.next_id = client.next_id.checked_add(1).unwrap_or(1);
                client.next_id
            } else {
                0
            };
            if actor.place.device.nodelay || writes.is_empty() {
                writes.push(Default::default());
            }
            let (bytes, said) = writes.last_mut().expect("one at least");
            client.speech.publish(message, packet_id, bytes);
            said.push(Said::Publish(message.clone(), packet_id));
            actor.tally.published += 1;
        }
        for (bytes, said) in writes {
            self.say(at, id, &bytes, said);
        }
    }

    pub(super) fn keep_alive(&mut self, at: Time, id: Id) {
        let Some(client) = self.clients.get(&id).filter(|client| !client.silent) else { return };
        let due = client.last_sent + keep_alive(self.actors[client.place].place.device.keep_alive);
        if at < due {
            self.queue.push(due, Event::KeepAlive(id));
            return;
        }
        self.say(at, id, &packet::PINGREQ, vec![Said::Ping]);
        self.queue.push(
            at + keep_alive(self.actors[self.clients[&id].place].place.device.keep_alive),
            Event::KeepAlive(id),
        );
    }

    pub(super) fn errand(&mut self, at: Time, index: usize, number: usize) {
        let actor = &mut self.actors[index];
        let after = actor.behaviour.step().after.mul_f64(rhythm(actor.place.device.profile, at));
        let errands = Errand::of(&actor.place.device, number, &mut actor.behaviour);
        let Place { host, way, .. } = actor.place;
        for (place, errand) in errands.iter().enumerate() {
            let port = next_port(&mut self.ports, host.ip);
            let begin = at + place as Time * 90_000;
            let client = (host, port);
            beside::errand(begin, client, way, errand, &self.site, &mut self.random, &mut self.out);
            actor.tally.published += 1;
        }
        self.queue.push(at + micros(after).max(SECOND / 2), Event::Errand(index, number + 1));
    }
}

/// Nine tenths of the keep alive, as common clients wait; without one, longer than any capture.
const fn keep_alive(seconds: u16) -> Time {
    if seconds == 0 { 10_000 * HOUR } else { seconds as Time * SECOND * 9 / 10 }
}
