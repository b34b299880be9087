//! Draws the attacks of a scenario: which, how hard, in which style, for which half.
//!
//! Rates, counts and lengths come from wide ranges, each order of magnitude as likely as the next. A range is cut into
//! nine bands of equal width on the logarithmic scale: training has six of them, and testing the other three, of which
//! one is the topmost. So a test asks for what lies between and beyond what was learned.

mod mqtt;
mod network;

use super::Split;
use crate::attack::Attack;
use crate::attack::forge::Delivery;
use crate::attack::manner::{Manner, Naming};
use crate::attack::network_flood::Flood;
use crate::attack::scan::{Order, Ports};
use crate::attack::slow_dos::Slowness;
use crate::mqtt::packet::Version;
use crate::random::Random;
use crate::scenario::spec::Scheduled;
use crate::victim::Service;

/// What a scenario draws from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    BruteForce,
    ConnectFlood,
    PublishFlood,
    SlowIte,
    SlowTt,
    Partial,
    Malformed,
    Takeover,
    Enumeration,
    AclProbe,
    Retained,
    Command,
    Spoof,
    LargePayload,
    Qos2,
    PacketIds,
    Will,
    KeepAlive,
    Shared,
    V5,
    Hoarding,
    TcpScan,
    Stealth,
    UdpScan,
    HostScan,
    Login(Service),
    Flood(Flood),
    Mirai,
    Arp,
}

/// The order in which kinds are taken, so that neighbours differ and the usual attacks come twice.
const ROUND: [Kind; 45] = [
    Kind::BruteForce,
    Kind::Enumeration,
    Kind::SlowIte,
    Kind::Stealth,
    Kind::Command,
    Kind::ConnectFlood,
    Kind::HostScan,
    Kind::Malformed,
    Kind::Qos2,
    Kind::Login(Service::Ssh),
    Kind::PublishFlood,
    Kind::Takeover,
    Kind::TcpScan,
    Kind::V5,
    Kind::SlowTt,
    Kind::Flood(Flood::Udp),
    Kind::Retained,
    Kind::KeepAlive,
    Kind::UdpScan,
    Kind::Shared,
    Kind::BruteForce,
    Kind::Flood(Flood::Syn),
    Kind::Spoof,
    Kind::Partial,
    Kind::Mirai,
    Kind::LargePayload,
    Kind::AclProbe,
    Kind::ConnectFlood,
    Kind::Login(Service::Telnet),
    Kind::Will,
    Kind::Flood(Flood::Http),
    Kind::Hoarding,
    Kind::Malformed,
    Kind::Stealth,
    Kind::PacketIds,
    Kind::Arp,
    Kind::PublishFlood,
    Kind::Flood(Flood::Ack),
    Kind::SlowIte,
    Kind::Flood(Flood::Gre),
    Kind::Spoof,
    Kind::UdpScan,
    Kind::Takeover,
    Kind::Malformed,
    Kind::UdpScan,
];

/// Before the first attack, in seconds.
const CALM_BEFORE: f64 = 12.0;

/// From the beginning of the last attack to the end, in seconds.
const CALM_AFTER: f64 = 14.0;

/// The attacks of scenario number `index` among those with attacks. Each comes from a host of its own or several, or
/// from a device; no host has two.
pub(super) fn attacks(
    split: Split,
    index: usize,
    secs: u32,
    auth: bool,
    random: &mut Random,
) -> Vec<Scheduled> {
    let slots = split.of(14, 12);
    let secs = f64::from(secs);
    let gap = (secs - CALM_BEFORE - CALM_AFTER) / f64::from(slots);
    let mut attacks = Vec::new();
    for slot in 0..slots {
        let at = CALM_BEFORE + gap * (f64::from(slot) + random.between_f64((0.0, 0.8)));
        let number =
            index * usize::try_from(slots).expect("a dozen") + usize::try_from(slot).expect("a dozen");
        let kind = ROUND[number % ROUND.len()];
        // Nothing to guess where no password is asked for.
        if !auth && kind == Kind::BruteForce {
            continue;
        }
        let mut draw = Draw { split, turn: number / ROUND.len() + number, left: secs - at - 1.0, random };
        let attack = draw.attack(kind);
        // These need not be let in; the others would only be refused.
        let outsider = match &attack {
            Attack::MqttConnectFlood(_) | Attack::MqttMalformed(_) => true,
            Attack::MqttSlowDos(attack) => {
                matches!(attack.slowness, Slowness::Split | Slowness::Drip | Slowness::Header)
            }
            _ => false,
        };
        attacks.push(Scheduled {
            at,
            insider: !(outsider && random.chance(0.25)),
            // Whoever probes for rights has few; whoever reads all may.
            granted: match kind {
                Kind::AclProbe => random.chance(0.15),
                Kind::Enumeration | Kind::Shared => random.chance(0.7),
                _ => true,
            },
            infected: random.chance(0.25),
            sources: if random.chance(0.15) { split.of(2, 3) } else { 1 },
            attack,
        });
    }
    attacks
}

