//! Draws the options of an attack: which class, how hard, for which half.

use super::Split;
use crate::attack::bruteforce::BruteForce;
use crate::attack::connect_flood::{ConnectFlood, Ending};
use crate::attack::malformed::{Kind, Malformed};
use crate::attack::publish_flood::PublishFlood;
use crate::attack::scan::{Order, Ports, TcpScan};
use crate::attack::slow_dos::{SlowDos, Slowness};
use crate::attack::{Attack, Naming};
use crate::mqtt::packet::Version;
use crate::random::Random;

/// The classes that a scenario draws from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    BruteForce,
    ConnectFlood,
    PublishFlood,
    SlowDos,
    TcpScan,
    Malformed,
}

impl Class {
    pub(super) const ALL: [Self; 6] = [
        Self::BruteForce,
        Self::ConnectFlood,
        Self::PublishFlood,
        Self::SlowDos,
        Self::TcpScan,
        Self::Malformed,
    ];
}

/// How hard an attack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Force {
    Weak,
    Medium,
    Strong,
}

impl Force {
    pub(super) const ALL: [Self; 3] = [Self::Weak, Self::Medium, Self::Strong];

    fn of<T>(self, weak: T, medium: T, strong: T) -> T {
        match self {
            Self::Weak => weak,
            Self::Medium => medium,
            Self::Strong => strong,
        }
    }
}

/// From the lowest to the highest rate.
type Rates = (f64, f64);

/// Draws one attack.
pub(super) struct Draw<'a> {
    pub(super) force: Force,
    pub(super) split: Split,
    pub(super) random: &'a mut Random,
}

