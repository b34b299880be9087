//! Rules about what a host does to the network around MQTT: scans, guessed logins, floods, forged addresses.
//!
//! Each stays far above what honest programs do, since for most of them there is no protocol to look into: what is weaker is left to
//! the model, which looks at more than one number.

use super::{Finding, Thresholds, finding};
use crate::alert::Severity;
use crate::detect::class::Class;
use crate::host::Host;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::window::Counter;

/// Distinct ports from which no honest program's failures explain them, whatever the number of hosts.
const MANY_PORTS: u32 = 64;

/// One source tries many ports. To be asked when a connection failed.
///
/// A scanner tries many ports of a host. A peer-to-peer program tries many hosts, each at a port of its own, and many
/// of these are gone: there the ports are about as many as the hosts.
pub fn tcp_scan(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let failed = host.windows.last60(Counter::SynFailed);
    if failed < limits.tcp_scan_ports {
        return None;
    }
    let ports = host.distinct(Sketch::FailedPorts, second);
    let hosts = host.distinct(Sketch::FailedHosts, second);
    if ports < limits.tcp_scan_ports || (ports < 2 * hosts && ports < MANY_PORTS) {
        return None;
    }
    let severity = if ports >= 4 * limits.tcp_scan_ports { Severity::High } else { Severity::Medium };
    Some(finding(
        Class::TcpScan,
        "tcp_scan",
        severity,
        (ports, limits.tcp_scan_ports),
        &[
            ("distinct_failed_ports", "ports/60s", ports),
            ("distinct_failed_hosts", "hosts/60s", hosts),
            ("connections_failed", "connections/60s", failed),
            ("connections_opened", "connections/60s", host.windows.last60(Counter::Syn)),
        ],
    ))
}

/// One source asks many ports by UDP, and hears that nobody is there. To be asked at the end of a second.
///
/// Calls, games and peer-to-peer programs ask many ports, too, but most of them answer. A scan of a system that
/// sends no more than one ICMP message a second (RFC 1812, section 4.3.2.8, and Linux) still hears one for every second or third port.
pub fn udp_scan(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let unreachable = host.rares.last60(Rare::Unreachable);
    let sent = host.windows.last60(Counter::UdpSent);
    if sent < limits.udp_scan_ports || unreachable < limits.udp_scan_ports / 2 {
        return None;
    }
    let ports = host.distinct(Sketch::ProbedPorts, second);
    if ports < limits.udp_scan_ports || 3 * unreachable < ports {
        return None;
    }
    let severity = if ports >= 3 * limits.udp_scan_ports { Severity::High } else { Severity::Medium };
    Some(finding(
        Class::UdpScan,
        "udp_scan",
        severity,
        (ports, limits.udp_scan_ports),
        &[
            ("distinct_probed_ports", "ports/60s", ports),
            ("unreachable", "messages/60s", unreachable),
            ("udp_sent", "datagrams/60s", sent),
        ],
    ))
}

/// One source tries a few ports at many hosts. To be asked at the end of a second.
///
/// Peer-to-peer programs try as many ports as hosts. Behind a link that went down some dozens of connections fail, not these many.
pub fn host_scan(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let failed = host.windows.last60(Counter::SynFailed);
    if failed < limits.host_scan_hosts {
        return None;
    }
    let hosts = host.distinct(Sketch::FailedHosts, second);
    let ports = host.distinct(Sketch::FailedPorts, second);
    if hosts < limits.host_scan_hosts || 4 * ports > hosts {
        return None;
    }
    Some(finding(
        Class::HostScan,
        "host_scan",
        Severity::Medium,
        (hosts, limits.host_scan_hosts),
        &[
            ("distinct_failed_hosts", "hosts/60s", hosts),
            ("distinct_failed_ports", "ports/60s", ports),
            ("connections_failed", "connections/60s", failed),
            ("connections_opened", "connections/60s", host.windows.last60(Counter::Syn)),
        ],
    ))
}