/// Draws one attack.
struct Draw<'a> {
    split: Split,
    /// Decides the band of the rate, so that each kind goes through all bands.
    turn: usize,
    /// Seconds to the end of the scenario.
    left: f64,
    random: &'a mut Random,
}

/// From the lowest to the highest.
type Range = (f64, f64);

/// The longest attack, in seconds.
const LONGEST: f64 = 45.0;

impl Draw<'_> {
    /// One of a kind.
    fn attack(&mut self, kind: Kind) -> Attack {
        match kind {
            Kind::BruteForce => Attack::MqttBruteforce(self.bruteforce()),
            Kind::ConnectFlood => Attack::MqttConnectFlood(self.connect_flood()),
            Kind::PublishFlood => Attack::MqttPublishFlood(self.publish_flood()),
            Kind::SlowIte => {
                let slowness = *self.random.pick(&[Slowness::Silent, Slowness::Split]);
                Attack::MqttSlowDos(self.slow_dos(slowness))
            }
            Kind::SlowTt => Attack::MqttSlowDos(self.slow_dos(Slowness::Ping)),
            Kind::Partial => {
                let slowness = self.pick(
                    &[Slowness::Drip, Slowness::Header, Slowness::Publish],
                    &[Slowness::Publish, Slowness::Drip, Slowness::Header],
                );
                Attack::MqttSlowDos(self.slow_dos(slowness))
            }
            Kind::Malformed => Attack::MqttMalformed(self.malformed()),
            Kind::Takeover => Attack::MqttTakeover(self.takeover()),
            Kind::Enumeration => Attack::MqttEnumeration(self.enumeration()),
            Kind::AclProbe => Attack::MqttAclProbe(self.acl_probe()),
            Kind::Retained => Attack::MqttRetainedPoisoning(self.retained()),
            Kind::Command => Attack::MqttCommandInjection(self.command()),
            Kind::Spoof => Attack::MqttSpoofedTelemetry(self.spoof()),
            Kind::LargePayload => Attack::MqttLargePayload(self.large_payload()),
            Kind::Qos2 => Attack::MqttQos2Exhaustion(self.qos2()),
            Kind::PacketIds => Attack::MqttPacketIds(self.packet_ids()),
            Kind::Will => Attack::MqttWillAbuse(self.will()),
            Kind::KeepAlive => Attack::MqttKeepaliveAbuse(self.keep_alive_abuse()),
            Kind::Shared => Attack::MqttSharedSubscription(self.shared()),
            Kind::V5 => Attack::MqttV5Abuse(self.v5()),
            Kind::Hoarding => Attack::MqttSessionHoarding(self.hoarding()),
            Kind::TcpScan => Attack::TcpScan(self.tcp_scan()),
            Kind::Stealth => Attack::StealthScan(self.stealth_scan()),
            Kind::UdpScan => Attack::UdpScan(self.udp_scan()),
            Kind::HostScan => Attack::HostScan(self.host_scan()),
            Kind::Login(service) => Attack::LoginBruteforce(self.login(service)),
            Kind::Flood(flood) => Attack::NetworkFlood(self.network_flood(flood)),
            Kind::Mirai => Attack::MiraiScan(self.mirai_scan()),
            Kind::Arp => Attack::ArpSpoof(self.arp_spoof()),
        }
    }

    /// Rate and habits of an attack on MQTT, and the number of its actions.
    fn manner(&mut self, rates: Range, counts: (u32, u32)) -> (u32, Manner) {
        let rate = self.rate(rates);
        let (count, secs) = self.span(rate, counts);
        let manner = Manner {
            rate,
            secs,
            jitter: self.jitter(),
            workers: self.workers(rate),
            naming: self.naming(),
            keep_alive: self.keep_alive(),
            protocol: self.version(),
            cut: if self.random.chance(0.75) { 0 } else { self.pick(&[2, 12, 30], &[1, 5, 20]) },
        };
        (count, manner)
    }

    /// How many actions at this rate, and in how many seconds: half a second to [`LONGEST`], but never fewer actions
    /// than make the attack what it is, nor more than a capture should hold.
    fn span(&mut self, rate: f64, (fewest, most): (u32, u32)) -> (u32, u32) {
        let length = self.log((0.5, LONGEST));
        let count = whole(rate * length).clamp(fewest, most);
        // Some are stopped by the clock and not by the count.
        let secs = (f64::from(count) / rate + 1.0).min(self.left).max(2.0);
        (count, whole(secs.ceil()))
    }

    /// The rate: its band changes from turn to turn.
    fn rate(&mut self, range: Range) -> f64 {
        let rate = self.banded(range);
        (rate * 100.0).round() / 100.0
    }

    fn banded(&mut self, range: Range) -> f64 {
        let bands = bands(self.split);
        let band = bands[self.turn % bands.len()];
        at(range, (band + self.random.between_f64((0.0, 1.0))) / BANDS)
    }

    /// Any number of the range, from the bands of this half.
    fn log(&mut self, range: Range) -> f64 {
        let band = *self.random.pick(bands(self.split));
        let value = at(range, (band + self.random.between_f64((0.0, 1.0))) / BANDS);
        (value * 1000.0).round() / 1000.0
    }

    /// Any whole number of the range, small and large alike.
    fn whole(&mut self, range: Range) -> u32 {
        whole(at(range, self.random.between_f64((0.0, 1.0))))
    }

    /// One of the choices of this half.
    fn pick<T: Copy>(&mut self, train: &[T], test: &[T]) -> T {
        *self.random.pick(self.split.of(train, test))
    }

    fn jitter(&mut self) -> f64 {
        self.pick(&[0.0, 0.0, 0.2, 1.0], &[0.0, 0.1, 0.6])
    }

    fn workers(&mut self, rate: f64) -> u32 {
        if rate > 20.0 { self.pick(&[1, 2, 4, 16], &[1, 3, 8]) } else { self.pick(&[1, 1, 2], &[1, 1, 3]) }
    }

    fn naming(&mut self) -> Naming {
        self.pick(
            &[Naming::Random, Naming::Numbered, Naming::Mosquitto, Naming::Empty],
            &[Naming::Random, Naming::Mqttjs, Naming::Uuid, Naming::Empty],
        )
    }

    fn keep_alive(&mut self) -> u16 {
        self.pick(&[60, 60, 10, 120, 600, 5], &[60, 30, 15, 45, 300, 20])
    }

    fn version(&mut self) -> Version {
        *self.random.pick(&[Version::V311, Version::V311, Version::V5, Version::V31])
    }

    fn qos(&mut self) -> u8 {
        *self.random.pick(&[0, 0, 1, 2])
    }

    fn delivery(&mut self) -> Delivery {
        *self.random.pick(&[Delivery::Session, Delivery::Single])
    }

    fn ports(&mut self) -> Ports {
        *self.random.pick(&[Ports::Common, Ports::Common, Ports::Range])
    }

    fn order(&mut self) -> Order {
        *self.random.pick(&[Order::Random, Order::Ascending])
    }
}

