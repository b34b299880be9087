//! What happens, event by event: devices speak, the broker answers, connections begin and end.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::net::Ipv4Addr;

use super::broker::{self, Broker, Id, Parcel, Session};
use super::queue::Queue;
use super::recorder::Recorder;
use super::site::{Place, Site, rhythm};
use super::tcp::{Connection, Side};
use super::{HOUR, SECOND, Time, beside};
use crate::benign::behaviour::{Behaviour, Hello, Message, Step, Then};
use crate::benign::device::Tally;
use crate::benign::fleet::DeviceReport;
use crate::benign::profile::Profile;
use crate::benign::speech::Speech;
use crate::mqtt::packet::{self, Version};
use crate::mqtt::session::IN_FLIGHT;
use crate::random::Random;

/// What a client said, when it has reached the broker.
#[derive(Clone, Debug)]
enum Said {
    Connect(Hello),
    Publish(Message, u16),
    Subscribe(Vec<String>, u16),
    Pubrec(u16),
    Pubrel(u16),
    Ping,
    /// PUBACK, PUBCOMP: a handshake is over.
    Done,
}

/// What the broker said, when it has reached the client.
#[derive(Clone, Debug)]
enum Heard {
    Welcome(Hello),
    Publish(u8, u16),
    Pubrec(u16),
    Pubrel(u16),
    /// PUBACK, PUBCOMP, a PUBREC that refuses: a handshake is over.
    Done,
    /// Nothing is to be answered.
    Other,
}

#[derive(Clone, Debug)]
enum Event {
    /// A device tries to connect.
    Begin(usize),
    /// A device is switched off.
    End(usize),
    AtBroker(Id, Said),
    AtClient(Id, Vec<Heard>),
    Act(Id, Step),
    /// A device leaves as soon as its messages are through, and comes back after this time.
    Leave(Id, Time, u8),
    KeepAlive(Id),
    Acknowledge(Id, Side, u64),
    /// The broker has not heard from a client that is gone.
    Expire(Id),
    /// A device that does not speak MQTT does something for the time with this number.
    Errand(usize, usize),
    /// What hosts do without being asked: ARP, time.
    Chore(usize),
    /// The broker is restarted.
    Restart,
    /// The broker's own figures are due.
    Figures,
}

/// A connection with the client at its end.
#[derive(Debug)]
struct Client {
    place: usize,
    connection: Connection,
    speech: Speech,
    next_id: u16,
    last_sent: Time,
    /// The device is gone, and the broker does not know yet.
    silent: bool,
    /// Messages with a handshake that is not over, and those that wait for one to be over.
    in_flight: u16,
    waiting: VecDeque<Message>,
}

#[derive(Debug)]
struct Actor {
    place: Place,
    behaviour: Behaviour,
    tally: Tally,
    current: Option<Id>,
}

/// The first port that clients use; Linux begins here.
const FIRST_PORT: u16 = 32_768;
/// How long the broker is away when it restarts.
const RESTART: Time = 3 * SECOND;
/// Time for the broker's answers before a device that leaves looks again.
const SETTLE: Time = 60_000;
/// Time between the broker's own figures.
const FIGURES: Time = 10 * SECOND;

/// The site with everything that goes on in it.
#[derive(Debug)]
pub(super) struct World {
    site: Site,
    actors: Vec<Actor>,
    clients: BTreeMap<Id, Client>,
    next: Id,
    broker: Broker,
    /// Clients that the broker keeps a session for, and until when if they are gone.
    known: BTreeMap<String, Time>,
    away_until: Time,
    /// The last port of each host: devices behind one address share its ports.
    ports: BTreeMap<Ipv4Addr, u16>,
    queue: Queue<Event>,
    random: Random,
    out: Recorder,
    end: Time,
}

impl World {
    pub(super) fn new(mut site: Site, out: Recorder, seed: u64) -> Self {
        let random = Random::new(seed);
        let actors = mem::take(&mut site.places)
            .into_iter()
            .map(|place| Actor {
                behaviour: Behaviour::new(&place.device),
                tally: Tally::default(),
                current: None,
                place,
            })
            .collect();
        Self {
            site,
            actors,
            clients: BTreeMap::new(),
            next: 0,
            broker: Broker::default(),
            known: BTreeMap::new(),
            away_until: 0,
            ports: BTreeMap::new(),
            queue: Queue::new(),
            random,
            out,
            end: 0,
        }
    }

