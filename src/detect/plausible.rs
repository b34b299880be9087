//! The deed behind the word: what a host must have done at the least before the model's opinion of it counts.
//!
//! A network answers every question, also about hosts unlike any it was trained on. It may see an attack in a pattern
//! that no rule describes, but it may not accuse a host of what it did not do at all. The figures are far below those of
//! the rules; only absurd verdicts fail them.

use super::class::Class;
use crate::host::Host;
use crate::host::gauge::Gauge;
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
/// Distinct ports with failed connections in 60 s below which nobody scans.
const PORTS: u32 = 3;

/// Whether the host has done what the class is about.
#[must_use]
pub fn is_plausible(class: Class, host: &mut Host, second: u64) -> bool {
    let last60 = |counter| host.windows.last60(counter);
    match class {
        Class::MqttBruteforce => last60(Counter::Refused) >= REFUSED,
        Class::MqttConnectFlood => last60(Counter::Connect) >= CONNECTS,
        Class::MqttPublishFlood => host.windows.last10(Counter::Publish) >= PUBLISHED,
        Class::MqttSlowDos => {
            let held = host.gauges.get(Gauge::Unused).max(host.gauges.get(Gauge::Idle));
            held.max(last60(Counter::LongKeepAlive)) >= SESSIONS
        }
        Class::MqttMalformed => last60(Counter::Violation) + last60(Counter::Oddity) >= EVENTS,
        Class::TcpScan => host.distinct(Sketch::FailedPorts, second) >= PORTS,
        // What the windows do not measure they cannot contradict.
        _ => true,
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
        for class in Class::ALL.iter().copied().take_while(|class| *class <= Class::MqttMalformed) {
            assert!(!is_plausible(class, &mut browser, 100), "{}", class.name());
        }
        assert!(!is_plausible(Class::TcpScan, &mut browser, 100));
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
    }
}
