//! A session from its CONNACK to its end: who holds it, whether it is used, and what its server keeps of it.

use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::client::Kept;
use crate::flow::connection::{Ends, Session};
use crate::flow::table::Handle;
use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
use crate::host::window::Counter;
use crate::mqtt::acknowledge::ConnAck;
use crate::mqtt::conformance::Found;
use crate::mqtt::violation::Violation;
use crate::time::Timestamp;

impl Knowledge<'_> {
    /// A client has its session now: on this connection and on no other, and with what the server kept of it.
    pub(super) fn on_session_taken(&mut self, talk: &mut Talk<'_>, ack: &ConnAck<'_>, found: &mut Found) {
        let now = talk.now;
        let (socket, host) = (self.key.hash(&talk.ends.client), self.key.hash(&talk.ends.client.addr));
        let Some((_, client)) = self.clients.at(talk.session.client) else {
            return;
        };
        if !talk.session.takes_over {
            client.owner = host;
        }
        client.held_by = socket;
        let same_server = client.server == talk.ends.server;
        if same_server && client.holder != talk.handle {
            self.taken_over = Some(client.holder);
        }
        if same_server && talk.session.conformance.asked_for_clean() == Some(false) {
            let kept = match client.kept {
                Kept::Until(end) if end > now => Some(true),
                Kept::Unknown | Kept::Until(_) => None,
                Kept::No => Some(false),
            };
            found.server.add_if(kept == Some(true) && !ack.session_present, Violation::SessionLost);
            found.server.add_if(kept == Some(false) && ack.session_present, Violation::SessionInvented);
        }
        client.holder = talk.handle;
        client.server = talk.ends.server;
        client.kept = Kept::Unknown;
    }

    /// The session has done what a session is for.
    #[inline]
    pub(super) fn on_used(&mut self, talk: &mut Talk<'_>) {
        if talk.session.used {
            return;
        }
        talk.session.used = true;
        let (open, idle) = (talk.session.counted_open, talk.session.counted_idle);
        talk.session.counted_idle = false;
        let Some(host) = self.host(talk.ends, talk.now) else {
            return;
        };
        host.count(Counter::SessionUsed, 1, talk.now.as_secs());
        if open {
            host.gauges.down(Gauge::Unused);
        }
        if idle {
            host.gauges.down(Gauge::Idle);
        }
    }

    /// Whether a CONNECT asks for a session that a host holds open to which it does not belong.
    pub(super) fn takes_over(&mut self, talk: &Talk<'_>, client: Handle) -> bool {
        let host = self.key.hash(&talk.ends.client.addr);
        self.clients.at(client).is_some_and(|(_, client)| {
            client.held_by != 0 && client.server == talk.ends.server && client.owner != host
        })
    }

    /// Counts an accepted session again that had ended.
    pub(super) fn on_session_resumed(&mut self, ends: &mut Ends, session: &mut Session, now: Timestamp) {
        if !session.accepted || session.counted_open {
            return;
        }
        session.counted_open = true;
        if let Some(host) = self.host(ends, now) {
            host.gauges.up(Gauge::Sessions);
            if !session.used {
                host.gauges.up(Gauge::Unused);
            }
        }
    }

    /// The connection has ended: takes its session out of the gauges.
    pub(super) fn on_session_end(
        &mut self,
        ends: &mut Ends,
        session: &mut Session,
        by_broker: bool,
        now: Timestamp,
    ) {
        if !session.counted_open && !session.counted_idle {
            return;
        }
        let socket = self.key.hash(&ends.client);
        if let Some((_, client)) = self.clients.at(session.client)
            && client.server == ends.server
        {
            if client.held_by == socket {
                client.held_by = 0;
            }
            if session.conformance.asked_for_clean().is_some() {
                client.kept = Kept::after(session.conformance.expiry, now);
            }
        }
        let qos2_open = core::mem::take(&mut session.qos2_open);
        let releases_will = session.has_will && !session.said_goodbye;
        let (open, idle, used) = (session.counted_open, session.counted_idle, session.used);
        session.counted_open = false;
        session.counted_idle = false;
        let Some(host) = self.host(ends, now) else {
            return;
        };
        if open {
            host.gauges.down(Gauge::Sessions);
            if !used {
                host.gauges.down(Gauge::Unused);
            }
            if releases_will {
                host.count_rare(Rare::WillReleased, 1, now.as_secs());
            }
        }
        if idle {
            host.gauges.down(Gauge::Idle);
        }
        host.gauges.down_by(Gauge::Qos2Open, qos2_open.into());
        if open && by_broker && !session.said_goodbye {
            host.count(Counter::ClosedByBroker, 1, now.as_secs());
        }
    }
}
