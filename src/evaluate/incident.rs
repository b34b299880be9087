//! What was reported of a capture, and whether a packet lies in it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::alert::{Alert, Severity, State};
use crate::decode::Address;
use crate::detect::class::Class;
use crate::engine::Sink;
use crate::time::Timestamp;

/// A packet counts as reported until so long after an incident's last evidence: the shorter one of the windows that
/// rules and models look at.
pub const WINDOW: Duration = Duration::from_secs(10);

/// Incidents kept of one capture. Each takes some 100 octets.
const MAX_INCIDENTS: usize = 1 << 17;

/// Classes as a set of bits.
pub(super) type ClassSet = u32;
const _: () = assert!(Class::ALL.len() <= 32, "a class has a bit");

/// One incident, as its alerts told it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Incident {
    pub(super) source: IpAddr,
    pub(super) class: Class,
    pub(super) last_seen: Timestamp,
    /// When it was first told with this severity or a higher one.
    told: [Option<Timestamp>; Severity::ALL.len()],
}

impl Incident {
    /// When it was first reported, however mildly.
    pub(super) fn opened(&self) -> Timestamp {
        self.told[0].unwrap_or_default()
    }

    /// When it was first reported with at least this severity.
    pub(super) fn reported(&self, least: Severity) -> Option<Timestamp> {
        self.told[least as usize]
    }

    fn note(&mut self, alert: &Alert) {
        self.last_seen = self.last_seen.max(alert.last_seen);
        for told in self.told.iter_mut().take(alert.severity as usize + 1) {
            told.get_or_insert(alert.ts);
        }
    }
}

/// Collects the incidents of a capture.
#[derive(Default)]
pub(super) struct Incidents {
    pub(super) list: Vec<Incident>,
    /// Incidents that found no place in the list.
    pub(super) lost: u64,
    /// Where those are that may go on.
    open: HashMap<u128, usize>,
}

impl Sink for Incidents {
    fn alert(&mut self, alert: &Alert) {
        let (list, lost) = (&mut self.list, &mut self.lost);
        let place = *self.open.entry(alert.incident).or_insert_with(|| {
            if list.len() == MAX_INCIDENTS {
                *lost += 1;
                return usize::MAX;
            }
            list.push(Incident {
                source: alert.source.ip,
                class: alert.class,
                last_seen: alert.last_seen,
                told: [None; 4],
            });
            list.len() - 1
        });
        if let Some(incident) = self.list.get_mut(place) {
            incident.note(alert);
        }
        if alert.state == State::Closed {
            self.open.remove(&alert.incident);
        }
    }
}

/// Which classes were reported of a host at a time.
pub(super) struct Spans {
    hosts: HashMap<Address, Vec<OfClass>>,
}

/// The spans of one class, in order.
struct OfClass {
    class: Class,
    spans: Vec<(Timestamp, Timestamp)>,
}

impl Spans {
    /// Of what was reported with at least this severity.
    pub(super) fn new(incidents: &[Incident], least: Severity) -> Self {
        let mut hosts: HashMap<Address, Vec<OfClass>> = HashMap::new();
        for incident in incidents {
            let Some(from) = incident.reported(least) else { continue };
            let of_host = hosts.entry(address(incident.source)).or_default();
            let place = of_host.iter().position(|of| of.class == incident.class).unwrap_or_else(|| {
                of_host.push(OfClass { class: incident.class, spans: Vec::new() });
                of_host.len() - 1
            });
            if let Some(of_class) = of_host.get_mut(place) {
                of_class.spans.push((from, incident.last_seen + WINDOW));
            }
        }
        for of_class in hosts.values_mut().flatten() {
            of_class.spans.sort_unstable();
        }
        Self { hosts }
    }

    /// What a packet of these hosts at `ts` was reported as.
    pub(super) fn at(&self, ts: Timestamp, hosts: Option<(Address, Address)>) -> ClassSet {
        let Some((src, dst)) = hosts.filter(|_| !self.hosts.is_empty()) else { return 0 };
        self.of(ts, src) | self.of(ts, dst)
    }

    fn of(&self, ts: Timestamp, host: Address) -> ClassSet {
        let Some(classes) = self.hosts.get(&host) else { return 0 };
        classes.iter().fold(0, |set, of_class| {
            // One incident of a class follows another, so the latest that has begun is the one that may still last.
            let begun = of_class.spans.partition_point(|(from, _)| *from <= ts);
            let lasts = of_class.spans.get(begun.wrapping_sub(1)).is_some_and(|(_, to)| ts <= *to);
            set | u32::from(lasts) << of_class.class as u32
        })
    }
}

/// The name under which something goes into the matrix: that of its own class if it was reported, else the first of
/// the vocabulary that was; none where nothing was reported.
pub(super) fn choose(set: ClassSet, truth: &str) -> Option<&'static str> {
    let reported =
        || Class::ALL.iter().filter(|class| set >> **class as u32 & 1 == 1).map(|class| class.name());
    reported().find(|name| *name == truth).or_else(|| reported().next())
}

pub(super) fn address(ip: IpAddr) -> Address {
    match ip {
        IpAddr::V4(v4) => Address::v4(v4.octets()),
        IpAddr::V6(v6) => Address::v6(v6.octets()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An incident that was told at each of these seconds with that severity, its evidence ending at the last.
    pub(in crate::evaluate) fn incident(
        host: u8,
        class: Class,
        told: &[(u64, Severity)],
        last: u64,
    ) -> Incident {
        let mut incident = Incident {
            source: IpAddr::from([10, 0, 0, host]),
            class,
            last_seen: Timestamp::from_secs(last),
            told: [None; 4],
        };
        for (at, severity) in told {
            for told in incident.told.iter_mut().take(*severity as usize + 1) {
                told.get_or_insert(Timestamp::from_secs(*at));
            }
        }
        incident
    }

    #[test]
    fn packets_lie_in_the_spans_of_either_end() {
        use Severity::{High, Low, Medium};
        let spans = Spans::new(
            &[
                incident(5, Class::TcpScan, &[(200, High)], 210),
                incident(5, Class::TcpScan, &[(100, Low), (110, Medium)], 120),
                incident(5, Class::MqttRecon, &[(115, Medium)], 116),
                incident(6, Class::TcpScan, &[(100, Low)], 500),
            ],
            Medium,
        );
        let host = |last| Address::v4([10, 0, 0, last]);
        let at = |secs, a, b| spans.at(Timestamp::from_secs(secs), Some((host(a), host(b))));
        let scan = 1 << Class::TcpScan as u32;
        let recon = 1 << Class::MqttRecon as u32;
        assert_eq!([109, 110, 130, 131].map(|secs| at(secs, 5, 1)), [0, scan, scan, 0]);
        assert_eq!([199, 200, 220, 221].map(|secs| at(secs, 1, 5)), [0, scan, scan, 0]);
        assert_eq!(at(126, 5, 1), scan | recon);
        assert_eq!(at(110, 6, 1), 0, "too mild");
        assert_eq!(spans.at(Timestamp::from_secs(110), None), 0);
        assert_eq!(choose(scan | recon, "tcp_scan"), Some("tcp_scan"));
        assert_eq!(choose(scan | recon, "benign"), Some("mqtt_recon"));
        assert_eq!(choose(0, "tcp_scan"), None);
    }
}
