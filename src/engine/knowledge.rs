//! What the engine knows of hosts, clients and incidents, and how a finding becomes an alert.

use core::time::Duration;

use heapless::Vec;

use super::Sink;
use super::aside::Bystanders;
use super::carrier::CarrierStats;
use super::credentials::Logins;
use super::exposure::UnexpectedServers;
use super::scoring::PacketRows;
use crate::alert::{Alert, ClientId, Detector, Endpoint, Severity, ViolationNames};
use crate::client::{Client, ClientKey};
use crate::decode::Address;
use crate::detect::class::Class;
use crate::detect::incident::{Incidents, Report};
use crate::detect::plausible::is_plausible;
use crate::detect::rules::{self, Finding, Thresholds};
use crate::detect::scorer::Verdict;
use crate::detect::vote::Vote;
use crate::flow::connection::Ends;
use crate::flow::schedule::Schedule;
use crate::flow::table::{Handle, HashKey, Table};
use crate::host::owners::Owners;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;
use crate::host::{Host, HostKey, NO_INCIDENT};
use crate::limits::{CLIENT_WAYS, EVIDENCE_ITEMS, HOST_WAYS, OWN_CLIENT_IDS};
use crate::mqtt::alias::Aliases;
use crate::mqtt::version::Version;
use crate::mqtt::violation::{Violation, Violations};
use crate::time::Timestamp;
use crate::tls::HelloRing;

/// Counters kept here; see [`Stats`](super::Stats) for their meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    pub(super) hosts_evicted: u64,
    pub(super) clients_evicted: u64,
    pub(super) control_packets: [u64; 16],
    pub(super) unframed_octets: u64,
    pub(super) bad_lengths: u64,
    pub(super) violations: u64,
    pub(super) alerts: u64,
    pub(super) carriers: CarrierStats,
}

/// A rule: asked of a host in a second.
pub(super) type Rule = fn(&mut Host, u64, &Thresholds) -> Option<Finding>;

/// Hosts, clients, incidents.
#[derive(Debug)]
pub struct Knowledge<'m> {
    pub(super) hosts: Table<'m, HostKey, Host, HOST_WAYS>,
    pub(super) host_due: Schedule<'m>,
    pub(super) clients: Table<'m, ClientKey, Client, CLIENT_WAYS>,
    pub(super) incidents: Incidents<'m>,
    pub(super) hellos: HelloRing<'m>,
    pub(super) unexpected_servers: UnexpectedServers,
    pub(super) logins: Logins,
    pub(super) own_client_ids: Vec<u64, OWN_CLIENT_IDS>,
    pub(super) key: HashKey,
    pub(super) rules: bool,
    pub(super) thresholds: Thresholds,
    /// See [`Clock::offset`](super::Clock::offset).
    pub(super) clock_offset: u64,
    pub(super) counts: Counts,
    /// How often each violation was found.
    pub(super) by_violation: [u64; Violation::COUNT],
    /// Topic aliases.
    pub(super) aliases: Aliases<'m>,
    /// The connection whose session was just taken over by another.
    pub(super) taken_over: Option<Handle>,
    /// Who publishes to which topic.
    pub(super) publishers: Owners,
    /// Who subscribes to which topic by name.
    pub(super) subscribers: Owners,
    /// What is remembered of hosts that do not speak MQTT.
    pub(super) bystanders: Bystanders,
    /// Rows about control packets, on their way to the models.
    pub(super) packet_rows: PacketRows,
}

