//! What happens, event by event: devices speak, the broker answers, connections begin and end.

mod device;
mod end;
mod serve;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::net::Ipv4Addr;

use super::broker::{Broker, Id};
use super::queue::Queue;
use super::recorder::Recorder;
use super::site::{Place, Site};
use super::tcp::{Connection, Side};
use super::{HOUR, SECOND, Time, beside};
use crate::benign::behaviour::{Behaviour, Hello, Message, Step};
use crate::benign::device::Tally;
use crate::benign::fleet::DeviceReport;
use crate::benign::speech::Speech;
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
        let reports =
            self.actors.into_iter().map(|actor| DeviceReport::new(&actor.place.device, actor.tally));
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

fn micros(time: std::time::Duration) -> Time {
    Time::try_from(time.as_micros()).unwrap_or(Time::MAX / 4)
}
