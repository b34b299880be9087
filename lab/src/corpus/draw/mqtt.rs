//! The options of the attacks on MQTT.

use super::{Draw, LONGEST, whole};
use crate::attack::acl_probe::{AclProbe, Probe};
use crate::attack::bruteforce::BruteForce;
use crate::attack::connect_flood::{ConnectFlood, Ending};
use crate::attack::enumeration::{Enumeration, Search, SharedSubscription};
use crate::attack::forge::{CommandInjection, Poison, RetainedPoisoning, SpoofedTelemetry};
use crate::attack::hoarding::SessionHoarding;
use crate::attack::keepalive::{KeepaliveAbuse, Promise};
use crate::attack::large_payload::LargePayload;
use crate::attack::malformed::{Kind as Fault, Malformed};
use crate::attack::packet_ids::{Misuse, PacketIds};
use crate::attack::publish_flood::PublishFlood;
use crate::attack::qos2::{Open, Qos2Exhaustion};
use crate::attack::slow_dos::{SlowDos, Slowness};
use crate::attack::takeover::{Booty, Takeover};
use crate::attack::v5::{Feature, V5Abuse};
use crate::attack::will_abuse::WillAbuse;
use crate::mqtt::packet::Version;

impl Draw<'_> {
    pub(super) fn bruteforce(&mut self) -> BruteForce {
        let rate = self.rate((0.3, 800.0));
        let (tries, secs) = self.span(rate, (10, 3000));
        BruteForce {
            tries,
            secs,
            rate,
            users: self.whole((1.0, 300.0)),
            jitter: self.jitter(),
            workers: self.workers(rate),
            naming: self.naming(),
            keep_alive: self.keep_alive(),
            protocol: self.version(),
            succeed: self.random.chance(0.3),
        }
    }

    pub(super) fn connect_flood(&mut self) -> ConnectFlood {
        let rate = self.rate((2.5, 2000.0));
        let (count, secs) = self.span(rate, (25, 6000));
        let ending = self.pick(
            &[Ending::Polite, Ending::Abandon, Ending::Hold, Ending::Silent, Ending::Reset],
            &[Ending::Polite, Ending::Abandon, Ending::Reset, Ending::Silent],
        );
        ConnectFlood {
            count,
            secs,
            rate,
            jitter: self.jitter(),
            workers: self.workers(rate),
            // Few connections a second that are held would be SlowITe under another name.
            ending: if ending == Ending::Hold && rate < 30.0 { Ending::Polite } else { ending },
            naming: self.naming(),
            keep_alive: self.keep_alive(),
            protocol: self.version(),
        }
    }

    pub(super) fn publish_flood(&mut self) -> PublishFlood {
        let rate = self.rate((60.0, 12_000.0));
        let (count, secs) = self.span(rate, (400, 30_000));
        PublishFlood {
            count,
            secs,
            rate,
            jitter: self.jitter(),
            // One client, a handful, or a load generator with hundreds of them.
            connections: self.pick(&[1, 1, 3, 12, 40, 100, 250], &[1, 2, 6, 50, 170]),
            qos: self.pick(&[0, 0, 1, 2], &[0, 1, 1, 2]),
            payload: self.whole((1.0, 4000.0)),
            coalesce: if rate > 200.0 { self.pick(&[1, 1, 10, 50, 300], &[1, 1, 20, 150]) } else { 1 },
            topics: self.whole((1.0, 800.0)),
            retain: self.random.chance(0.15),
            naming: self.naming(),
            keep_alive: self.keep_alive(),
            protocol: self.version(),
        }
    }

    pub(super) fn slow_dos(&mut self, slowness: Slowness) -> SlowDos {
        let sessions = self.banded((12.0, 1000.0));
        let keep_alive = match slowness {
            Slowness::Ping => self.pick(&[5, 20, 60], &[10, 30, 90]),
            Slowness::Silent | Slowness::Split => {
                self.pick(&[65_535, 65_535, 3600, 1800, 0], &[65_535, 20_000, 7200, 900])
            }
            // Before the CONNACK no keep alive counts.
            _ => self.pick(&[65_535, 3600, 60], &[65_535, 1200, 30]),
        };
        SlowDos {
            slowness,
            sessions: whole(sessions),
            // All within a second, as the scripts do, or one after the other.
            rate: match self.random.between((0, 3)) {
                0 => 0.0,
                1 => sessions,
                _ => self.rate((1.5, 300.0)).max(sessions / 20.0),
            },
            keep_alive,
            // At the pace that the keep alive asks for, or more often.
            every: if slowness == Slowness::Ping && self.random.chance(0.4) {
                f64::from(keep_alive) * 0.9
            } else {
                self.log((0.8, 12.0))
            },
            cut: if self.random.chance(0.5) { 0 } else { self.pick(&[2, 10, 14], &[1, 8, 12]) },
            naming: self.naming(),
            protocol: self.version(),
            secs: whole(self.log((10.0, LONGEST)).min(self.left)).max(5),
        }
    }

    pub(super) fn malformed(&mut self) -> Malformed {
        let rate = self.rate((0.8, 200.0));
        let (count, secs) = self.span(rate, (12, 800));
        Malformed {
            count,
            secs,
            rate,
            kind: *self.random.pick(&[Fault::All, Fault::Violations, Fault::Odd, Fault::Fuzz]),
            only: None,
            protocol: self.version(),
        }
    }

    pub(super) fn takeover(&mut self) -> Takeover {
        let (count, manner) = self.manner((0.4, 60.0), (6, 400));
        Takeover {
            count,
            victims: self.whole((1.0, 10.0)),
            booty: *self.random.pick(&[Booty::Nothing, Booty::Listen, Booty::Publish]),
            hold: self.log((0.02, 8.0)),
            resume: self.random.chance(0.3),
            manner,
        }
    }

    pub(super) fn enumeration(&mut self) -> Enumeration {
        let (count, manner) = self.manner((0.3, 60.0), (3, 200));
        Enumeration {
            count,
            search: *self.random.pick(&[
                Search::All,
                Search::Sys,
                Search::Both,
                Search::SysList,
                Search::Walk,
            ]),
            together: self.pick(&[1, 1, 5, 20], &[1, 2, 10]),
            per_session: self.pick(&[0, 0, 1], &[0, 1, 3]),
            listen: self.log((0.3, 10.0)),
            qos: self.qos(),
            manner,
        }
    }

    pub(super) fn acl_probe(&mut self) -> AclProbe {
        let (count, mut manner) = self.manner((0.5, 150.0), (10, 600));
        if self.random.chance(0.6) {
            manner.protocol = Version::V5; // the only one in which a broker says no to a message
        }
        AclProbe {
            count,
            probe: *self.random.pick(&[Probe::Read, Probe::Write, Probe::Both]),
            per_session: self.pick(&[0, 0, 1], &[0, 4, 1]),
            manner,
        }
    }

    pub(super) fn retained(&mut self) -> RetainedPoisoning {
        let (count, manner) = self.manner((0.5, 500.0), (8, 2000));
        RetainedPoisoning {
            count,
            poison: *self.random.pick(&[Poison::Command, Poison::Discovery, Poison::State, Poison::Wipe]),
            delivery: self.delivery(),
            qos: self.qos(),
            manner,
        }
    }

    pub(super) fn command(&mut self) -> CommandInjection {
        let (count, manner) = self.manner((0.3, 200.0), (5, 1000));
        CommandInjection {
            count,
            victims: self.whole((1.0, 12.0)),
            delivery: self.delivery(),
            qos: self.qos(),
            manner,
        }
    }

    pub(super) fn spoof(&mut self) -> SpoofedTelemetry {
        let (count, manner) = self.manner((0.3, 50.0), (8, 600));
        SpoofedTelemetry {
            count,
            victims: self.whole((1.0, 12.0)),
            delivery: self.delivery(),
            qos: self.qos(),
            manner,
        }
    }

    pub(super) fn large_payload(&mut self) -> LargePayload {
        let (_, manner) = self.manner((0.3, 20.0), (3, 40));
        let payload = self.whole((100_000.0, 6_000_000.0));
        // Not more than some ten megabytes for each capture.
        let count = (30_000_000 / payload).clamp(2, 40);
        LargePayload { count, payload, qos: self.qos(), retain: self.random.chance(0.15), manner }
    }

    pub(super) fn qos2(&mut self) -> Qos2Exhaustion {
        let (count, mut manner) = self.manner((4.0, 3000.0), (60, 6000));
        // The exchanges stay open for a while.
        manner.secs = whole((f64::from(manner.secs) + self.log((2.0, 20.0))).min(self.left)).max(3);
        Qos2Exhaustion {
            count,
            open: self.pick(&[Open::New, Open::Same, Open::Receiver], &[Open::New, Open::Receiver]),
            payload: self.whole((1.0, 4000.0)),
            manner,
        }
    }

    pub(super) fn packet_ids(&mut self) -> PacketIds {
        let (count, manner) = self.manner((1.0, 300.0), (15, 2000));
        PacketIds {
            count,
            misuse: *self.random.pick(&[Misuse::Zero, Misuse::InUse, Misuse::Unknown, Misuse::Mixed]),
            manner,
        }
    }

    pub(super) fn will(&mut self) -> WillAbuse {
        let (count, manner) = self.manner((0.4, 80.0), (6, 600));
        WillAbuse {
            count,
            payload: self.whole((1.0, 20_000.0)),
            qos: self.qos(),
            retain: self.random.chance(0.5),
            reset: self.random.chance(0.5),
            stay: if self.random.chance(0.5) { 0.0 } else { self.log((0.02, 1.0)) },
            manner,
        }
    }

    pub(super) fn keep_alive_abuse(&mut self) -> KeepaliveAbuse {
        let (count, mut manner) = self.manner((0.5, 100.0), (8, 80));
        manner.secs = whole((f64::from(manner.secs) + self.log((5.0, 30.0))).min(self.left)).max(5);
        KeepaliveAbuse {
            count,
            promise: *self.random.pick(&[Promise::Zero, Promise::Longest, Promise::Broken]),
            subscribe: self.random.chance(0.3),
            manner,
        }
    }

    pub(super) fn shared(&mut self) -> SharedSubscription {
        let (count, manner) = self.manner((0.5, 60.0), (3, 60));
        SharedSubscription {
            count,
            groups: self.whole((1.0, 6.0)),
            everything: self.random.chance(0.4),
            qos: self.qos(),
            listen: self.log((1.0, 15.0)),
            manner,
        }
    }

    pub(super) fn v5(&mut self) -> V5Abuse {
        let (count, manner) = self.manner((1.0, 400.0), (15, 2000));
        V5Abuse {
            count,
            feature: *self.random.pick(&[
                Feature::AliasChurn,
                Feature::AliasWrong,
                Feature::UserProperties,
                Feature::ConnectProperties,
                Feature::Response,
                Feature::Expiry,
            ]),
            properties: self.whole((35.0, 800.0)),
            manner,
        }
    }

    pub(super) fn hoarding(&mut self) -> SessionHoarding {
        let (count, manner) = self.manner((1.0, 300.0), (15, 800));
        SessionHoarding {
            count,
            filter: (*self.random.pick(&["#", "site/#", "+/+/state"])).into(),
            qos: self.pick(&[1, 2], &[1]),
            break_off: self.random.chance(0.4),
            manner,
        }
    }
}
