//! One incident, not one alert a packet: open, updates with a count, close.

use crate::alert::{Alert, ClientId, Detector, Endpoint, EvidenceList, Severity, State, ViolationNames};
use crate::decode::Address;
use crate::detect::class::Class;
use crate::flow::table::HashKey;
use crate::time::Timestamp;

/// Pace of an incident's messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// At least this long between two updates, in microseconds.
    pub update_every: u64,
    /// Closed after this long without evidence, in microseconds.
    pub close_after: u64,
}

/// What was found, and about whom.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who does it.
    pub source: Address,
    /// Link address of the source.
    pub mac: Option<[u8; 6]>,
    /// To whom.
    pub destination: Option<Endpoint>,
    /// As which client.
    pub client_id: Option<ClientId>,
    /// What.
    pub class: Class,
    /// Who says so.
    pub detector: Detector,
    /// How much it matters.
    pub severity: Severity,
    /// 0 to 1.
    pub confidence: f32,
    /// What it rests on.
    pub evidence: EvidenceList,
    /// Statements broken.
    pub violations: ViolationNames,
}

/// An open incident. Public so that the caller can supply the memory.
#[derive(Clone, Debug)]
pub struct Incident {
    id: u128,
    report: Report,
    first_seen: Timestamp,
    last_seen: Timestamp,
    last_sent: Timestamp,
    count: u64,
}

impl Incident {
    fn alert(&self, state: State, ts: Timestamp) -> Alert {
        let report = &self.report;
        Alert {
            incident: self.id,
            ts,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            class: report.class,
            severity: report.severity,
            confidence: report.confidence,
            detector: report.detector,
            source: Endpoint { ip: report.source.ip(), port: None, mac: report.mac },
            destination: report.destination,
            client_id: report.client_id.clone(),
            evidence: report.evidence.clone(),
            violations: report.violations.clone(),
            count: self.count,
            state,
        }
    }
}

/// The open incidents. When all places are taken, a worse incident takes the place of the mildest and stalest one.
#[derive(Debug)]
pub struct Incidents<'m> {
    open: &'m mut [Option<Incident>],
    key: HashKey,
    pace: Pace,
    serial: u64,
    /// Incidents that found no place.
    pub refused: u64,
}

impl<'m> Incidents<'m> {
    /// None open, in the memory given; of more than 255 places the rest is left unused.
    #[must_use]
    pub fn new(places: &'m mut [Option<Incident>], key: HashKey, pace: Pace) -> Self {
        let most = places.len().min(usize::from(u8::MAX));
        let open = &mut places[..most];
        open.fill(None);
        Self { open, key, pace, serial: 0, refused: 0 }
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.iter().all(Option::is_none)
    }

    /// Whether the place `hint` (or another) holds the open incident of this source and class.
    #[must_use]
    pub fn find(&self, source: Address, class: Class, hint: u8) -> Option<u8> {
        let is_it = |incident: &Incident| incident.report.source == source && incident.report.class == class;
        if self.open.get(usize::from(hint)).and_then(Option::as_ref).is_some_and(is_it) {
            return Some(hint);
        }
        let index = self.open.iter().position(|place| place.as_ref().is_some_and(is_it))?;
        u8::try_from(index).ok()
    }

    /// How much the open incident of this source and class matters, if the place `hint` holds it.
    #[must_use]
    pub fn severity_at(&self, source: Address, class: Class, hint: u8) -> Option<Severity> {
        let report = &self.open.get(usize::from(hint))?.as_ref()?.report;
        (report.source == source && report.class == class).then_some(report.severity)
    }

    /// Takes a report in: opens an incident or adds to the open one. Gives its place, if it has one.
    pub fn report(
        &mut self,
        report: Report,
        hint: u8,
        now: Timestamp,
        mut emit: impl FnMut(&Alert),
    ) -> Option<u8> {
        if let Some(index) = self.find(report.source, report.class, hint) {
            self.add_to(index, report, now, emit);
            return Some(index);
        }
        let index = self.place_for(report.severity)?;
        let place = self.open.get_mut(usize::from(index))?;
        if let Some(displaced) = place.take() {
            emit(&displaced.alert(State::Closed, now));
        }
        self.serial += 1;
        let incident = Incident {
            id: self.key.ulid(&report, now, self.serial),
            report,
            first_seen: now,
            last_seen: now,
            last_sent: now,
            count: 1,
        };
        emit(&place.insert(incident).alert(State::Open, now));
        Some(index)
    }

    /// Notes that the open incident goes on, without new evidence: cheap enough for every packet of a flood.
    /// False when it is time to look closely again.
    #[inline]
    pub fn goes_on(
        &mut self,
        source: Address,
        class: Class,
        severity: Severity,
        hint: u8,
        now: Timestamp,
    ) -> bool {
        let Some(Some(incident)) = self.open.get_mut(usize::from(hint)) else {
            return false;
        };
        if incident.report.source != source || incident.report.class != class {
            return false;
        }
        let is_worse = severity > incident.report.severity;
        if is_worse || now.micros_since(incident.last_sent) >= self.pace.update_every {
            return false;
        }
        incident.last_seen = now;
        incident.count += 1;
        true
    }

    fn add_to(&mut self, index: u8, report: Report, now: Timestamp, mut emit: impl FnMut(&Alert)) {
        let Some(Some(incident)) = self.open.get_mut(usize::from(index)) else {
            return;
        };
        incident.count += 1;
        incident.last_seen = now;
        let worse = report.severity > incident.report.severity;
        let severity = report.severity.max(incident.report.severity);
        let same_detector = report.detector == incident.report.detector;
        if same_detector || worse {
            // The opener keeps its name on the incident; a rule and the model may both see it.
            let detector = incident.report.detector;
            let client_id = report.client_id.clone().or(incident.report.client_id.take());
            let confidence = report.confidence.max(incident.report.confidence);
            incident.report = Report { severity, detector, client_id, confidence, ..report };
        }
        if worse || now.micros_since(incident.last_sent) >= self.pace.update_every {
            incident.last_sent = now;
            emit(&incident.alert(State::Update, now));
        }
    }

