//! The options of the attacks on hosts and networks.

use super::Draw;
use crate::attack::arp_spoof::{ArpSpoof, Claim};
use crate::attack::host_scan::{HostScan, Knock, MiraiScan};
use crate::attack::login::LoginBruteforce;
use crate::attack::network_flood::{Flood, NetworkFlood};
use crate::attack::scan::TcpScan;
use crate::attack::stealth_scan::{StealthScan, Technique};
use crate::attack::udp_scan::UdpScan;
use crate::victim::Service;

impl Draw<'_> {
    pub(super) fn tcp_scan(&mut self) -> TcpScan {
        let rate = self.rate((1.0, 4000.0));
        let (count, secs) = self.span(rate, (16, 3000));
        TcpScan {
            count,
            secs,
            rate,
            ports: self.ports(),
            order: self.order(),
            jitter: self.jitter(),
            workers: self.workers(rate),
            reset: self.random.chance(0.5),
        }
    }

    pub(super) fn stealth_scan(&mut self) -> StealthScan {
        let rate = self.rate((1.0, 4000.0));
        let (count, secs) = self.span(rate, (16, 3000));
        StealthScan {
            count,
            secs,
            rate,
            technique: *self.random.pick(&[
                Technique::Syn,
                Technique::Syn,
                Technique::Fin,
                Technique::Null,
                Technique::Xmas,
                Technique::Ack,
                Technique::Os,
            ]),
            ports: self.ports(),
            order: self.order(),
            jitter: self.jitter(),
            one_source_port: self.random.chance(0.6),
        }
    }

    pub(super) fn udp_scan(&mut self) -> UdpScan {
        let rate = self.rate((0.8, 1000.0));
        let (count, secs) = self.span(rate, (16, 1500));
        UdpScan {
            count,
            secs,
            rate,
            order: self.order(),
            jitter: self.jitter(),
            payload: self.pick(&[0, 0, 8], &[0, 32]),
            tries: self.pick(&[1, 1, 2], &[1, 3]),
        }
    }

    pub(super) fn host_scan(&mut self) -> HostScan {
        let rate = self.rate((1.0, 600.0));
        let (count, secs) = self.span(rate, (15, 760));
        HostScan {
            count,
            secs,
            rate,
            knock: *self.random.pick(&[Knock::Connect, Knock::Syn, Knock::Ping, Knock::Arp]),
            ports: self.pick(&[1, 1, 3], &[1, 2, 5]),
            order: self.order(),
            jitter: self.jitter(),
        }
    }

    pub(super) fn login(&mut self, service: Service) -> LoginBruteforce {
        let rate = self.rate((0.3, 60.0));
        let (count, secs) = self.span(rate, (8, 400));
        LoginBruteforce {
            count,
            secs,
            rate,
            service,
            port: 0,
            guesses: self.pick(&[1, 1, 3], &[1, 2, 3]),
            jitter: self.jitter(),
            workers: self.pick(&[1, 4, 16], &[1, 2, 8]),
        }
    }

    pub(super) fn network_flood(&mut self, flood: Flood) -> NetworkFlood {
        let rate = self.rate(if flood == Flood::Http { (4.0, 500.0) } else { (120.0, 9000.0) });
        let (count, secs) = self.span(rate, if flood == Flood::Http { (40, 3000) } else { (600, 20_000) });
        NetworkFlood {
            flood,
            count,
            secs,
            rate,
            payload: match flood {
                Flood::Ack if self.random.chance(0.6) => 0,
                Flood::Syn | Flood::Http => 0,
                Flood::Ack | Flood::Udp | Flood::Gre => self.whole((1.0, 1400.0)),
            },
            port: match flood {
                Flood::Http => 0,
                _ => self.pick(&[0, 1883, 80, 53], &[0, 1883, 443, 9]),
            },
            spoofed: match flood {
                Flood::Syn => self.pick(&[0, 8, 40], &[0, 20, 60]),
                _ => self.pick(&[0, 0, 0, 12], &[0, 0, 0, 30]),
            },
        }
    }

    pub(super) fn mirai_scan(&mut self) -> MiraiScan {
        let rate = self.rate((2.0, 600.0));
        let (count, secs) = self.span(rate, (20, 3000));
        MiraiScan { count, secs, rate, wide: self.random.chance(0.4) }
    }

    pub(super) fn arp_spoof(&mut self) -> ArpSpoof {
        let rate = self.rate((0.4, 30.0));
        let (count, secs) = self.span(rate, (5, 200));
        ArpSpoof {
            count,
            secs,
            rate,
            claim: *self.random.pick(&[Claim::Broker, Claim::Devices, Claim::Both]),
            requests: self.random.chance(0.3),
            forward: self.random.chance(0.7),
            leave: self.random.chance(0.2),
        }
    }
}