impl Knowledge<'_> {
    /// The host behind a connection's client end, met or made.
    #[inline]
    pub(super) fn host(&mut self, ends: &mut Ends, now: Timestamp) -> Option<&mut Host> {
        if self.hosts.at(ends.host).is_none() {
            ends.host = self.host_handle(ends.client.addr, now);
        }
        self.hosts.touch(ends.host, now);
        self.host_due.no_later(ends.host.index(), now.as_secs());
        self.hosts.at(ends.host).map(|(_, host)| host)
    }

    #[cold]
    pub(super) fn host_handle(&mut self, addr: Address, now: Timestamp) -> Handle {
        let key = HostKey(addr);
        if let Some(handle) = self.hosts.find(&key, now) {
            return handle;
        }
        let inserted = self.hosts.insert(key, Host::NEW.clone(), now);
        if inserted.evicted.is_some() {
            self.counts.hosts_evicted += 1;
        }
        inserted.handle
    }

    /// Counts something of a connection's client.
    #[inline]
    pub(super) fn count(&mut self, ends: &mut Ends, counter: Counter, n: u32, now: Timestamp) {
        if let Some(host) = self.host(ends, now) {
            host.count(counter, n, now.as_secs());
        }
    }

    /// Counts something rare of a connection's client.
    #[cold]
    pub(super) fn count_rare(&mut self, ends: &mut Ends, counter: Rare, n: u32, now: Timestamp) {
        if let Some(host) = self.host(ends, now) {
            host.count_rare(counter, n, now.as_secs());
        }
    }

    /// The client behind an identifier, met or made.
    pub(super) fn client(&mut self, id: &[u8], now: Timestamp) -> Handle {
        let key = ClientKey(self.key.hash_bytes(id));
        let handle = self.clients.find(&key, now).unwrap_or_else(|| {
            let inserted = self.clients.insert(key, Client::new(id), now);
            if inserted.evicted.is_some() {
                self.counts.clients_evicted += 1;
            }
            inserted.handle
        });
        if let Some((_, client)) = self.clients.at(handle) {
            client.connects = client.connects.saturating_add(1);
        }
        handle
    }

    /// Whether this client id was announced as our own; it is used up by asking.
    pub(super) fn is_own_client(&mut self, id: &[u8]) -> bool {
        if self.own_client_ids.is_empty() {
            return false;
        }
        let hash = self.key.hash_bytes(id);
        let Some(at) = self.own_client_ids.iter().position(|own| *own == hash) else {
            return false;
        };
        self.own_client_ids.swap_remove(at);
        true
    }

    /// Asks a rule about the client of a connection and reports what it finds.
    pub(super) fn ask<K: Sink>(&mut self, rule: Rule, ends: &mut Ends, now: Timestamp, sink: &mut K) {
        if !self.rules {
            return;
        }
        let thresholds = self.thresholds;
        let addr = ends.client.addr;
        let Some(host) = self.host(ends, now) else {
            return;
        };
        if let Some(finding) = rule(host, now.as_secs(), &thresholds) {
            let handle = ends.host;
            self.report_finding(finding, addr, handle, now, sink);
        }
    }

    /// The same, where the rule's condition is known to hold and is met again with every packet of a flood:
    /// while the incident is fresh and no worse, only its count grows.
    #[inline]
    pub(super) fn ask_flood<K: Sink>(
        &mut self,
        class: Class,
        severity: Severity,
        rule: Rule,
        ends: &mut Ends,
        now: Timestamp,
        sink: &mut K,
    ) {
        if let Some((_, host)) = self.hosts.at(ends.host) {
            let hint = host.incidents[class as usize];
            if hint != NO_INCIDENT && self.incidents.goes_on(ends.client.addr, class, severity, hint, now) {
                return;
            }
        }
        self.ask(rule, ends, now, sink);
    }

    /// Reports what a rule found.
    pub(super) fn report_finding<K: Sink>(
        &mut self,
        finding: Finding,
        addr: Address,
        handle: Handle,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((_, host)) = self.hosts.at(handle) else {
            return;
        };
        if is_explained(finding.class, host) {
            return;
        }
        let detector = Detector::Rule(finding.rule);
        let Finding { class, severity, confidence, evidence, .. } = finding;
        let about = About { class, detector, severity, confidence, evidence };
        self.report(about, addr, handle, now, sink);
    }

    /// Takes a model's verdict on a row about a host.
    pub(super) fn report_verdict<K: Sink>(
        &mut self,
        verdict: Verdict,
        model: usize,
        vote: Vote,
        handle: Handle,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Some((key, host)) = self.hosts.at(handle) else {
            return;
        };
        let addr = key.0;
        if verdict.abstains {
            return;
        }
        let ballot = host.ballots.get_mut(model).and_then(|ballot| ballot.cast(verdict, vote, now.as_secs()));
        let Some(class) = ballot else {
            return;
        };
        if !is_plausible(class, host, now.as_secs()) {
            return;
        }
        // Where it is already said what it is, a model's other opinion of the same traffic adds nothing. What is low says
        // little: who gives cause for that may not hide behind it. That something is strange says nothing of what it is.
        let is_explained = Class::ALL.iter().zip(&host.incidents).any(|(other, hint)| {
            ![class, Class::Anomaly].contains(other)
                && self
                    .incidents
                    .severity_at(addr, *other, *hint)
                    .is_some_and(|severity| severity >= Severity::Medium)
        });
        if is_explained {
            return;
        }
        let evidence = evidence_of(host);
        let has_misbehaved = MISDEEDS.iter().any(|class| is_plausible(*class, host, now.as_secs()));
        let guesses = rules::guesses(host, now.as_secs(), &self.thresholds);
        let about = About {
            class,
            detector: Detector::Model(u8::try_from(model).unwrap_or(u8::MAX)),
            severity: severity_of(class, guesses, has_misbehaved),
            confidence: verdict.confidence,
            evidence,
        };
        self.report(about, addr, handle, now, sink);
    }

    fn report<K: Sink>(&mut self, about: About, addr: Address, handle: Handle, now: Timestamp, sink: &mut K) {
        let second = now.as_secs();
        let Some((_, host)) = self.hosts.at(handle) else {
            return;
        };
        let one_client = host.distinct(Sketch::ClientIds, second) <= 1;
        let one_victim = host.distinct(Sketch::Hosts, second) <= 1;
        let (mac, server, client, hint) =
            (host.mac, host.server, host.client, host.incidents[about.class as usize]);
        let (host_kinds, host_version) = (host.violation_kinds, host.violation_version);
        let scan = matches!(about.class, Class::TcpScan | Class::UdpScan | Class::HostScan);
        let destination = match server {
            Some(server) if !scan => {
                Some(Endpoint { ip: server.addr.ip(), port: Some(server.port), mac: None })
            }
            _ => host.target.filter(|_| scan && one_victim).map(|target| Endpoint {
                ip: target.ip(),
                port: None,
                mac: None,
            }),
        };
        let client_id: Option<ClientId> = if one_client && !scan {
            self.clients.at(client).map(|(_, client)| client.id.clone())
        } else {
            None
        };
        let violations = match about.class {
            Class::MqttMalformed => violation_names(host_kinds, host_version),
            _ => ViolationNames::new(),
        };
        let report = Report {
            source: addr,
            mac,
            destination,
            client_id,
            class: about.class,
            detector: about.detector,
            severity: about.severity,
            confidence: about.confidence,
            evidence: about.evidence,
            violations,
        };
        let (counts, offset) = (&mut self.counts, self.clock_offset);
        let place = self.incidents.report(report, hint, now, |alert| emit(alert, offset, counts, sink));
        if let Some((_, host)) = self.hosts.at(handle) {
            host.incidents[about.class as usize] = place.unwrap_or(NO_INCIDENT);
        }
    }

    /// Closes incidents without fresh evidence.
    pub(super) fn close_quiet_incidents<K: Sink>(&mut self, now: Timestamp, sink: &mut K) {
        let (counts, offset, hosts) = (&mut self.counts, self.clock_offset, &mut self.hosts);
        self.incidents.close_quiet(
            now,
            |alert| emit(alert, offset, counts, sink),
            |source, class| {
                if let Some(handle) = hosts.find(&HostKey(source), now)
                    && let Some((_, host)) = hosts.at(handle)
                {
                    host.incidents[class as usize] = NO_INCIDENT;
                }
            },
        );
    }

    /// Closes every incident.
    pub(super) fn close_all_incidents<K: Sink>(&mut self, now: Timestamp, sink: &mut K) {
        let (counts, offset) = (&mut self.counts, self.clock_offset);
        self.incidents.close_all(now, |alert| emit(alert, offset, counts, sink));
    }
}

