//! Whose a topic is: the host that was seen publishing to it, or subscribing to it by name, before all others.
//!
//! Two ways, in fixed memory. A topic that was used again stays for as long as it is fresh, so that a flood of made-up
//! topics cannot push out those of honest hosts.

/// Sets of two places.
const SETS: usize = 512;
/// Seconds of a step of the time kept.
const STEP_SECS: u64 = 4;
/// Steps are kept modulo this.
const STEPS: u64 = 1 << 15;

/// A topic's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    /// Part of the keyed hash of the topic.
    topic: u32,
    /// Part of the keyed hash of the owner; 0 where there is none.
    owner: u16,
    /// When the owner last used it, in steps; the highest bit is set once it was used again.
    used: u16,
}

const EMPTY: Place = Place { topic: 0, owner: 0, used: 0 };
const AGAIN: u16 = 1 << 15;

impl Place {
    /// Steps since its owner used it.
    fn age(&self, step: u16) -> u16 {
        step.wrapping_sub(self.used) & !AGAIN
    }
}

/// The owners of topics.
#[derive(Clone, Debug)]
pub struct Owners {
    sets: [[Place; 2]; SETS],
    /// Steps after which a topic is nobody's.
    patience: u16,
}

impl Owners {
    /// None yet; a topic is its owner's for so many seconds after he used it, a day and a half at most.
    #[must_use]
    pub const fn new(patience_secs: u64) -> Self {
        let steps = patience_secs / STEP_SECS;
        let patience = if steps < STEPS { (steps & 0x7fff) as u16 } else { !AGAIN };
        Self { sets: [[EMPTY; 2]; SETS], patience }
    }

    /// Whether a topic is somebody else's; both by their keyed hashes.
    #[must_use]
    #[inline]
    pub fn is_foreign(&self, topic: u64, host: u64, second: u64) -> bool {
        let (set, topic, host, step) = parts(topic, host, second);
        self.sets.get(set).into_iter().flatten().any(|place| {
            place.topic == topic
                && place.owner != 0
                && place.owner != host
                && place.age(step) <= self.patience
        })
    }

    /// A host uses a topic; says whether it is somebody else's, and makes it the host's own if it is nobody's.
    #[inline]
    pub fn note(&mut self, topic: u64, host: u64, second: u64) -> bool {
        let (set, topic, host, step) = parts(topic, host, second);
        let patience = self.patience;
        let Some(places) = self.sets.get_mut(set) else { return false };
        if let Some(place) = places.iter_mut().find(|place| place.topic == topic && place.owner != 0) {
            let is_fresh = place.age(step) <= patience;
            if place.owner != host && is_fresh {
                return true;
            }
            let again = if place.owner == host { AGAIN } else { 0 };
            *place = Place { topic, owner: host, used: step | again };
            return false;
        }
        let weakest = places.iter_mut().min_by_key(|place| {
            let stays = place.owner != 0 && place.used & AGAIN != 0 && place.age(step) <= patience;
            (stays, place.owner != 0, u16::MAX - place.age(step))
        });
        if let Some(place) = weakest
            && (place.owner == 0 || place.used & AGAIN == 0 || place.age(step) > patience)
        {
            *place = Place { topic, owner: host, used: step };
        }
        false
    }
}

/// Set, topic, owner and step as they are kept.
#[inline]
fn parts(topic: u64, host: u64, second: u64) -> (usize, u32, u16, u16) {
    let set = usize::try_from(topic % SETS as u64).unwrap_or_default();
    let kept = (topic >> 32 & 0xffff_ffff) as u32;
    let owner = (host & 0xffff) as u16;
    let step = (second / STEP_SECS % STEPS) as u16;
    (set, kept, owner.max(1), step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash like any other.
    fn hash(n: u64) -> u64 {
        let x = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn a_topic_is_his_who_used_it_first_until_he_stays_away() {
        let mut owners = Owners::new(600);
        let (topic, sensor, forger) = (hash(1), hash(100), hash(200));
        assert!(!owners.is_foreign(topic, forger, 1000));
        assert!(!owners.note(topic, sensor, 1000));
        assert!(owners.note(topic, forger, 1010) && owners.is_foreign(topic, forger, 1010));
        assert!(!owners.note(topic, sensor, 1500) && !owners.is_foreign(topic, sensor, 1500));
        assert!(owners.note(topic, forger, 2090));
        assert!(!owners.note(topic, forger, 2200), "its owner has been away for more than ten minutes");
        assert!(owners.note(topic, sensor, 2201));
    }

    #[test]
    fn made_up_topics_do_not_push_out_those_in_use() {
        let mut owners = Owners::new(600);
        for again in 0..2 {
            (0..200).for_each(|n| assert!(!owners.note(hash(n), hash(7777), 1000 + again)));
        }
        (0..100_000).for_each(|n| {
            let _ = owners.note(hash(1_000_000 + n), hash(8888), 1010);
        });
        let kept = (0..200).filter(|n| owners.is_foreign(hash(*n), hash(8888), 1020)).count();
        // Three of one set find two places.
        assert!(kept > 180, "{kept}");
    }
}
