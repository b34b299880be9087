//! What happens when a second ends: vectors, rules that look at states, the model, timeouts, incidents that close.

use super::scoring::Subject;
use super::{Engine, Sink};
use crate::detect::rules;
use crate::detect::scorer::Scorer;
use crate::event::Reaction;
use crate::features::connection::vector;
use crate::flow::connection::{Connection, Phase, Speaks};
use crate::flow::record::EndReason;
use crate::flow::table::Handle;
use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
use crate::host::window::Counter;
use crate::limits::{
    IDLE_AFTER_SECS, LINGER_SECS, SESSION_SILENCE_SECS, SYN_TIMEOUT_SECS, VECTOR_EVERY_SECS,
};
use crate::mqtt::conformance::Found;
use crate::time::Timestamp;

/// A silence is walked through second by second for at most this long: by then every window is empty.
const MAX_STEPS: u64 = 150;

impl<S: Scorer> Engine<'_, S> {
    /// Ends every second before that of `now`.
    #[inline]
    pub(super) fn advance<K: Sink>(&mut self, now: Timestamp, sink: &mut K) {
        // Also within a second: the alerts right after a step of the clock are shown in its new time.
        self.knowledge.clock_offset = self.clock.offset();
        let target = now.as_secs();
        if self.second == target {
            return;
        }
        self.step_to(target, now, sink);
    }

    #[cold]
    fn step_to<K: Sink>(&mut self, target: u64, now: Timestamp, sink: &mut K) {
        if self.second == 0 {
            // The first frame.
            self.second = target;
            self.connection_due.start(target);
            self.knowledge.host_due.start(target);
            return;
        }
        let mut steps = 0;
        while self.second < target && steps < MAX_STEPS {
            // Seconds in which nothing is due are passed over in one go.
            let quiet = self.quiet_until().min(target).min(self.second + MAX_STEPS - steps);
            if quiet > self.second {
                steps += quiet - self.second;
                self.second = quiet;
                continue;
            }
            self.end_second(sink);
            self.second += 1;
            steps += 1;
        }
        if self.second < target {
            // Silence, or the clock was set: whatever still lived is over.
            self.stats.time_jumps += 1;
            self.end_all(EndReason::Idle, now, sink);
            self.score_all(now, sink);
            self.knowledge.close_all_incidents(now, sink);
            self.second = target;
            self.connection_due.start(target);
            self.knowledge.host_due.start(target);
        }
    }

    /// The next second at whose end there may be something to do.
    fn quiet_until(&self) -> u64 {
        if !self.exchanges.is_empty() || !self.knowledge.incidents.is_empty() || !self.scoring.is_empty() {
            return self.second;
        }
        self.connection_due.nothing_before().min(self.knowledge.host_due.nothing_before())
    }

    /// Everything that is done once a second, at the end of the current one.
    pub(super) fn end_second<K: Sink>(&mut self, sink: &mut K) {
        let second = self.second;
        let end = Timestamp::from_secs(second + 1);
        self.scoring.ask_wishes(&self.scorer);
        self.knowledge.packet_rows.wanted = self.scoring.wants(Subject::Packet);
        self.visit_connections(second, end, sink);
        self.visit_exchanges(second, end, sink);
        self.visit_hosts(second, end, sink);
        self.score_all(end, sink);
        self.knowledge.close_quiet_incidents(end, sink);
    }

    fn visit_connections<K: Sink>(&mut self, second: u64, end: Timestamp, sink: &mut K) {
        let mut from = 0;
        while let Some(index) = self.connection_due.next_due(from, second) {
            from = index + 1;
            self.connection_due.cancel(index);
            let Some(handle) = self.connections.handle_at(index) else {
                continue;
            };
            let Some((_, connection)) = self.connections.at(handle) else {
                continue;
            };
            match self.settings.fate(connection, end) {
                Fate::End => self.end_and_remove(handle, EndReason::Idle, end, sink),
                Fate::Live { next, is_idle, record_ends } => {
                    self.connection_due.set(index, next);
                    if connection.session.speaks == Speaks::Mqtt {
                        let Connection { ends, session, .. } = connection;
                        let found = session.conformance.on_time(end);
                        if found != Found::NONE {
                            self.knowledge.note_found(ends, session, found, None, end, sink);
                        }
                        if session.conformance.pending.is_some_and(|pending| pending.is_over(end)) {
                            self.knowledge.on_reaction(ends, session, Reaction::Ignored, end, sink);
                        }
                    }
                    if connection.is_stalled() {
                        self.knowledge.count_rare(&mut connection.ends, Rare::Stalled, 1, end);
                    }
                    if is_idle && !connection.session.counted_idle {
                        connection.session.counted_idle = true;
                        if let Some(host) = self.knowledge.host(&mut connection.ends, end) {
                            host.server = Some(connection.ends.server);
                            host.gauges.up(Gauge::Idle);
                        }
                    }
                    if record_ends.is_some() {
                        connection.record_start = end;
                    }
                    if K::WANTS_VECTORS {
                        let vector = vector(connection, end);
                        sink.connection_vector(
                            end,
                            connection.ends.client,
                            connection.ends.server,
                            record_ends,
                            &vector,
                        );
                    }
                    let host = connection.ends.host;
                    if !connection.ours && self.admits(Subject::Connection, host, end) {
                        self.offer_connection(handle, host, end, sink);
                    }
                }
            }
        }
    }

    /// Hands a connection that lives to the models.
    fn offer_connection<K: Sink>(&mut self, handle: Handle, host: Handle, now: Timestamp, sink: &mut K) {
        if let Some((_, connection)) = self.connections.at(handle) {
            let row = vector(connection, now);
            self.offer(Subject::Connection, &row, host, now, sink);
        }
    }

    fn visit_hosts<K: Sink>(&mut self, second: u64, end: Timestamp, sink: &mut K) {
        let scores = self.scoring.wants(Subject::Host);
        let mut from = 0;
        while let Some(index) = self.knowledge.host_due.next_due(from, second) {
            from = index + 1;
            self.knowledge.host_due.cancel(index);
            let Some(handle) = self.knowledge.hosts.handle_at(index) else {
                continue;
            };
            let Some((key, host)) = self.knowledge.hosts.at(handle) else {
                continue;
            };
            let address = key.0;
            let was_active = host.active == second;
            host.windows.advance(second);
            host.rares.advance(second);
            if host.is_quiet() && host.gauges.get(Gauge::Sessions) == 0 && host.gauges.get(Gauge::Idle) == 0 {
                continue;
            }
            self.knowledge.host_due.set(index, second + 1);
            if (scores || K::WANTS_VECTORS) && host.is_of_interest() {
                let vector = host.vector(second);
                if K::WANTS_VECTORS {
                    sink.host_vector(end, address.ip(), &vector);
                }
                // What a host did is judged in the second it did it: the windows remember an attack for a minute
                // after its end, which is no fresh evidence. What it holds open is judged every tenth second.
                let holds = host.gauges.get(Gauge::Sessions) + host.gauges.get(Gauge::Idle) > 0;
                if scores && (was_active || (holds && second.is_multiple_of(VECTOR_EVERY_SECS))) {
                    self.offer(Subject::Host, &vector, handle, end, sink);
                }
            }
            self.ask_state_rules(index, second, end, was_active, sink);
        }
    }

    /// Rules about how things stand rather than about what just happened.
    fn ask_state_rules<K: Sink>(
        &mut self,
        index: usize,
        second: u64,
        end: Timestamp,
        was_active: bool,
        sink: &mut K,
    ) {
        if !self.knowledge.rules {
            return;
        }
        let thresholds = self.knowledge.thresholds;
        let Some(handle) = self.knowledge.hosts.handle_at(index) else {
            return;
        };
        let Some((key, host)) = self.knowledge.hosts.at(handle) else {
            return;
        };
        let address = key.0;
        // Slow DoS first: it explains the connections.
        if let Some(finding) = rules::slow_dos(host, second, &thresholds) {
            self.knowledge.report_finding(finding, address, handle, end, sink);
        }
        let Some((_, host)) = self.knowledge.hosts.at(handle) else {
            return;
        };
        let connects_now =
            was_active && host.windows.last60(Counter::Connect) > 0 && host.connected_in == second;
        if connects_now && let Some(finding) = rules::connect_flood(host, second, &thresholds) {
            self.knowledge.report_finding(finding, address, handle, end, sink);
        }
        for rule in rules::EVERY_SECOND.iter().filter(|_| was_active) {
            if let Some((_, host)) = self.knowledge.hosts.at(handle)
                && let Some(finding) = rule(host, second, &thresholds)
            {
                self.knowledge.report_finding(finding, address, handle, end, sink);
            }
        }
    }

    /// Ends every connection and every exchange of datagrams.
    pub(super) fn end_all<K: Sink>(&mut self, reason: EndReason, now: Timestamp, sink: &mut K) {
        for index in 0..self.connections.capacity() {
            if let Some(handle) = self.connections.handle_at(index) {
                self.end_and_remove(handle, reason, now, sink);
            }
        }
        self.end_exchanges(reason, now, sink);
    }
}

