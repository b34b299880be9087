//! The broker: who is there, who wants what, what is retained, and what it says on the wire.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::Time;
use crate::benign::behaviour::Message;
use crate::benign::topics::covers;
use crate::mqtt::packet::{self, Publish, Version};
use crate::mqtt::session::IN_FLIGHT;

/// A connection's number.
pub(super) type Id = u32;

/// What the broker knows of a session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) version: Version,
    pub(super) client_id: String,
    pub(super) filters: Vec<(String, u8)>,
    pub(super) will: Option<Message>,
    /// mosquitto does not send a bridge what came from it.
    pub(super) bridge: bool,
    /// How long it outlives its connection.
    pub(super) lasts: Time,
    next_id: u16,
    /// Messages with a handshake that is not over.
    in_flight: u16,
    /// What waits for one to be over: message, quality of service, whether it was retained.
    waiting: VecDeque<(Rc<Message>, u8, bool)>,
}

impl Session {
    pub(super) fn new(version: Version, client_id: String, will: Option<Message>, bridge: bool) -> Self {
        let waiting = VecDeque::new();
        Self {
            version,
            client_id,
            filters: Vec::new(),
            will,
            bridge,
            lasts: 0,
            next_id: 0,
            in_flight: 0,
            waiting,
        }
    }
}

/// What one session is to be sent: bytes, and for those with a handshake quality of service and identifier.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Parcel {
    pub(super) bytes: Vec<u8>,
    pub(super) messages: Vec<(u8, u16)>,
}

/// The broker's state.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) sessions: BTreeMap<Id, Session>,
    retained: BTreeMap<String, Rc<Message>>,
}

/// Largest part of a delivery that goes out at once.
const PARCEL: usize = 60_000;

/// mosquitto's `max_queued_messages`: what is beyond is dropped.
const QUEUED: usize = 1000;

impl Broker {
    /// Who gets a message, and what they get. Adds to what is already there for them.
    pub(super) fn publish(
        &mut self,
        from: Option<Id>,
        message: &Message,
        qos: u8,
        out: &mut BTreeMap<Id, Parcel>,
    ) -> bool {
        if message.retain {
            if message.payload.is_empty() {
                self.retained.remove(&message.topic);
            } else {
                self.retained.insert(message.topic.clone(), Rc::new(message.clone()));
            }
        }
        let mut wanted = false;
        let message = Rc::new(message.clone());
        for (id, session) in &mut self.sessions {
            if session.bridge && from == Some(*id) {
                continue;
            }
            let granted = session.filters.iter().filter(|(filter, _)| matches(filter, &message.topic));
            if let Some(granted) = granted.map(|(_, qos)| *qos).max() {
                wanted = true;
                deliver(session, &message, qos.min(granted), false, out.entry(*id).or_default());
            }
        }
        wanted
    }

    /// A subscription: what is retained for it, in parcels that go out one after another.
    pub(super) fn subscribe(&mut self, id: Id, filter: &str, qos: u8) -> Vec<Parcel> {
        let mut parcels = vec![Parcel::default()];
        let Some(session) = self.sessions.get_mut(&id) else { return parcels };
        session.filters.retain(|(known, _)| known != filter);
        session.filters.push((filter.to_owned(), qos));
        for message in self.retained.values().filter(|message| matches(filter, &message.topic)) {
            if parcels.last().is_some_and(|parcel| parcel.bytes.len() > PARCEL) {
                parcels.push(Parcel::default());
            }
            deliver(session, message, qos.min(1), true, parcels.last_mut().expect("one at least"));
        }
        parcels
    }

