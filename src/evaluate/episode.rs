//! Which incidents are about which attacks.

use std::net::IpAddr;
use std::time::Duration;

use super::incident::Incident;
use crate::alert::Severity;
use crate::label::{Episode, ROW_GREY, ROW_TAIL};
use crate::time::Timestamp;

/// An attack is found by what is reported until so long after its end.
pub const GRACE: Duration = ROW_TAIL;

/// What is reported later than that, but no later than so long after the end, is late: no detection, and no false
/// alarm either, since the windows of a minute still hold the attack.
pub const LATE: Duration = ROW_GREY;

/// What an incident has to do with the attacks of its capture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// About an attack, by its class.
    Right,
    /// About an attack of another class.
    Other,
    /// About an attack, by its class or another, but late.
    Late,
    /// About nothing that the labels know.
    False,
}

/// How an attack was found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Finding {
    /// Which incident says so.
    pub(super) incident: usize,
    /// Seconds from the start of the attack to its first alert; 0 if it was being reported already.
    pub(super) after: f64,
}

/// The first alert about an attack, whatever its class, and the first with the right class.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Found {
    pub(super) any: Option<Finding>,
    pub(super) right: Option<Finding>,
}

/// When an incident that began at `from` says something about an attack, it does so since then.
fn tells(episode: &Episode, from: Timestamp, incident: &Incident) -> bool {
    let in_time = episode.start <= from && from <= episode.end + GRACE;
    // One that was open already must have had fresh evidence beyond what the windows remember.
    let goes_on = from < episode.start && episode.start + GRACE <= incident.last_seen;
    in_time || goes_on
}

/// What each incident has to do with these attacks; `is_class` says whether it names the class of an attack, `acts`
/// whether a host is an attacker in it.
pub(super) fn kinds(
    incidents: &[Incident],
    episodes: &[Episode],
    is_class: impl Fn(&Incident, &Episode) -> bool,
    acts: impl Fn(&Episode, IpAddr) -> bool,
) -> Vec<Kind> {
    let kind = |incident: &Incident| {
        let opened = incident.opened();
        let of_episode = |episode: &Episode| {
            if !acts(episode, incident.source) {
                Kind::False
            } else if tells(episode, opened, incident) {
                if is_class(incident, episode) { Kind::Right } else { Kind::Other }
            } else if episode.end <= opened && opened <= episode.end + LATE {
                Kind::Late
            } else {
                Kind::False
            }
        };
        episodes.iter().map(of_episode).min().unwrap_or(Kind::False)
    };
    incidents.iter().map(kind).collect()
}

/// How an attack was found by what was reported with at least this severity.
pub(super) fn found(
    incidents: &[Incident],
    episode: &Episode,
    least: Severity,
    is_class: impl Fn(&Incident, &Episode) -> bool,
    acts: impl Fn(&Episode, IpAddr) -> bool,
) -> Found {
    let mut found = Found::default();
    for (place, incident) in incidents.iter().enumerate() {
        let Some(at) = incident.reported(least) else { continue };
        if !acts(episode, incident.source) || !tells(episode, at, incident) {
            continue;
        }
        let finding = Finding { incident: place, after: at.micros_since(episode.start) as f64 / 1e6 };
        let earlier =
            |old: Option<Finding>| Some(old.filter(|old| old.after <= finding.after).unwrap_or(finding));
        found.any = earlier(found.any);
        if is_class(incident, episode) {
            found.right = earlier(found.right);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::detect::class::Class;
    use crate::evaluate::incident::tests::incident;
    use crate::frame::{Frame, LinkType};
    use crate::label::Labels;

    /// A scan by 10.0.0.5 from 100 s to 120 s.
    fn scan() -> Episode {
        let text = "[[rule]]\nlabel = 'tcp_scan'\nfrom = 100\nto = 120\n";
        let labels = Labels::parse(text).unwrap_or_else(|faults| panic!("{faults:?}"));
        let mut labeller = labels.for_capture(Path::new("x"));
        let ts = Timestamp::from_secs(110);
        labeller.frame(&Frame { ts, link: LinkType::Ethernet, nanos: 0, wire_len: 0, data: &[] });
        labeller.episodes().remove(0)
    }

    fn acts(_: &Episode, host: IpAddr) -> bool {
        host == IpAddr::from([10, 0, 0, 5])
    }

    fn is_scan(incident: &Incident, _: &Episode) -> bool {
        incident.class == Class::TcpScan
    }

    #[test]
    fn an_incident_is_about_the_attack_of_its_source_and_time() {
        use Severity::{High, Low};
        let scan = scan();
        let cases = [
            (incident(5, Class::TcpScan, &[(100, High)], 101), Kind::Right),
            (incident(5, Class::TcpScan, &[(130, High)], 131), Kind::Right),
            (incident(5, Class::Anomaly, &[(105, High)], 106), Kind::Other),
            (incident(5, Class::TcpScan, &[(131, High)], 132), Kind::Late),
            (incident(5, Class::TcpScan, &[(181, High)], 182), Kind::False),
            (incident(5, Class::TcpScan, &[(99, Low)], 109), Kind::False),
            (incident(5, Class::TcpScan, &[(50, Low)], 110), Kind::Right),
            (incident(6, Class::TcpScan, &[(105, High)], 106), Kind::False),
        ];
        let incidents: Vec<_> = cases.iter().map(|(incident, _)| incident.clone()).collect();
        let expected: Vec<_> = cases.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds(&incidents, &[scan], is_scan, acts), expected);
        assert_eq!(kinds(&incidents[..1], &[], is_scan, acts), [Kind::False]);
    }

    #[test]
    fn the_first_alert_that_is_grave_enough_counts() {
        use Severity::{High, Low, Medium};
        let scan = scan();
        let incidents = [
            incident(5, Class::TcpScan, &[(101, Low), (108, High)], 120),
            incident(5, Class::Anomaly, &[(103, Medium)], 110),
        ];
        let after = |least| {
            let found = found(&incidents, &scan, least, is_scan, acts);
            (found.any.map(|f| f.after), found.right.map(|f| f.after))
        };
        assert_eq!(after(Low), (Some(1.0), Some(1.0)));
        assert_eq!(after(Medium), (Some(3.0), Some(8.0)));
        assert_eq!(after(Severity::Critical), (None, None));
        let old = [incident(5, Class::TcpScan, &[(50, High)], 118)];
        assert_eq!(found(&old, &scan, Medium, is_scan, acts).right.map(|f| f.after), Some(0.0));
    }
}
