//! How sessions end: with a word, without one, by the broker, or all at once.

use std::collections::BTreeMap;
use std::mem;

use super::{Event, RESTART, SETTLE, World, micros};
use crate::mqtt::packet::{self, Version};
use crate::sim::broker::{Id, Session};
use crate::sim::tcp::Side;
use crate::sim::{SECOND, Time};

impl World {
    /// A device goes when all is said, or when it has waited long enough.
    pub(super) fn go(&mut self, at: Time, id: Id, pause: Time, tries: u8) {
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
    pub(super) fn leave(&mut self, at: Time, id: Id) {
        self.say(at, id, &packet::DISCONNECT, Vec::new());
        let Some(mut client) = self.clients.remove(&id) else { return };
        self.actors[client.place].current = None;
        self.forget(at, id);
        client.connection.close(at, Side::Client, &mut self.random, &mut self.out);
    }

    /// A device loses its connection: by a FIN, by a reset, or without a word.
    pub(super) fn vanish(&mut self, at: Time, id: Id) {
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
    pub(super) fn expire(&mut self, at: Time, id: Id) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.connection.close_unanswered(at, &mut self.out);
        let index = client.place;
        if self.actors[index].current == Some(id) {
            self.actors[index].current = None;
        }
        self.gone(at, id);
    }

    /// A session has ended without a DISCONNECT: its will is published.
    pub(super) fn gone(&mut self, at: Time, id: Id) {
        let will = self.forget(at, id).and_then(|session| session.will);
        self.clients.remove(&id);
        if let Some(will) = will {
            let mut out = BTreeMap::new();
            self.broker.publish(None, &will, 1, &mut out);
            self.hand_out(at, out);
        }
    }

    /// The broker ends a session, or keeps it for a while.
    pub(super) fn forget(&mut self, at: Time, id: Id) -> Option<Session> {
        let session = self.broker.sessions.remove(&id)?;
        if let Some(until) = self.known.get_mut(&session.client_id) {
            *until = at.saturating_add(session.lasts);
        }
        Some(session)
    }

    /// The broker ends every connection, and everybody comes back. It has its sessions and retained messages on disk.
    pub(super) fn restart(&mut self, at: Time) {
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
}
