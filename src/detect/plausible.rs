//! The deed behind the word: what a host must have done at the least before the model's opinion of it counts.
//!
//! A network answers every question, also about hosts unlike any it was trained on. It may see an attack in a pattern
//! that no rule describes, but it may not accuse a host of what it did not do at all. The figures are far below those of
//! the rules; only absurd verdicts fail them.

use super::class::Class;
use crate::host::Host;
use crate::host::family::FAMILIES;
use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;

/// Refused CONNECT in 60 s below which nobody guesses.
const REFUSED: u32 = 3;
/// CONNECT in 60 s below which nobody floods.
const CONNECTS: u32 = 5;
/// PUBLISH in 10 s below which nobody floods.
const PUBLISHED: u32 = 50;
/// Unused, idle or endless sessions below which nobody uses up a broker.
const SESSIONS: u32 = 3;
/// Violations and oddities in 60 s below which nothing is malformed.
const EVENTS: u32 = 2;
/// Distinct ports in 60 s below which nobody scans.
const PORTS: u32 = 3;
/// Packets that are not a flood in 10 s.
const FEW: u32 = 50;
/// Connections to SSH or Telnet in 60 s below which nobody guesses.
const LOGINS: u32 = 3;

/// Whether the host has done what the class is about.
#[must_use]
pub fn is_plausible(class: Class, host: &mut Host, second: u64) -> bool {
    let [failed_ports, probed_ports, hosts, failed_hosts, filters] =
        [Sketch::FailedPorts, Sketch::ProbedPorts, Sketch::Hosts, Sketch::FailedHosts, Sketch::Filters]
            .map(|sketch| host.distinct(sketch, second));
    let last60 = |counter| host.windows.last60(counter);
    let last10 = |counter| host.windows.last10(counter);
    let rare = |counter| host.rares.last60(counter);
    match class {
        Class::MqttBruteforce => last60(Counter::Refused) >= REFUSED,
        Class::MqttConnectFlood => last60(Counter::Connect) >= CONNECTS,
        Class::MqttPublishFlood => {
            // Many messages, or few that are very large.
            last10(Counter::Publish) >= PUBLISHED || rare(Rare::Large) > 0
        }
        Class::MqttSlowDos => {
            let held = host.gauges.get(Gauge::Unused).max(host.gauges.get(Gauge::Idle));
            let kept = last60(Counter::LongKeepAlive).max(rare(Rare::Persistent)).max(rare(Rare::Stalled));
            held.max(kept).max(host.gauges.get(Gauge::Qos2Open)) >= SESSIONS
        }
        Class::MqttMalformed => {
            let by_family = FAMILIES.iter().map(|(counter, _)| rare(*counter)).sum::<u32>();
            let wrong = last60(Counter::Violation).max(by_family);
            wrong + last60(Counter::Oddity) + rare(Rare::PropertyBytes) >= EVENTS
        }
        Class::MqttRecon => {
            let asked = rare(Rare::WildcardFilters) + rare(Rare::ReadsAll) + rare(Rare::SharedFilters);
            let refused = rare(Rare::FiltersRefused) + rare(Rare::PublishRefused);
            // Distinct filters are remembered some seconds longer than filters are counted: by themselves they are the past.
            asked + refused > 0 || (filters >= PORTS && rare(Rare::Filters) > 0)
        }
        Class::MqttTampering => {
            let others = rare(Rare::Takeover) + rare(Rare::Foreign) + rare(Rare::Commanding);
            others + rare(Rare::Will) + last60(Counter::PublishRetained) > 0
        }
        Class::TcpScan => failed_ports.max(probed_ports) >= PORTS,
        Class::UdpScan => last60(Counter::UdpSent).min(probed_ports) >= PORTS,
        Class::HostScan => {
            let elsewhere = last60(Counter::OtherSent) + last60(Counter::UdpSent);
            hosts.max(failed_hosts).max(elsewhere) >= PORTS
        }
        Class::SshBruteforce => rare(Rare::SshOpened) >= LOGINS,
        Class::TelnetBruteforce => rare(Rare::TelnetOpened) >= LOGINS,
        Class::SynFlood => last10(Counter::Syn) >= FEW,
        Class::UdpFlood => last10(Counter::UdpSent) + last10(Counter::OtherSent) >= FEW,
        Class::AckFlood => last10(Counter::Stray) >= FEW,
        Class::HttpFlood => last10(Counter::HttpRequest) >= FEW,
        Class::ArpSpoof => rare(Rare::ArpClaim) + rare(Rare::ArpUnasked) > 0,
        // What the windows do not measure they cannot contradict.
        Class::ProcessDeviation | Class::Anomaly => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_accused_of_what_he_did_not_do() {
        let mut browser = Host::NEW.clone();
        browser.count(Counter::Syn, 40, 100);
        browser.count(Counter::SynFailed, 5, 100);
        browser.note(Sketch::FailedPorts, 443, 100);
        browser.count(Counter::Publish, 1, 100);
        for class in Class::ALL.iter().copied().take_while(|class| *class < Class::ProcessDeviation) {
            assert!(!is_plausible(class, &mut browser, 100), "{}", class.name());
        }
    }

    #[test]
    fn filters_of_more_than_a_minute_ago_accuse_nobody() {
        let mut dashboard = Host::NEW.clone();
        dashboard.count_rare(Rare::Filters, 12, 105);
        (0..12).for_each(|filter| dashboard.note(Sketch::Filters, filter, 105));
        assert!(is_plausible(Class::MqttRecon, &mut dashboard, 105));
        let second = (105..200).find(|second| {
            dashboard.advance(*second);
            dashboard.rares.last60(Rare::Filters) == 0
        });
        let second = second.unwrap();
        assert!(dashboard.distinct(Sketch::Filters, second) >= PORTS, "both forget at the same time");
        assert!(!is_plausible(Class::MqttRecon, &mut dashboard, second));
    }

    #[test]
    fn a_deed_makes_it_plausible() {
        let mut guesser = Host::NEW.clone();
        guesser.count(Counter::Refused, 3, 100);
        assert!(is_plausible(Class::MqttBruteforce, &mut guesser, 100));
        let mut holder = Host::NEW.clone();
        (0..3).for_each(|_| holder.gauges.up(Gauge::Idle));
        assert!(is_plausible(Class::MqttSlowDos, &mut holder, 100));
        let mut scanner = Host::NEW.clone();
        (0..3).for_each(|port| scanner.note(Sketch::FailedPorts, port, 100));
        assert!(is_plausible(Class::TcpScan, &mut scanner, 100));
        for (class, counter) in [
            (Class::MqttRecon, Rare::ReadsAll),
            (Class::MqttRecon, Rare::FiltersRefused),
            (Class::MqttTampering, Rare::Takeover),
            (Class::MqttTampering, Rare::Foreign),
            (Class::MqttSlowDos, Rare::Stalled),
            (Class::MqttMalformed, Rare::BadIdentifier),
            (Class::MqttPublishFlood, Rare::Large),
            (Class::SshBruteforce, Rare::SshOpened),
            (Class::TelnetBruteforce, Rare::TelnetOpened),
            (Class::ArpSpoof, Rare::ArpClaim),
        ] {
            let mut host = Host::NEW.clone();
            host.count_rare(counter, 3, 100);
            assert!(is_plausible(class, &mut host, 100), "{}", class.name());
        }
        for (class, counter) in [
            (Class::SynFlood, Counter::Syn),
            (Class::UdpFlood, Counter::UdpSent),
            (Class::UdpFlood, Counter::OtherSent),
            (Class::AckFlood, Counter::Stray),
            (Class::HttpFlood, Counter::HttpRequest),
            (Class::HostScan, Counter::OtherSent),
        ] {
            let mut host = Host::NEW.clone();
            host.count(counter, 50, 100);
            assert!(is_plausible(class, &mut host, 100), "{}", class.name());
        }
    }
}
