//! MQTT where none is expected: told once for each server, however often it is met.

use heapless::Vec;

use super::Sink;
use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::alert::Severity;
use crate::event::{Event, Reaction};
use crate::flow::key::{Direction, Socket};
use crate::limits::UNEXPECTED_SERVERS;
use crate::time::Timestamp;

/// The servers met on unexpected ports, with the time of the latest session; a new one takes the place of the one
/// unused for longest.
#[derive(Debug, Default)]
pub(super) struct UnexpectedServers(Vec<(Socket, Timestamp), UNEXPECTED_SERVERS>);

impl UnexpectedServers {
    /// Notes a server; whether it is new.
    fn note(&mut self, server: Socket, now: Timestamp) -> bool {
        if let Some((_, met)) = self.0.iter_mut().find(|(known, _)| *known == server) {
            *met = now;
            return false;
        }
        if self.0.is_full()
            && let Some(oldest) = self.0.iter_mut().min_by_key(|(_, met)| *met)
        {
            *oldest = (server, now);
        } else {
            // There is room.
            let _ = self.0.push((server, now));
        }
        true
    }
}

impl Knowledge<'_> {
    /// A server has answered an MQTT session on a port where none is expected.
    #[cold]
    pub(super) fn on_unexpected_port<K: Sink>(&mut self, talk: &mut Talk<'_>, sink: &mut K) {
        // Once for each connection.
        talk.session.unexpected_port = false;
        self.counts.carriers.unexpected_port += 1;
        if self.unexpected_servers.note(talk.ends.server, talk.now) {
            let event = Event {
                ts: talk.now,
                name: "mqtt:unexpected-port",
                what: "MQTT on a port where none is expected",
                severity: Severity::Low,
                client: talk.ends.client,
                server: talk.ends.server,
                direction: Direction::ToClient,
                packet_type: None,
                reaction: Reaction::NotDue,
            };
            self.give_out(event, sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Address;

    #[test]
    fn each_server_is_told_once_while_it_is_remembered() {
        let mut servers = UnexpectedServers::default();
        let at = |n: u16| Socket { addr: Address::v4([10, 0, 0, 1]), port: n };
        for n in 0..64 {
            assert!(servers.note(at(n), Timestamp::from_secs(u64::from(n))));
        }
        assert!(!servers.note(at(0), Timestamp::from_secs(100)));
        assert!(servers.note(at(500), Timestamp::from_secs(101)));
        // The one unused for longest had to go.
        assert!(!servers.note(at(0), Timestamp::from_secs(102)));
        assert!(servers.note(at(1), Timestamp::from_secs(103)));
    }
}
