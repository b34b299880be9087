//! One login, many clients: told by a keyed hash of the login. Who has taken it, or has guessed it, is one more client with it;
//! and where all devices share one, none of them can be shut out alone.

use heapless::Vec;

use super::Sink;
use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::alert::Severity;
use crate::event::{Event, Reaction};
use crate::flow::key::Direction;
use crate::limits::LOGINS;
use crate::mqtt::packet::PacketType;
use crate::time::Timestamp;

/// So many clients with one login are told.
const MANY_CLIENTS: u32 = 8;
/// Within this time, in seconds.
const WINDOW_SECS: u64 = 600;
/// Not told again for this long, in seconds.
const QUIET_SECS: u64 = 3600;

/// A login at one broker.
#[derive(Clone, Copy, Debug)]
struct Login {
    /// Keyed hash of the broker, the user name and the password.
    hash: u64,
    /// Clients of the window: each one's hash names a bit. Never counts more than there were.
    clients: u64,
    /// When the window began.
    since: Timestamp,
    /// Latest use.
    used: Timestamp,
    told: Option<Timestamp>,
}

/// The logins used lately. A new one takes the place of one that fewer clients have, and of these the one unused for
/// longest, so that a flood of guesses does not displace what many share.
#[derive(Debug, Default)]
pub(super) struct Logins(Vec<Login, LOGINS>);

impl Logins {
    /// Notes that a client used a login; whether it is to be told that many do.
    fn note(&mut self, hash: u64, client: u64, now: Timestamp) -> bool {
        let bit = 1 << (client & 63);
        let Some(login) = self.0.iter_mut().find(|login| login.hash == hash) else {
            self.add(Login { hash, clients: bit, since: now, used: now, told: None });
            return false;
        };
        login.used = now;
        if is_older(login.since, WINDOW_SECS, now) {
            login.since = now;
            login.clients = 0;
        }
        login.clients |= bit;
        let many = login.clients.count_ones() >= MANY_CLIENTS;
        let tell = many && login.told.is_none_or(|told| is_older(told, QUIET_SECS, now));
        if tell {
            login.told = Some(now);
        }
        tell
    }

    fn add(&mut self, login: Login) {
        if self.0.push(login).is_err()
            && let Some(least) =
                self.0.iter_mut().min_by_key(|known| (known.clients.count_ones(), known.used))
        {
            *least = login;
        }
    }
}

fn is_older(since: Timestamp, seconds: u64, now: Timestamp) -> bool {
    now.micros_since(since) > seconds * 1_000_000
}

impl Knowledge<'_> {
    /// A CONNECT came with a password. Both are hashes with the engine's key.
    #[cold]
    pub(super) fn on_login<K: Sink>(&mut self, talk: &Talk<'_>, login: u64, client: u64, sink: &mut K) {
        let at_broker = self.key.hash(&(talk.ends.server, login));
        if self.logins.note(at_broker, client, talk.now) {
            let event = Event {
                ts: talk.now,
                name: "mqtt:shared-credential",
                what: "eight clients or more with one user name and password within ten minutes",
                severity: Severity::Low,
                client: talk.ends.client,
                server: talk.ends.server,
                direction: Direction::ToServer,
                packet_type: Some(PacketType::Connect),
                reaction: Reaction::NotDue,
            };
            self.give_out(event, sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    #[test]
    fn many_clients_are_told_once_an_hour() {
        let mut logins = Logins::default();
        for client in 0..7 {
            assert!(!logins.note(1, client, at(100 + client)));
            assert!(!logins.note(1, client, at(100 + client)), "the same client again");
        }
        assert!(logins.note(1, 7, at(110)) && !logins.note(1, 8, at(111)));
        for second in 1000..1020 {
            assert!(!logins.note(1, second, at(second)));
        }
        assert!((5000..5008).any(|second| logins.note(1, second, at(second))));
    }

    #[test]
    fn eight_over_a_day_are_not_many() {
        let mut logins = Logins::default();
        assert!((0..100).all(|client| !logins.note(1, client, at(client * 200))));
    }

    #[test]
    fn guesses_do_not_displace_what_is_shared() {
        let mut logins = Logins::default();
        for client in 0..7 {
            logins.note(1, client, at(100));
        }
        for guess in 1000..2000 {
            assert!(!logins.note(guess, 9, at(101)));
        }
        assert!(logins.note(1, 7, at(102)));
    }
}
