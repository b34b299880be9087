//! The scenarios of the corpus, drawn from a seed. No clock, no sockets.

use super::Split;
use super::draw::attacks;
use crate::benign::profile::{Habits, Profile};
use crate::random::Random;
use crate::scenario::spec::{Group, Link, Scenario};

/// The scenarios of a half. Every third is benign throughout; the others have a dozen attacks
/// ([`super::draw`]).
#[must_use]
pub fn scenarios(split: Split, seed: u64) -> Vec<Scenario> {
    let mut random = Random::new(seed ^ split.of(0x7261_494e, 0x7445_5354));
    (0..split.of(30, 15)).map(|index| scenario(split, index, &mut random)).collect()
}

fn scenario(split: Split, index: usize, random: &mut Random) -> Scenario {
    let calm = index % 3 == 2;
    let secs = split.of(112, 92);
    let auth = index % 4 != 1;
    let habits = Habits {
        pace: random.between_f64(split.of((0.6, 1.1), (0.8, 1.6))),
        bulk: random.between_f64(split.of((0.7, 1.2), (0.9, 1.6))),
        keep_alives: split.of([10, 30, 60, 120], [15, 45, 90, 600]),
        // Every second fleet comes back within a second of a restart, all at once.
        retry_ms: if (index / 2).is_multiple_of(2) { (500, 4000) } else { (50, 900) },
    };
    Scenario {
        name: format!("{}-{index:02}-{}", split.name(), if calm { "calm" } else { "mixed" }),
        secs,
        auth,
        acl: auth && index.is_multiple_of(2),
        link: link(split, index, random),
        neighbours: if calm || index.is_multiple_of(2) { split.of(12, 18) } else { 0 },
        port: if index % 5 == 4 { split.of(1884, 21_883) } else { 1883 },
        restart_at: (calm && index.is_multiple_of(2))
            .then(|| random.between_f64((0.4, 0.6)) * f64::from(secs)),
        offload: index % 4 != 3,
        habits,
        devices: devices(split, calm, auth, random),
        attacks: if calm { Vec::new() } else { attacks(split, index - index / 3, secs, auth, random) },
    }
}

/// A fleet: in a calm scenario most kinds, otherwise a choice of kinds.
fn devices(split: Split, calm: bool, auth: bool, random: &mut Random) -> Vec<Group> {
    let most = split.of(4, 6);
    let mut groups = Vec::new();
    for profile in Profile::ALL {
        // Without passwords no password is wrong, and nothing is denied without names.
        let possible = auth || !profile.needs_passwords();
        // All of the heavy ones at once would be more than a small machine makes in time.
        let likely = match (calm, profile.is_heavy()) {
            (true, false) => 0.85,
            (true, true) => 0.6,
            (false, false) => 0.35,
            (false, true) => 0.25,
        };
        if possible && random.chance(likely) {
            let count = if profile.is_heavy() { 1 } else { random.between((1, most)) };
            // After a password was changed at the broker all devices of a household have the old one.
            let share = if profile == Profile::Misconfigured { 0.6 } else { 0.3 };
            let together = count > 1 && random.chance(share);
            groups.push(Group { profile, count: u16::try_from(count).expect("a few"), together });
        }
    }
    // A household behind one router: different kinds at one address need one group each, so this one is uniform.
    groups.push(Group {
        profile: *random.pick(&[Profile::Periodic, Profile::Battery, Profile::Flaky]),
        count: split.of(5, 8),
        together: true,
    });
    groups
}

/// Every second scenario has links that are worse than a cable: near and lossy, or far and uneven.
fn link(split: Split, index: usize, random: &mut Random) -> Option<Link> {
    let delay_ms = random.between_f64(split.of((1.0, 25.0), (2.0, 60.0)));
    let loss = random.between_f64(split.of((0.0, 2.0), (0.0, 3.0)));
    let link = Link {
        delay_ms: (delay_ms * 10.0).round() / 10.0,
        jitter_ms: (delay_ms * 3.0).round() / 10.0,
        loss: (loss * 10.0).round() / 10.0,
        reorder: if index % 4 == 3 { 1.0 } else { 0.0 },
    };
    (index % 2 == 1).then_some(link)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_corpus() {
        for split in [Split::Train, Split::Test] {
            assert_eq!(scenarios(split, 3), scenarios(split, 3));
            assert_ne!(scenarios(split, 3), scenarios(split, 4));
        }
    }

    #[test]
    fn every_class_comes_several_times_and_every_attack_begins_in_time() {
        for split in [Split::Train, Split::Test] {
            let mut classes = BTreeMap::new();
            let mut profiles = BTreeSet::new();
            for scenario in scenarios(split, 1) {
                let text = toml::to_string(&scenario).unwrap();
                assert_eq!(toml::from_str::<Scenario>(&text).unwrap(), scenario);
                for attack in &scenario.attacks {
                    *classes.entry(attack.attack.class()).or_insert(0) += 1;
                    assert!(attack.at + 5.0 < f64::from(scenario.secs), "{} begins too late", scenario.name);
                }
                profiles.extend(scenario.devices.iter().map(|group| group.profile));
            }
            assert!(classes.len() >= 15, "{classes:?}");
            assert!(classes.values().all(|count| *count >= 2), "{classes:?}");
            assert_eq!(profiles.len(), Profile::ALL.len());
        }
    }
}
