//! Which station has which IPv4 address, as far as ARP tells (RFC 826), and who says so unasked.

use crate::decode::aside::Arp;

/// Addresses remembered.
const KEPT: usize = 128;
/// An address is its station's until it has been silent for so long, in seconds.
const PATIENCE: u64 = 300;
/// A question is answered within so many seconds.
const ANSWERED_WITHIN: u64 = 3;
/// Questions remembered.
const ASKED: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Station {
    ip: u32,
    mac: [u8; 6],
    used: u64,
}

/// What is odd about an ARP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
    /// The address of who said it: the station's own, where that is known.
    pub by: u32,
    /// It announces an address and nobody has asked for it.
    pub unasked: bool,
    /// It claims an address that is another station's.
    pub claims: bool,
}

/// The stations, and the latest questions.
#[derive(Clone, Debug)]
pub struct Stations {
    known: heapless::Vec<Station, KEPT>,
    asked: [(u32, u64); ASKED],
}

impl Stations {
    /// None yet.
    pub const NONE: Self = Self { known: heapless::Vec::new(), asked: [(0, 0); ASKED] };

    /// Takes a message in; `None` where it says nothing of its sender's address.
    pub fn note(&mut self, arp: &Arp, second: u64) -> Option<Said> {
        let announces = arp.sender_ip == arp.target_ip;
        if arp.is_request && !announces {
            let question = self.asked.get_mut(place(arp.target_ip));
            question.into_iter().for_each(|question| *question = (arp.target_ip, second));
        }
        // Who has no address yet probes with zero (RFC 5227, section 1.1).
        if arp.sender_ip == 0 {
            return None;
        }
        let was_asked = self
            .asked
            .get(place(arp.sender_ip))
            .is_some_and(|(ip, at)| *ip == arp.sender_ip && second.saturating_sub(*at) <= ANSWERED_WITHIN);
        let unasked = announces || (!arp.is_request && !was_asked);
        let own =
            self.known.iter().find(|station| station.mac == arp.sender_mac && station.ip != arp.sender_ip);
        let own = own.map(|station| station.ip);
        let claims = self.claim(arp, second);
        let by = if claims { own.unwrap_or(arp.sender_ip) } else { arp.sender_ip };
        Some(Said { by, unasked, claims })
    }

    /// Notes whose the sender's address is; whether it is another station's.
    fn claim(&mut self, arp: &Arp, second: u64) -> bool {
        if let Some(station) = self.known.iter_mut().find(|station| station.ip == arp.sender_ip) {
            if station.mac != arp.sender_mac && second.saturating_sub(station.used) <= PATIENCE {
                return true;
            }
            (station.mac, station.used) = (arp.sender_mac, second);
            return false;
        }
        let station = Station { ip: arp.sender_ip, mac: arp.sender_mac, used: second };
        if self.known.push(station).is_err()
            && let Some(oldest) = self.known.iter_mut().min_by_key(|station| station.used)
        {
            *oldest = station;
        }
        false
    }
}

fn place(ip: u32) -> usize {
    usize::try_from(ip).unwrap_or_default() % ASKED
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: u32 = 0x0a00_0001;
    const SENSOR: u32 = 0x0a00_0007;
    const THIEF: u32 = 0x0a00_0042;

    fn arp(is_request: bool, mac: u8, sender_ip: u32, target_ip: u32) -> Arp {
        Arp { is_request, sender_mac: [2, 0, 0, 0, 0, mac], sender_ip, target_ip }
    }

    #[test]
    fn questions_and_answers_are_nothing_odd() {
        let mut stations = Stations::NONE.clone();
        let quiet = |by| Some(Said { by, unasked: false, claims: false });
        assert_eq!(stations.note(&arp(true, 7, SENSOR, GATEWAY), 100), quiet(SENSOR));
        assert_eq!(stations.note(&arp(false, 1, GATEWAY, SENSOR), 100), quiet(GATEWAY));
        assert_eq!(stations.note(&arp(true, 9, 0, THIEF), 101), None);
        let announced = stations.note(&arp(true, 9, THIEF, THIEF), 102);
        assert_eq!(announced, Some(Said { by: THIEF, unasked: true, claims: false }));
    }

    #[test]
    fn a_claim_is_laid_at_the_door_of_its_station() {
        let mut stations = Stations::NONE.clone();
        for (mac, ip) in [(1, GATEWAY), (7, SENSOR), (66, THIEF)] {
            let _ = stations.note(&arp(true, mac, ip, 0x0a00_00fe), 100);
        }
        let lie = stations.note(&arp(false, 66, GATEWAY, SENSOR), 110);
        assert_eq!(lie, Some(Said { by: THIEF, unasked: true, claims: true }));
        // The gateway goes on to be itself.
        let truth = stations.note(&arp(true, 1, GATEWAY, SENSOR), 111);
        assert_eq!(truth, Some(Said { by: GATEWAY, unasked: false, claims: false }));
        // An address that was given up goes to another without a word.
        assert!(stations.note(&arp(true, 9, SENSOR, GATEWAY), 500).is_some_and(|said| !said.claims));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut stations = Stations::NONE.clone();
        for n in 0..1000 {
            let _ = stations.note(&arp(false, 66, 0x0a01_0000 + n, 0), u64::from(n));
        }
        assert_eq!(stations.known.len(), KEPT);
    }
}