/// Many connections to SSH, several to each host. To be asked at the end of a second.
///
/// Who administers or watches many hosts connects to each of them once or twice.
pub fn ssh_bruteforce(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let opened = host.rares.last60(Rare::SshOpened);
    if opened < limits.login_bruteforce_ssh {
        return None;
    }
    let hosts = host.distinct(Sketch::Hosts, second);
    (opened >= 4 * hosts).then(|| {
        logins(
            host,
            Class::SshBruteforce,
            "ssh_bruteforce",
            ("ssh_opened", opened, hosts),
            limits.login_bruteforce_ssh,
        )
    })
}

/// Many connections to Telnet, which nobody needs. To be asked at the end of a second.
pub fn telnet_bruteforce(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let opened = host.rares.last60(Rare::TelnetOpened);
    (opened >= limits.login_bruteforce_telnet).then(|| {
        let hosts = host.distinct(Sketch::Hosts, second);
        let counted = ("telnet_opened", opened, hosts);
        logins(host, Class::TelnetBruteforce, "telnet_bruteforce", counted, limits.login_bruteforce_telnet)
    })
}

/// What both rules about logins say.
fn logins(
    host: &Host,
    class: Class,
    rule: &'static str,
    (name, opened, hosts): (&'static str, u32, u32),
    threshold: u32,
) -> Finding {
    let severity = if opened >= 4 * threshold { Severity::High } else { Severity::Medium };
    finding(
        class,
        rule,
        severity,
        (opened, threshold),
        &[
            (name, "connections/60s", opened),
            ("distinct_hosts", "hosts/60s", hosts),
            ("connections_failed", "connections/60s", host.windows.last60(Counter::SynFailed)),
        ],
    )
}

/// Connections that are opened faster than any program uses them, at a few ports, and mostly fail. To be asked at the end of a second.
pub fn syn_flood(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let opened = host.windows.last10(Counter::Syn);
    if opened < limits.flood_packets {
        return None;
    }
    let failed = host.windows.last10(Counter::SynFailed);
    let ports = host.distinct(Sketch::FailedPorts, second);
    if 2 * failed < opened || ports >= limits.tcp_scan_ports {
        return None;
    }
    Some(finding(
        Class::SynFlood,
        "syn_flood",
        Severity::High,
        (opened, limits.flood_packets),
        &[
            ("connections_opened", "connections/10s", opened),
            ("connections_failed", "connections/10s", failed),
            ("distinct_failed_ports", "ports/60s", ports),
        ],
    ))
}

/// ICMP messages in 60 s that say that a flood hits nobody: systems send six at once, and then about one a second.
const NOBODY_THERE: u32 = 30;
/// As many are enough where all datagrams go to a few ports: a peer-to-peer program hears some of these, too, but of many ports.
const NOBODY_AT_ONE_PORT: u32 = 6;
/// A few ports.
const FEW_PORTS: u32 = 4;
/// So many times its threshold makes a rate of datagrams one that no program of a gateway's network has, as far as is known.
const DATAGRAMS_FOR_SURE: u32 = 50;

/// Datagrams faster than calls and cameras send them, to where nobody listens, or faster still. To be asked at the end of a second.
pub fn udp_flood(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let sent = host.windows.last10(Counter::UdpSent);
    if sent < limits.flood_packets {
        return None;
    }
    let unreachable = host.rares.last60(Rare::Unreachable);
    let ports = host.distinct(Sketch::ProbedPorts, second);
    let nobody = if ports <= FEW_PORTS { NOBODY_AT_ONE_PORT } else { NOBODY_THERE };
    if unreachable < nobody && sent < DATAGRAMS_FOR_SURE * limits.flood_packets {
        return None;
    }
    Some(finding(
        Class::UdpFlood,
        "udp_flood",
        Severity::Medium,
        (sent, limits.flood_packets),
        &[
            ("udp_sent", "datagrams/10s", sent),
            ("unreachable", "messages/60s", unreachable),
            ("distinct_probed_ports", "ports/60s", ports),
        ],
    ))
}

/// Segments without a connection, as fast as only a flood has them. To be asked at the end of a second.
pub fn ack_flood(host: &mut Host, second: u64, limits: &Thresholds) -> Option<Finding> {
    let stray = host.windows.last10(Counter::Stray);
    if stray < limits.flood_packets {
        return None;
    }
    let ports = host.distinct(Sketch::ProbedPorts, second);
    Some(finding(
        Class::AckFlood,
        "ack_flood",
        Severity::Medium,
        (stray, limits.flood_packets),
        &[("stray_segments", "segments/10s", stray), ("distinct_probed_ports", "ports/60s", ports)],
    ))
}

/// HTTP requests faster than any page asks for its parts. To be asked at the end of a second.
pub fn http_flood(host: &mut Host, _second: u64, limits: &Thresholds) -> Option<Finding> {
    let requests = host.windows.last10(Counter::HttpRequest);
    (requests >= limits.flood_packets).then(|| {
        finding(
            Class::HttpFlood,
            "http_flood",
            Severity::Medium,
            (requests, limits.flood_packets),
            &[
                ("http_requests", "segments/10s", requests),
                ("connections_opened", "connections/10s", host.windows.last10(Counter::Syn)),
            ],
        )
    })
}

/// Addresses of others claimed again and again, without a question. To be asked at the end of a second.
///
/// A standby router claims its partner's address once, when it takes over; a repeater answers for others, but when asked.
pub fn arp_spoof(host: &mut Host, _second: u64, limits: &Thresholds) -> Option<Finding> {
    let claims = host.rares.last60(Rare::ArpClaim);
    let unasked = host.rares.last60(Rare::ArpUnasked);
    let lies = claims.min(unasked);
    (lies >= limits.arp_spoof_claims).then(|| {
        let severity = if lies >= 4 * limits.arp_spoof_claims { Severity::High } else { Severity::Medium };
        finding(
            Class::ArpSpoof,
            "arp_spoof",
            severity,
            (lies, limits.arp_spoof_claims),
            &[("arp_claims", "messages/60s", claims), ("arp_unasked", "messages/60s", unasked)],
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LIMITS, host};
    use super::*;

    #[test]
    fn a_peer_to_peer_program_is_no_scanner() {
        let mut peers = host(&[(Counter::SynFailed, 40)]);
        for peer in 0..40 {
            peers.note(Sketch::FailedPorts, peer, 100);
            peers.note(Sketch::FailedHosts, peer, 100);
        }
        assert_eq!(tcp_scan(&mut peers, 100, &LIMITS), None);
        // A whole network scanned on every port is one, even so.
        (40..128).for_each(|port| peers.note(Sketch::FailedPorts, port, 100));
        assert!(tcp_scan(&mut peers, 100, &LIMITS).is_some());
    }

    #[test]
    fn many_tries_at_one_port_are_no_scan() {
        let mut retrying = host(&[(Counter::SynFailed, 500)]);
        retrying.note(Sketch::FailedPorts, 1883, 100);
        assert_eq!(tcp_scan(&mut retrying, 100, &LIMITS), None);
        let mut scan = host(&[(Counter::SynFailed, 12)]);
        (0..12).for_each(|port| scan.note(Sketch::FailedPorts, port, 100));
        assert!(tcp_scan(&mut scan, 100, &LIMITS).is_some());
    }

    #[test]
    fn calls_and_games_are_no_udp_scan() {
        let mut game = host(&[(Counter::UdpSent, 4000)]);
        (0..90).for_each(|port| game.note(Sketch::ProbedPorts, port, 100));
        game.count_rare(Rare::Unreachable, 12, 100);
        assert_eq!(udp_scan(&mut game, 100, &LIMITS), None, "most answered");
        let mut scan = host(&[(Counter::UdpSent, 60)]);
        (0..30).for_each(|port| scan.note(Sketch::ProbedPorts, port, 100));
        assert_eq!(udp_scan(&mut scan, 100, &LIMITS), None, "nobody has said that nobody is there");
        scan.count_rare(Rare::Unreachable, 25, 100);
        assert_eq!(udp_scan(&mut scan, 100, &LIMITS).map(|f| f.severity), Some(Severity::Medium));
    }

    #[test]
    fn one_port_at_many_hosts() {
        let mut sweep = host(&[(Counter::SynFailed, 200)]);
        (0..100).for_each(|other| sweep.note(Sketch::FailedHosts, other * 7919, 100));
        sweep.note(Sketch::FailedPorts, 23, 100);
        assert!(host_scan(&mut sweep, 100, &LIMITS).is_some());
        // As many ports: peers.
        (0..60).for_each(|port| sweep.note(Sketch::FailedPorts, port, 100));
        assert_eq!(host_scan(&mut sweep, 100, &LIMITS), None);
    }

    #[test]
    fn who_administers_many_hosts_guesses_no_logins() {
        let mut admin = host(&[]);
        admin.count_rare(Rare::SshOpened, 40, 100);
        (0..20).for_each(|other| admin.note(Sketch::Hosts, other, 100));
        assert_eq!(ssh_bruteforce(&mut admin, 100, &LIMITS), None);
        let mut guesser = host(&[]);
        guesser.note(Sketch::Hosts, 1, 100);
        guesser.count_rare(Rare::SshOpened, 20, 100);
        assert_eq!(ssh_bruteforce(&mut guesser, 100, &LIMITS).map(|f| f.severity), Some(Severity::Medium));
        guesser.count_rare(Rare::TelnetOpened, 40, 100);
        assert_eq!(telnet_bruteforce(&mut guesser, 100, &LIMITS).map(|f| f.severity), Some(Severity::High));
        assert_eq!(telnet_bruteforce(&mut admin, 100, &LIMITS), None);
    }

    #[test]
    fn floods_lead_to_nothing() {
        let mut loaded = host(&[(Counter::Syn, 6000), (Counter::SynFailed, 200), (Counter::UdpSent, 30_000)]);
        assert_eq!(syn_flood(&mut loaded, 100, &LIMITS), None, "connections that are used");
        assert_eq!(udp_flood(&mut loaded, 100, &LIMITS), None, "a tunnel");
        loaded.count(Counter::SynFailed, 5000, 100);
        (0..5).for_each(|port| loaded.note(Sketch::ProbedPorts, port, 100));
        loaded.count_rare(Rare::Unreachable, 29, 100);
        assert_eq!(udp_flood(&mut loaded, 100, &LIMITS), None, "peers, some of whom are gone");
        loaded.count_rare(Rare::Unreachable, 1, 100);
        assert!(syn_flood(&mut loaded, 100, &LIMITS).is_some());
        assert!(udp_flood(&mut loaded, 100, &LIMITS).is_some());
        (0..20).for_each(|port| loaded.note(Sketch::FailedPorts, port, 100));
        assert_eq!(syn_flood(&mut loaded, 100, &LIMITS), None, "that is a scan");
        for (counter, rule) in
            [(Counter::Stray, ack_flood as super::super::Rule), (Counter::HttpRequest, http_flood)]
        {
            assert_eq!(rule(&mut host(&[(counter, LIMITS.flood_packets - 1)]), 100, &LIMITS), None);
            assert!(rule(&mut host(&[(counter, LIMITS.flood_packets)]), 100, &LIMITS).is_some());
        }
    }

    #[test]
    fn a_standby_router_and_a_repeater_do_not_lie() {
        let lies = |claims, unasked| {
            let mut station = host(&[]);
            station.count_rare(Rare::ArpClaim, claims, 100);
            station.count_rare(Rare::ArpUnasked, unasked, 100);
            arp_spoof(&mut station, 100, &LIMITS).map(|f| f.severity)
        };
        assert_eq!(lies(2, 2), None);
        assert_eq!(lies(30, 1), None);
        assert_eq!(lies(6, 6), Some(Severity::Medium));
        assert_eq!(lies(30, 30), Some(Severity::High));
    }
}