/// Bands of a range.
const BANDS: f64 = 9.0;

/// The bands of a half, in an order that jumps between low and high.
fn bands(split: Split) -> &'static [f64] {
    split.of(&[3.0, 7.0, 0.0, 6.0, 1.0, 4.0], &[5.0, 2.0, 8.0])
}

/// The number at a share of a range on the logarithmic scale.
fn at((low, high): Range, share: f64) -> f64 {
    (low.ln() + (high.ln() - low.ln()) * share).exp()
}

/// The nearest whole number.
fn whole(value: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates at both ends, which is what a drawn count should do"
    )]
    let whole = value.round() as u32;
    whole
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;

    fn all(split: Split) -> Vec<Scheduled> {
        let mut random = Random::new(9);
        (0..split.of(20, 10)).flat_map(|index| attacks(split, index, 100, true, &mut random)).collect()
    }

    #[test]
    fn every_attack_is_drawn_for_both_halves() {
        for split in [Split::Train, Split::Test] {
            let mut counts = BTreeMap::new();
            for scheduled in all(split) {
                *counts.entry(scheduled.attack.name()).or_insert(0) += 1;
            }
            for name in Attack::NAMES {
                let count = counts.get(name).copied().unwrap_or(0);
                assert!(count >= split.of(5, 2), "{name} {count} times in {split:?}");
            }
        }
    }

    #[test]
    fn the_halves_share_no_rate_and_each_has_low_and_high_ones() {
        let shares = |split| -> Vec<f64> {
            (0..18)
                .map(|turn| {
                    let mut random = Random::new(turn);
                    let turn = usize::try_from(turn).unwrap();
                    Draw { split, turn, left: 60.0, random: &mut random }.banded((1.0, 1e9)).log10()
                })
                .collect()
        };
        let band = |share: &f64| whole(share.floor());
        let train: HashSet<u32> = shares(Split::Train).iter().map(band).collect();
        let test: HashSet<u32> = shares(Split::Test).iter().map(band).collect();
        assert_eq!((train.len(), test.len()), (6, 3));
        assert!(train.is_disjoint(&test));
    }

    #[test]
    fn attacks_fit_into_the_scenario_and_have_enough_actions() {
        for split in [Split::Train, Split::Test] {
            for scheduled in all(split) {
                assert!(scheduled.at >= CALM_BEFORE && scheduled.at < 90.0);
                assert!(scheduled.attack.limit().as_secs() <= 90);
                if let Attack::MqttBruteforce(attack) = &scheduled.attack {
                    assert!(attack.tries >= 10 && attack.secs >= 2, "{attack:?}");
                }
            }
        }
    }
}