/// What becomes of a connection that is looked at.
enum Fate {
    /// It is over, or was already.
    End,
    /// It lives on.
    Live { next: u64, is_idle: bool, record_ends: Option<EndReason> },
}

impl super::Settings {
    fn fate(&self, connection: &Connection, end: Timestamp) -> Fate {
        let secs_since = |t: Timestamp| end.micros_since(t) / 1_000_000;
        let silence = secs_since(connection.last_seen);
        let second = end.as_secs();
        match connection.phase {
            Phase::Closed if silence >= LINGER_SECS => Fate::End,
            Phase::Closed => {
                Fate::Live { next: second + LINGER_SECS - silence, is_idle: false, record_ends: None }
            }
            Phase::Opening if secs_since(connection.opened) >= SYN_TIMEOUT_SECS => Fate::End,
            Phase::Opening => Fate::Live { next: second + 1, is_idle: false, record_ends: None },
            Phase::Open if connection.doubted_end && silence >= LINGER_SECS => Fate::End,
            Phase::Open if silence >= self.patience(connection) => Fate::End,
            Phase::Open => {
                let session = &connection.session;
                let to_broker = match session.speaks {
                    Speaks::Mqtt => true,
                    Speaks::Unknown => self.mqtt_ports.contains(&connection.ends.server.port),
                    Speaks::Encrypted | Speaks::Other => false,
                };
                let quiet_for = secs_since(session.connected.unwrap_or(connection.opened));
                let is_idle =
                    to_broker && !session.used && !session.refused && quiet_for >= u64::from(IDLE_AFTER_SECS);
                let idle = u64::from(self.idle_timeout);
                let record_ends = if silence >= idle && silence < idle + VECTOR_EVERY_SECS {
                    Some(EndReason::Idle)
                } else if secs_since(connection.record_start) >= u64::from(self.active_timeout) {
                    Some(EndReason::Active)
                } else {
                    None
                };
                Fate::Live {
                    next: second + VECTOR_EVERY_SECS,
                    is_idle: is_idle && !connection.ours,
                    record_ends,
                }
            }
        }
    }

    /// How long a connection may be silent before it is given up, in seconds: an MQTT session as long as its
    /// keep alive allows (section 3.1.2.10), anything else for the idle timeout.
    fn patience(&self, connection: &Connection) -> u64 {
        let session = &connection.session;
        let idle = u64::from(self.idle_timeout);
        if session.accepted && session.keep_alive == 0 {
            return SESSION_SILENCE_SECS;
        }
        if session.accepted {
            return (u64::from(session.keep_alive) * 3 / 2).max(idle);
        }
        // A connection to a broker that never finishes its CONNECT is worth watching for longer, and the keep alive of one that
        // is encrypted is not known.
        if session.speaks == Speaks::Encrypted || self.mqtt_ports.contains(&connection.ends.server.port) {
            idle.max(u64::from(self.active_timeout))
        } else {
            idle
        }
    }
}