    /// A free place, or that of the mildest and stalest incident if it is milder than `severity`.
    fn place_for(&mut self, severity: Severity) -> Option<u8> {
        let rank = |place: &Option<Incident>| place.as_ref().map(|i| (i.report.severity, i.last_seen));
        let (index, place) = self.open.iter().enumerate().min_by_key(|(_, place)| rank(place))?;
        if place.as_ref().is_some_and(|incident| incident.report.severity >= severity) {
            self.refused += 1;
            return None;
        }
        u8::try_from(index).ok()
    }

    /// Closes what has been quiet for long, telling the sources and classes of what was closed.
    pub fn close_quiet(
        &mut self,
        now: Timestamp,
        mut emit: impl FnMut(&Alert),
        mut closed: impl FnMut(Address, Class),
    ) {
        for place in self.open.iter_mut() {
            if let Some(incident) = place
                && now.micros_since(incident.last_seen) >= self.pace.close_after
            {
                emit(&incident.alert(State::Closed, now));
                closed(incident.report.source, incident.report.class);
                *place = None;
            }
        }
    }

    /// Closes everything: the capture has ended.
    pub fn close_all(&mut self, now: Timestamp, mut emit: impl FnMut(&Alert)) {
        for place in self.open.iter_mut() {
            if let Some(incident) = place.take() {
                emit(&incident.alert(State::Closed, now));
            }
        }
    }
}

impl HashKey {
    /// A ULID: 48 bits of milliseconds, then 80 bits that depend on the key, the incident and a serial number,
    /// so that a replay gives the same ones again.
    fn ulid(self, report: &Report, now: Timestamp, serial: u64) -> u128 {
        let millis = u128::from(now.as_micros() / 1000) & 0xffff_ffff_ffff;
        let facts = (report.source.0, report.class.name(), now.as_micros(), serial);
        let low = u128::from(self.hash(&(facts, 0u8)));
        let high = u128::from(self.hash(&(facts, 1u8)) & 0xffff);
        millis << 80 | high << 64 | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::INCIDENTS;

    const PACE: Pace = Pace { update_every: 10_000_000, close_after: 60_000_000 };

    fn report(host: u8, severity: Severity) -> Report {
        Report {
            source: Address::v4([10, 0, 0, host]),
            mac: None,
            destination: None,
            client_id: None,
            class: Class::TcpScan,
            detector: Detector::Rule("tcp_scan"),
            severity,
            confidence: 0.5,
            evidence: EvidenceList::new(),
            violations: ViolationNames::new(),
        }
    }

    #[test]
    fn opens_updates_at_its_pace_escalates_at_once_and_closes() {
        let mut places = vec![None; INCIDENTS];
        let mut incidents = Incidents::new(&mut places, HashKey(1, 2), PACE);
        let mut seen: Vec<(State, u64, Severity)> = Vec::new();
        let mut hint = u8::MAX;
        for (second, severity) in [(0, 1), (1, 1), (5, 2), (6, 1), (16, 1)] {
            let severity = Severity::ALL[severity];
            let emit = |a: &Alert| seen.push((a.state, a.count, a.severity));
            hint = incidents
                .report(report(1, severity), hint, Timestamp::from_secs(100 + second), emit)
                .unwrap();
        }
        let mut gone = Vec::new();
        for second in [120, 175, 176] {
            incidents.close_quiet(
                Timestamp::from_secs(second),
                |a| seen.push((a.state, a.count, a.severity)),
                |source, class| gone.push((source, class)),
            );
        }
        use {Severity::*, State::*};
        assert_eq!(seen, [(Open, 1, Medium), (Update, 3, High), (Update, 5, High), (Closed, 5, High)]);
        assert_eq!(gone, [(Address::v4([10, 0, 0, 1]), Class::TcpScan)]);
        assert!(incidents.is_empty());
    }

    #[test]
    fn a_full_table_keeps_the_worst() {
        let mut places = vec![None; INCIDENTS];
        let mut incidents = Incidents::new(&mut places, HashKey(1, 2), PACE);
        let now = Timestamp::from_secs(1);
        for host in 0..INCIDENTS {
            incidents.report(report(host as u8, Severity::Medium), u8::MAX, now, |_| {});
        }
        assert_eq!(incidents.report(report(200, Severity::Medium), u8::MAX, now, |_| {}), None);
        assert_eq!(incidents.refused, 1);
        let mut states = Vec::new();
        assert!(
            incidents.report(report(201, Severity::High), u8::MAX, now, |a| states.push(a.state)).is_some()
        );
        assert_eq!(states, [State::Closed, State::Open]);
        assert_eq!(incidents.len(), INCIDENTS);
    }

    #[test]
    fn ids_sort_by_time_and_repeat_in_a_replay() {
        let id = |key: HashKey, at: u64| key.ulid(&report(1, Severity::High), Timestamp::from_secs(at), 1);
        assert!(id(HashKey(1, 2), 10) < id(HashKey(1, 2), 11));
        assert_eq!(id(HashKey(1, 2), 10), id(HashKey(1, 2), 10));
        assert_ne!(id(HashKey(1, 2), 10), id(HashKey(3, 4), 10));
        assert_eq!(id(HashKey(1, 2), 10) >> 80, 10_000);
    }
}