impl Draw<'_> {
    /// An attack of this class.
    pub(super) fn attack(mut self, class: Class) -> Attack {
        match class {
            Class::BruteForce => Attack::MqttBruteforce(self.bruteforce()),
            Class::ConnectFlood => Attack::MqttConnectFlood(self.connect_flood()),
            Class::PublishFlood => Attack::MqttPublishFlood(self.publish_flood()),
            Class::SlowDos => Attack::MqttSlowDos(self.slow_dos()),
            Class::TcpScan => Attack::TcpScan(self.tcp_scan()),
            Class::Malformed => Attack::MqttMalformed(self.malformed()),
        }
    }

    fn bruteforce(&mut self) -> BruteForce {
        BruteForce {
            rate: self
                .rate(((0.5, 1.2), (3.0, 9.0), (40.0, 250.0)), ((0.8, 2.0), (6.0, 20.0), (80.0, 400.0))),
            secs: self.force.of(36, 15, 6),
            tries: 2000,
            users: self.pick(&[1, 12, 80], &[1, 30, 200]),
            workers: if self.force == Force::Strong { self.pick(&[1, 2], &[1, 4]) } else { 1 },
            naming: self.pick(&[Naming::Random, Naming::Fixed], &[Naming::Empty, Naming::Numbered]),
            keep_alive: self.pick(&[60, 10], &[30, 5]),
            protocol: self.version(),
            succeed: self.random.chance(0.4),
        }
    }

    fn connect_flood(&mut self) -> ConnectFlood {
        ConnectFlood {
            rate: self
                .rate(((3.0, 6.0), (12.0, 40.0), (100.0, 500.0)), ((4.0, 9.0), (20.0, 70.0), (200.0, 900.0))),
            count: 6000,
            secs: self.force.of(25, 14, 8),
            workers: self.force.of(1, 2, 4),
            ending: self.pick(
                &[Ending::Polite, Ending::Abandon, Ending::Hold, Ending::Silent],
                &[Ending::Polite, Ending::Abandon, Ending::Reset, Ending::Silent],
            ),
            naming: self.pick(&[Naming::Random, Naming::Numbered], &[Naming::Random, Naming::Empty]),
            keep_alive: self.pick(&[60, 10], &[30, 120]),
            protocol: self.version(),
        }
    }

    fn publish_flood(&mut self) -> PublishFlood {
        PublishFlood {
            rate: self.rate(
                ((100.0, 200.0), (300.0, 900.0), (1500.0, 4000.0)),
                ((130.0, 300.0), (500.0, 1500.0), (2500.0, 6000.0)),
            ),
            count: 40_000,
            secs: self.force.of(20, 12, 8),
            connections: self.pick(&[1, 1, 3], &[1, 2, 6]),
            qos: self.pick(&[0, 0, 1, 2], &[0, 1, 1, 2]),
            payload: self.pick(&[10, 60, 1024], &[4, 200, 2000]),
            coalesce: match self.force {
                Force::Weak => 1,
                Force::Medium => self.pick(&[1, 10], &[1, 10]),
                Force::Strong => self.pick(&[1, 50, 300], &[1, 20, 150]),
            },
            topics: self.pick(&[1, 40], &[1, 500]),
            retain: self.random.chance(0.15),
            naming: Naming::Numbered,
            keep_alive: self.pick(&[60, 30], &[20, 300]),
            protocol: self.version(),
        }
    }

    fn slow_dos(&mut self) -> SlowDos {
        let slowness = self.pick(
            &[Slowness::Silent, Slowness::Ping, Slowness::Split, Slowness::Drip],
            &[Slowness::Silent, Slowness::Ping, Slowness::Silent, Slowness::Drip],
        );
        let sessions = match self.force {
            Force::Weak => self.split.of((14, 24), (18, 35)),
            Force::Medium => self.split.of((40, 90), (60, 140)),
            Force::Strong => self.split.of((150, 400), (250, 700)),
        };
        SlowDos {
            slowness,
            sessions: self.random.between(sessions),
            rate: match self.force {
                Force::Weak => 2.0,
                Force::Medium => 8.0,
                Force::Strong => self.pick(&[30.0, 200.0], &[60.0, 0.0]),
            },
            keep_alive: match slowness {
                Slowness::Ping => self.pick(&[20, 60], &[30, 90]),
                _ => self.pick(&[65_535, 3600], &[65_535, 20_000, 0]),
            },
            every: self.random.between_f64(self.split.of((1.5, 5.0), (2.0, 8.0))),
            naming: *self.random.pick(&[Naming::Random, Naming::Numbered]),
            protocol: self.version(),
            secs: self.force.of(45, 40, 35),
        }
    }

    fn tcp_scan(&mut self) -> TcpScan {
        TcpScan {
            rate: self.rate(
                ((1.5, 3.0), (10.0, 40.0), (150.0, 800.0)),
                ((2.0, 4.5), (20.0, 70.0), (300.0, 2000.0)),
            ),
            count: self.force.of(60, 200, 1500),
            ports: *self.random.pick(&[Ports::Common, Ports::Range]),
            order: *self.random.pick(&[Order::Random, Order::Ascending]),
            workers: if self.force == Force::Strong { self.split.of(2, 4) } else { 1 },
            reset: self.random.chance(0.5),
            secs: self.force.of(30, 12, 8),
        }
    }

    fn malformed(&mut self) -> Malformed {
        Malformed {
            rate: self.rate(((1.0, 2.5), (5.0, 12.0), (20.0, 40.0)), ((1.5, 3.5), (8.0, 18.0), (20.0, 60.0))),
            count: 800,
            kind: *self.random.pick(&[Kind::All, Kind::Violations, Kind::Odd]),
            only: None,
            protocol: self.version(),
            secs: self.force.of(28, 16, 10),
        }
    }

    /// A rate from the ranges of one half: weak, medium, strong.
    fn rate(&mut self, train: (Rates, Rates, Rates), test: (Rates, Rates, Rates)) -> f64 {
        let (weak, medium, strong) = self.split.of(train, test);
        self.random.between_f64(self.force.of(weak, medium, strong))
    }

    /// One of the choices of this half.
    fn pick<T: Copy>(&mut self, train: &[T], test: &[T]) -> T {
        *self.random.pick(self.split.of(train, test))
    }

    fn version(&mut self) -> Version {
        *self.random.pick(&[Version::V311, Version::V311, Version::V5, Version::V31])
    }
}