/// What is to be reported, before it is known where it belongs.
struct About {
    class: Class,
    detector: Detector,
    severity: Severity,
    confidence: f32,
    evidence: crate::alert::EvidenceList,
}

/// Whether an open incident of the host says the same more exactly: who guesses or holds sessions also connects a lot.
fn is_explained(class: Class, host: &Host) -> bool {
    let open = |class: Class| host.incidents[class as usize] != NO_INCIDENT;
    class == Class::MqttConnectFlood && (open(Class::MqttBruteforce) || open(Class::MqttSlowDos))
}

/// What no device does by habit: to be refused, to break the standard, to try closed ports.
const MISDEEDS: [Class; 3] = [Class::MqttBruteforce, Class::MqttMalformed, Class::TcpScan];

/// How much a class matters when the model says it; it has no thresholds to tell degrees. `guesses` says whether
/// several credentials were tried: a device that was given a wrong password looks like a guesser but for that.
/// Strange is not hostile: it is low, unless the host has also misbehaved.
const fn severity_of(class: Class, guesses: bool, has_misbehaved: bool) -> Severity {
    match class {
        Class::Anomaly if !has_misbehaved => Severity::Low,
        Class::MqttBruteforce if !guesses => Severity::Low,
        Class::MqttBruteforce
        | Class::MqttPublishFlood
        | Class::MqttSlowDos
        | Class::MqttConnectFlood
        | Class::MqttTampering
        | Class::ArpSpoof => Severity::High,
        _ => Severity::Medium,
    }
}

