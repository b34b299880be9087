//! What is done about a breach of the standard: it is counted, told as an event, and taken to the rules.

use super::Sink;
use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::event::{Event, Reaction};
use crate::flow::connection::{Ends, Session};
use crate::flow::key::Direction;
use crate::host::family::FAMILIES;
use crate::mqtt::conformance::Found;
use crate::mqtt::conformance::reaction::Pending;
use crate::mqtt::packet::{ControlPacket, PacketType};
use crate::mqtt::version::Version;
use crate::mqtt::violation::{Violation, Violations};
use crate::time::Timestamp;

/// Whose breach it is, and of what.
#[derive(Clone, Copy)]
struct Breach {
    violations: Violations,
    culprit: Direction,
    packet_type: Option<PacketType>,
    reaction: Reaction,
    at: Timestamp,
}

impl Knowledge<'_> {
    /// Takes what was found wrong in a packet, or by time alone.
    #[cold]
    pub(super) fn on_found<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        found: Found,
        packet_type: Option<PacketType>,
        sink: &mut K,
    ) {
        self.note_found(talk.ends, talk.session, found, packet_type, talk.now, sink);
        if !found.client.with(found.server).counted().is_empty() {
            self.counts.violations += 1;
        }
        for (counter, family) in FAMILIES {
            if found.client.without(family) != found.client {
                self.count_rare(talk.ends, counter, 1, talk.now);
            }
        }
        let counted = found.client.counted();
        if !counted.is_empty() {
            self.on_violations(talk, counted, sink);
        }
    }

    /// A single violation found outside a control packet.
    #[cold]
    pub(super) fn on_wrong<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        culprit: Direction,
        violation: Violation,
        sink: &mut K,
    ) {
        let mut found = Found::NONE;
        found.by(culprit).add(violation);
        self.on_found(talk, found, None, sink);
    }

    /// Counts what was found and tells what was not told before on this connection.
    pub(super) fn note_found<K: Sink>(
        &mut self,
        ends: &Ends,
        session: &mut Session,
        found: Found,
        packet_type: Option<PacketType>,
        now: Timestamp,
        sink: &mut K,
    ) {
        for violation in found.client.iter().chain(found.server.iter()) {
            self.by_violation[violation as usize] += 1;
        }
        let server = session.conformance.not_told(Direction::ToClient, found.server);
        let told_by_server = Breach {
            violations: server,
            culprit: Direction::ToClient,
            packet_type,
            reaction: Reaction::NotDue,
            at: now,
        };
        self.tell_breach(ends, session.version, told_by_server, sink);

        let client = session.conformance.not_told(Direction::ToServer, found.client);
        // A silence calls for no answer, and a name that depends on the type of the packet cannot wait with others.
        let at_once: Violations =
            [Violation::KeepAliveExceeded, Violation::PubRelMissing, Violation::ReasonCode]
                .into_iter()
                .collect();
        let waits = client.without(at_once);
        let not_due =
            Breach { violations: client.without(waits), culprit: Direction::ToServer, ..told_by_server };
        self.tell_breach(ends, session.version, not_due, sink);
        if waits.is_empty() {
            return;
        }
        let pending = session.conformance.pending.get_or_insert(Pending {
            violations: Violations::NONE,
            packet_type,
            since: now,
        });
        pending.violations = pending.violations.with(waits);
    }

    /// A packet of the server may be its reaction.
    #[inline]
    pub(super) fn on_server_packet<K: Sink>(
        &mut self,
        talk: &mut Talk<'_>,
        packet: &ControlPacket<'_>,
        sink: &mut K,
    ) {
        let Some(pending) = &talk.session.conformance.pending else {
            return;
        };
        let reaction =
            if pending.is_over(talk.now) { Some(Reaction::Ignored) } else { pending.judge(packet) };
        if let Some(reaction) = reaction {
            self.on_reaction(talk.ends, talk.session, reaction, talk.now, sink);
        }
    }

    /// The server's reaction to what the client did wrong is known now.
    #[cold]
    pub(super) fn on_reaction<K: Sink>(
        &mut self,
        ends: &Ends,
        session: &mut Session,
        reaction: Reaction,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some(pending) = session.conformance.pending.take() else {
            return;
        };
        let breach = Breach {
            violations: pending.violations,
            culprit: Direction::ToServer,
            packet_type: pending.packet_type,
            reaction,
            at: pending.since,
        };
        self.tell_breach(ends, session.version, breach, sink);
        let flags: Violations = [
            Violation::ReservedFlags,
            Violation::PubRelFlags,
            Violation::SubscribeFlags,
            Violation::UnsubscribeFlags,
            Violation::DisconnectFlags,
        ]
        .into_iter()
        .collect();
        let had_wrong_flags = pending.violations.without(flags) != pending.violations;
        if had_wrong_flags && reaction != Reaction::Closed && session.version != Version::V5 {
            let mut found = Found::NONE;
            found.server.add(Violation::FlagsTolerated);
            self.note_found(ends, session, found, pending.packet_type, now, sink);
        }
    }

    fn tell_breach<K: Sink>(&self, ends: &Ends, version: Version, breach: Breach, sink: &mut K) {
        for violation in breach.violations.iter() {
            let row = violation.row();
            for name in row.names(version, breach.packet_type) {
                let event = Event {
                    ts: breach.at,
                    name,
                    what: row.what,
                    severity: row.severity,
                    client: ends.client,
                    server: ends.server,
                    direction: breach.culprit,
                    packet_type: breach.packet_type,
                    reaction: breach.reaction,
                };
                self.give_out(event, sink);
            }
        }
    }
}