    /// A handshake with a client is over: what it gets of that which waited.
    pub(super) fn settled(&mut self, id: Id) -> Parcel {
        let mut parcel = Parcel::default();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.in_flight = session.in_flight.saturating_sub(1);
            if let Some((message, qos, retain)) = session.waiting.pop_front() {
                deliver(session, &message, qos, retain, &mut parcel);
            }
        }
        parcel
    }

    /// The session of this client that is already there, if any.
    pub(super) fn taken_over(&self, client_id: &str) -> Option<Id> {
        self.sessions.iter().find(|(_, session)| session.client_id == client_id).map(|(id, _)| *id)
    }

    /// Whether somebody looks at the broker's own figures.
    pub(super) fn is_watched(&self) -> bool {
        self.sessions
            .values()
            .any(|session| session.filters.iter().any(|(filter, _)| filter.starts_with('$')))
    }
}

fn deliver(session: &mut Session, message: &Rc<Message>, qos: u8, retain: bool, parcel: &mut Parcel) {
    if qos > 0 && session.in_flight >= IN_FLIGHT {
        if session.waiting.len() < QUEUED {
            session.waiting.push_back((Rc::clone(message), qos, retain));
        }
        return;
    }
    let id = if qos > 0 {
        session.in_flight += 1;
        session.next_id = session.next_id.checked_add(1).unwrap_or(1);
        session.next_id
    } else {
        0
    };
    let Message { topic, payload, .. } = message.as_ref();
    Publish { topic, payload, qos, retain, id }.encode_into(session.version, &mut parcel.bytes);
    parcel.messages.push((qos, id));
}

/// Whether a filter matches a topic (4.7). A filter that begins with a wildcard matches no topic of the broker's own.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    covers(filter, topic)
}

/// CONNACK as mosquitto 2.0 writes it.
pub(super) fn connack(version: Version, session_present: bool, code: u8) -> Vec<u8> {
    let mut body = vec![u8::from(session_present), code];
    if version == Version::V5 {
        // Topic Alias Maximum 10 and Receive Maximum 20, where it is welcome.
        let welcome: &[u8] = &[6, 0x22, 0, 10, 0x21, 0, 20];
        body.extend(if code == 0 { welcome } else { &[0] });
    }
    packet::packet(0x20, &body)
}

/// SUBACK with these codes.
pub(super) fn suback(version: Version, id: u16, codes: &[u8]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(codes);
    packet::packet(0x90, &body)
}

/// PUBACK or PUBREC; in version 5 with its reason, if there is one.
pub(super) fn received(first: u8, version: Version, id: u16, reason: u8) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 && reason != 0 {
        body.push(reason);
    }
    packet::packet(first, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic, expected) in [
            ("a/+/c", "a/b/c", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("+", "a/b", false),
            ("a/b", "a/b/c", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn no_more_than_twenty_messages_are_under_way_and_the_others_follow() {
        let mut broker = Broker::default();
        broker.sessions.insert(1, Session::new(Version::V5, "x".into(), None, false));
        let _ = broker.subscribe(1, "a", 1);
        let message = Message { topic: "a".into(), payload: b"1".to_vec(), retain: false };
        let mut out = BTreeMap::new();
        for _ in 0..25 {
            broker.publish(None, &message, 1, &mut out);
        }
        assert_eq!(out[&1].messages.len(), 20);
        let later: usize = (0..10).map(|_| broker.settled(1).messages.len()).sum();
        assert_eq!(later, 5);
    }

    #[test]
    fn a_retained_message_waits_for_its_subscriber_and_can_be_wiped() {
        let mut broker = Broker::default();
        broker.sessions.insert(1, Session::new(Version::V311, "x".into(), None, false));
        let message = |payload: &[u8]| Message { topic: "a/b".into(), payload: payload.into(), retain: true };
        let mut out = BTreeMap::new();
        assert!(!broker.publish(None, &message(b"1"), 0, &mut out));
        assert_eq!(broker.subscribe(1, "a/+", 1)[0].messages, [(1, 1)]);
        assert!(broker.publish(None, &message(b""), 1, &mut out));
        assert_eq!(out[&1].messages, [(1, 2)]);
        assert_eq!(broker.subscribe(1, "a/+", 1)[0].messages, []);
    }
}