/// The counters a person would look at first, for alerts of the model.
fn evidence_of(host: &Host) -> crate::alert::EvidenceList {
    [
        ("connect", "packets/60s", Counter::Connect),
        ("connect_refused", "packets/60s", Counter::Refused),
        ("publish", "packets/60s", Counter::Publish),
        ("subscribe", "packets/60s", Counter::Subscribe),
        ("violations", "events/60s", Counter::Violation),
        ("oddities", "events/60s", Counter::Oddity),
        ("connections_failed", "connections/60s", Counter::SynFailed),
        ("connect_long_keepalive", "packets/60s", Counter::LongKeepAlive),
    ]
    .into_iter()
    .map(|(name, unit, counter)| (name, unit, host.windows.last60(counter)))
    .chain(RARE_EVIDENCE.map(|(name, unit, counter)| (name, unit, host.rares.last60(counter))))
    .filter(|(_, _, value)| *value > 0)
    .take(EVIDENCE_ITEMS)
    .map(|(name, unit, value)| crate::alert::Evidence { name, unit, value: u64::from(value) })
    .collect()
}

/// The same of what is rare.
const RARE_EVIDENCE: [(&str, &str, Rare); 12] = [
    ("takeover", "packets/60s", Rare::Takeover),
    ("publish_foreign", "packets/60s", Rare::Foreign),
    ("publish_emptied", "packets/60s", Rare::Emptied),
    ("publish_commanding", "packets/60s", Rare::Commanding),
    ("will_released", "sessions/60s", Rare::WillReleased),
    ("subscribe_all", "packets/60s", Rare::ReadsAll),
    ("filters_refused", "filters/60s", Rare::FiltersRefused),
    ("stalled", "looks/60s", Rare::Stalled),
    ("ssh_opened", "connections/60s", Rare::SshOpened),
    ("telnet_opened", "connections/60s", Rare::TelnetOpened),
    ("unreachable", "messages/60s", Rare::Unreachable),
    ("arp_claims", "messages/60s", Rare::ArpClaim),
];

/// What those statements are called in that version, the gravest first.
fn violation_names(kinds: Violations, version: Version) -> ViolationNames {
    let mut names = ViolationNames::new();
    for severity in Severity::ALL.into_iter().rev() {
        for row in kinds.iter().map(Violation::row).filter(|row| row.severity == severity) {
            for name in row.names(version, None).filter(|name| name.starts_with("mqtt")) {
                if !names.contains(&name) {
                    // What does not fit is left out.
                    let _ = names.push(name);
                }
            }
        }
    }
    names
}

/// Gives an alert out, in the time of the capture.
fn emit<K: Sink>(alert: &Alert, offset: u64, counts: &mut Counts, sink: &mut K) {
    counts.alerts += 1;
    if offset == 0 {
        sink.alert(alert);
        return;
    }
    let shown = |t: Timestamp| t - Duration::from_micros(offset);
    sink.alert(&Alert {
        ts: shown(alert.ts),
        first_seen: shown(alert.first_seen),
        last_seen: shown(alert.last_seen),
        ..alert.clone()
    });
}