    /// Lets so much time pass.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub(super) fn run(&mut self, end: Time) -> io::Result<()> {
        self.end = end;
        self.plan();
        while let Some((at, event)) = self.queue.pop(end) {
            self.out.flush(at)?;
            self.event(at, event);
        }
        self.out.finish(end)
    }

    /// What was done, and how large the capture is.
    pub(super) fn finish(self) -> io::Result<(Vec<DeviceReport>, u64, u64)> {
        let reports = self.actors.into_iter().map(|Actor { place, tally, .. }| {
            let device = place.device;
            DeviceReport {
                class: "benign".into(),
                profile: device.profile,
                client_id: device.client_id,
                address: device.address,
                version: device.version,
                qos: device.qos,
                keep_alive: device.keep_alive,
                tally,
            }
        });
        Ok((reports.collect(), self.out.frames, self.out.bytes))
    }

    /// What is known from the start: who is switched on when, and when the broker restarts.
    fn plan(&mut self) {
        for index in 0..self.actors.len() {
            let place = &self.actors[index].place;
            let start = Time::from(place.device.start_ms) * 4000 + SECOND;
            let device = &place.device;
            if !device.profile.speaks_mqtt() {
                self.queue.push(start, Event::Errand(index, 0));
            } else if place.shifts.is_empty() {
                self.queue.push(start, Event::Begin(index));
            } else {
                for day in 0..=self.end / (24 * HOUR) {
                    for (from, until) in &place.shifts {
                        self.queue.push(day * 24 * HOUR + from, Event::Begin(index));
                        self.queue.push(day * 24 * HOUR + until, Event::End(index));
                    }
                }
            }
            self.queue.push(Time::from(self.random.between((1, 300))) * SECOND, Event::Chore(index));
        }
        for day in 0..=self.end / (24 * HOUR) {
            let at = Time::from(self.random.between((3 * 3600 + 600, 4 * 3600))) * SECOND;
            self.queue.push(day * 24 * HOUR + at, Event::Restart);
        }
        self.queue.push(FIGURES, Event::Figures);
    }

    fn event(&mut self, at: Time, event: Event) {
        match event {
            Event::Begin(index) => self.begin(at, index),
            Event::End(index) => {
                if let Some(id) = self.actors[index].current {
                    self.leave(at, id);
                }
            }
            Event::AtBroker(id, said) => self.at_broker(at, id, said),
            Event::AtClient(id, heard) => {
                for heard in heard {
                    self.at_client(at, id, heard);
                }
            }
            Event::Act(id, step) => self.act(at, id, &step),
            Event::Leave(id, pause, tries) => self.go(at, id, pause, tries),
            Event::KeepAlive(id) => self.keep_alive(at, id),
            Event::Acknowledge(id, side, upto) => {
                if let Some(client) = self.clients.get_mut(&id).filter(|client| !client.silent) {
                    client.connection.acknowledge(at, side, upto, &mut self.out);
                }
            }
            Event::Expire(id) => self.expire(at, id),
            Event::Errand(index, number) => self.errand(at, index, number),
            Event::Chore(index) => {
                let host = self.actors[index].place.host;
                beside::chore(at, &host, &self.site, &mut self.random, &mut self.out);
                let next = at + Time::from(self.random.between((240, 1100))) * SECOND;
                self.queue.push(next, Event::Chore(index));
            }
            Event::Restart => self.restart(at),
            Event::Figures => {
                if self.broker.is_watched() {
                    self.figures(at);
                }
                self.queue.push(at + FIGURES, Event::Figures);
            }
        }
    }

    /// A device connects: to a broker that is away, or with a CONNECT.
    fn begin(&mut self, at: Time, index: usize) {
        let actor = &mut self.actors[index];
        if actor.current.is_some() || !is_on(&actor.place, at) {
            return;
        }
        let Place { host, way, .. } = actor.place;
        let port = next_port(&mut self.ports, host.ip);
        let mut connection = Connection::new((host, port), (self.site.broker, 1883), way, &mut self.random);
        if at < self.away_until {
            connection.refused(at, &mut self.out);
            actor.tally.broken += 1;
            let retry = actor.behaviour.retry_delay();
            self.queue.push(at + micros(retry), Event::Begin(index));
            return;
        }
        let ready = connection.open(at, &mut self.random, &mut self.out);
        let hello = actor.behaviour.hello();
        let speech = Speech::new(&actor.place.device);
        let bytes = speech.connect(&actor.place.device, &hello);
        let id = self.next;
        self.next += 1;
        actor.current = Some(id);
        self.clients.insert(
            id,
            Client {
                place: index,
                connection,
                speech,
                next_id: 0,
                last_sent: ready,
                silent: false,
                in_flight: 0,
                waiting: VecDeque::new(),
            },
        );
        self.say(ready, id, &bytes, vec![Said::Connect(hello)]);
    }

    /// A client sends: bytes, and what they mean to the broker.
    fn say(&mut self, at: Time, id: Id, bytes: &[u8], said: Vec<Said>) {
        let Some(client) = self.clients.get_mut(&id).filter(|client| !client.silent) else { return };
        let sent = client.connection.send(at, Side::Client, bytes, &mut self.random, &mut self.out);
        client.last_sent = at;
        for said in said {
            self.queue.push(sent.arrives, Event::AtBroker(id, said));
        }
        let (late, upto) = sent.acknowledge;
        self.queue.push(late, Event::Acknowledge(id, Side::Server, upto));
    }

    /// The broker sends.
    fn tell(&mut self, at: Time, id: Id, bytes: &[u8], heard: Vec<Heard>) {
        let Some(client) = self.clients.get_mut(&id).filter(|client| !client.silent) else { return };
        let sent = client.connection.send(at, Side::Server, bytes, &mut self.random, &mut self.out);
        self.queue.push(sent.arrives, Event::AtClient(id, heard));
        let (late, upto) = sent.acknowledge;
        self.queue.push(late, Event::Acknowledge(id, Side::Client, upto));
    }

    fn at_broker(&mut self, at: Time, id: Id, said: Said) {
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

    fn hand_out(&mut self, at: Time, parcels: BTreeMap<Id, Parcel>) {
        for (id, Parcel { bytes, messages }) in parcels {
            if !bytes.is_empty() {
                let heard = messages.into_iter().map(|(qos, id)| Heard::Publish(qos, id)).collect();
                self.tell(at, id, &bytes, heard);
            }
        }
    }

    /// CONNECT has arrived.
    fn welcome(&mut self, at: Time, id: Id, hello: Hello) {
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

    fn at_client(&mut self, at: Time, id: Id, heard: Heard) {
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
    fn schedule(&mut self, at: Time, id: Id, step: Step) {
        let index = self.clients[&id].place;
        let place = &self.actors[index].place;
        let after = micros(step.after.mul_f64(rhythm(place.device.profile, at)));
        self.queue.push(at + after, Event::Act(id, step));
    }

    fn act(&mut self, at: Time, id: Id, step: &Step) {
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

    fn subscribe(&mut self, at: Time, id: Id, filters: &[String]) {
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
    fn publish(&mut self, at: Time, id: Id, messages: &[Message]) {
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

    fn keep_alive(&mut self, at: Time, id: Id) {
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

    /// A device goes when all is said, or when it has waited long enough.
    fn go(&mut self, at: Time, id: Id, pause: Time, tries: u8) {
        let Some(client) = self.clients.get(&id).filter(|client| !client.silent) else { return };
        let index = client.place;
        if client.in_flight > 0 && tries > 0 {
            self.queue.push(at + SETTLE, Event::Leave(id, pause, tries - 1));
            return;
        }
        self.leave(at, id);
        self.queue.push(at + pause, Event::Begin(index));
    }

    /// DISCONNECT and the end of the connection.
    fn leave(&mut self, at: Time, id: Id) {
        self.say(at, id, &packet::DISCONNECT, Vec::new());
        let Some(mut client) = self.clients.remove(&id) else { return };
        self.actors[client.place].current = None;
        self.forget(at, id);
        client.connection.close(at, Side::Client, &mut self.random, &mut self.out);
    }

    /// A device loses its connection: by a FIN, by a reset, or without a word.
    fn vanish(&mut self, at: Time, id: Id) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let actor = &mut self.actors[client.place];
        actor.current = None;
        actor.tally.broken += 1;
        let wait = Time::from(actor.place.device.keep_alive) * SECOND * 3 / 2;
        match self.random.between((0, 9)) {
            0..=4 => {
                client.connection.close(at, Side::Client, &mut self.random, &mut self.out);
                self.gone(at, id);
            }
            5..=6 => {
                client.connection.reset(at, &mut self.out);
                self.gone(at, id);
            }
            _ => {
                client.silent = true;
                self.queue.push(at + wait, Event::Expire(id));
            }
        }
    }

    /// The broker gives a client up, or replaces it.
    fn expire(&mut self, at: Time, id: Id) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.connection.close_unanswered(at, &mut self.out);
        let index = client.place;
        if self.actors[index].current == Some(id) {
            self.actors[index].current = None;
        }
        self.gone(at, id);
    }

    /// A session has ended without a DISCONNECT: its will is published.
    fn gone(&mut self, at: Time, id: Id) {
        let will = self.forget(at, id).and_then(|session| session.will);
        self.clients.remove(&id);
        if let Some(will) = will {
            let mut out = BTreeMap::new();
            self.broker.publish(None, &will, 1, &mut out);
            self.hand_out(at, out);
        }
    }

    /// The broker ends a session, or keeps it for a while.
    fn forget(&mut self, at: Time, id: Id) -> Option<Session> {
        let session = self.broker.sessions.remove(&id)?;
        if let Some(until) = self.known.get_mut(&session.client_id) {
            *until = at.saturating_add(session.lasts);
        }
        Some(session)
    }

    /// The broker ends every connection, and everybody comes back. It has its sessions and retained messages on disk.
    fn restart(&mut self, at: Time) {
        self.away_until = at + RESTART;
        for id in self.broker.sessions.keys().copied().collect::<Vec<_>>() {
            let _ = self.forget(at, id);
        }
        let clients = mem::take(&mut self.clients);
        for (_, mut client) in clients.into_iter().filter(|(_, client)| !client.silent) {
            let actor = &mut self.actors[client.place];
            let jitter = Time::from(self.random.between((0, 4000)));
            let mut begin = at + jitter;
            if actor.place.device.version == Version::V5 {
                // DISCONNECT: the server is shutting down.
                let bytes = [0xE0, 1, 0x8B];
                begin = client
                    .connection
                    .send(begin, Side::Server, &bytes, &mut self.random, &mut self.out)
                    .arrives;
            }
            let over = client.connection.close(begin, Side::Server, &mut self.random, &mut self.out);
            actor.current = None;
            actor.tally.broken += 1;
            let retry = actor.behaviour.retry_delay();
            self.queue.push(over + micros(retry), Event::Begin(client.place));
        }
    }

    /// The broker publishes figures about itself.
    fn figures(&mut self, at: Time) {
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

    fn errand(&mut self, at: Time, index: usize, number: usize) {
        let actor = &mut self.actors[index];
        let after = actor.behaviour.step().after.mul_f64(rhythm(actor.place.device.profile, at));
        let errands = crate::benign::errand::Errand::of(&actor.place.device, number, &mut actor.behaviour);
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

/// The next port of a host. By the time that one comes again its connection is long over, but for very busy hosts.
fn next_port(ports: &mut BTreeMap<Ipv4Addr, u16>, host: Ipv4Addr) -> u16 {
    let port = ports.entry(host).or_insert(FIRST_PORT);
    *port = port.checked_add(1).unwrap_or(FIRST_PORT);
    *port
}

/// Whether a device is switched on at this time.
fn is_on(place: &Place, at: Time) -> bool {
    let day = at % (24 * HOUR);
    place.shifts.is_empty() || place.shifts.iter().any(|(from, until)| (*from..*until).contains(&day))
}

/// How long a session that is not clean outlives its connection: for ever before version 5, and there as long as the CONNECT of
/// [`Speech`] says.
const fn lasting(version: Version, profile: Profile) -> Time {
    match (version, profile) {
        (Version::V5, Profile::Modern) => 600 * SECOND,
        (Version::V5, _) => 0,
        _ => Time::MAX,
    }
}

/// Nine tenths of the keep alive, as common clients wait; without one, longer than any capture.
const fn keep_alive(seconds: u16) -> Time {
    if seconds == 0 { 10_000 * HOUR } else { seconds as Time * SECOND * 9 / 10 }
}

fn micros(time: std::time::Duration) -> Time {
    Time::try_from(time.as_micros()).unwrap_or(Time::MAX / 4)
}
