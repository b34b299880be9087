//! A session from its CONNACK to its end: who holds it, whether it is used, and what its server keeps of it.

use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::client::Kept;
use crate::flow::connection::{Ends, Session};
use crate::host::gauge::Gauge;
use crate::host::window::Counter;
use crate::mqtt::acknowledge::ConnAck;
use crate::mqtt::conformance::Found;
use crate::mqtt::violation::Violation;
use crate::time::Timestamp;

impl Knowledge<'_> {
    /// A client has its session now: on this connection and on no other, and with what the server kept of it.
    pub(super) fn on_session_taken(&mut self, talk: &mut Talk<'_>, ack: &ConnAck<'_>, found: &mut Found) {
        let now = talk.now;
        let Some((_, client)) = self.clients.at(talk.session.client) else {
            return;
        };
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
        if let Some((_, client)) = self.clients.at(session.client)
            && client.server == ends.server
            && session.conformance.asked_for_clean().is_some()
        {
            client.kept = Kept::after(session.conformance.expiry, now);
        }
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
        }
        if idle {
            host.gauges.down(Gauge::Idle);
        }
        if open && by_broker && !session.said_goodbye {
            host.count(Counter::ClosedByBroker, 1, now.as_secs());
        }
    }
}
