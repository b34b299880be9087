//! Many scenarios at once, for training and for testing. The two halves differ in rates, styles, keep alives,
//! numbers of devices, ports and networks, so that a test asks for more than memory.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use crate::attack::bruteforce::BruteForce;
use crate::attack::connect_flood::{ConnectFlood, Ending};
use crate::attack::malformed::{Kind, Malformed};
use crate::attack::publish_flood::PublishFlood;
use crate::attack::scan::{Order, Ports, TcpScan};
use crate::attack::slow_dos::{SlowDos, Slowness};
use crate::attack::{Attack, Naming};
use crate::benign::profile::{Habits, Profile};
use crate::episode::{TOOL, write_json};
use crate::error::LabError;
use crate::mqtt::packet::Version;
use crate::random::Random;
use crate::scenario::run::{self, Ground, Manifest};
use crate::scenario::spec::{Group, Scenario, Scheduled};
use crate::stop::Stop;

/// Which half of the corpus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To train with.
    Train,
    /// To test with.
    Test,
}

impl Split {
    /// The name on the command line and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }

    /// One value for each half.
    fn of<T>(self, train: T, test: T) -> T {
        match self {
            Self::Train => train,
            Self::Test => test,
        }
    }
}

/// How hard an attack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Force {
    Weak,
    Medium,
    Strong,
}

impl Force {
    const ALL: [Self; 3] = [Self::Weak, Self::Medium, Self::Strong];

    fn of<T>(self, weak: T, medium: T, strong: T) -> T {
        match self {
            Self::Weak => weak,
            Self::Medium => medium,
            Self::Strong => strong,
        }
    }
}

/// The scenarios of a half. Every third is benign throughout; the others have every class of attack once, the
/// force going round so that each class comes in each force.
#[must_use]
pub fn scenarios(split: Split, seed: u64) -> Vec<Scenario> {
    let mut random = Random::new(seed ^ split.of(0x7261_494e, 0x7445_5354));
    (0..split.of(24, 12))
        .map(|index| scenario(split, index, &mut random))
        .collect()
}

fn scenario(split: Split, index: usize, random: &mut Random) -> Scenario {
    let calm = index % 3 == 2;
    let secs = split.of(112, 92);
    let auth = index % 2 == 0;
    let habits = Habits {
        pace: random.between_f64(split.of((0.6, 1.1), (0.8, 1.6))),
        bulk: random.between_f64(split.of((0.7, 1.2), (0.9, 1.6))),
        keep_alives: split.of([10, 30, 60, 120], [15, 45, 90, 600]),
    };
    Scenario {
        name: format!(
            "{}-{index:02}-{}",
            split.name(),
            if calm { "calm" } else { "mixed" }
        ),
        secs,
        auth,
        port: if index % 5 == 4 {
            split.of(1884, 21_883)
        } else {
            1883
        },
        restart_at: (calm && index % 2 == 0)
            .then(|| random.between_f64((0.4, 0.6)) * f64::from(secs)),
        offload: index % 4 != 3,
        habits,
        devices: devices(split, calm, auth, random),
        attacks: if calm {
            Vec::new()
        } else {
            attacks(split, index, secs, auth, random)
        },
    }
}

/// A fleet: in a calm scenario every kind, otherwise a choice of kinds.
fn devices(split: Split, calm: bool, auth: bool, random: &mut Random) -> Vec<Group> {
    let most = split.of(4, 6);
    let mut groups = Vec::new();
    for profile in Profile::ALL {
        let heavy = matches!(
            profile,
            Profile::Bridge | Profile::Camera | Profile::Discovery | Profile::Backlog
        );
        // Without passwords no password is wrong.
        let possible = profile != Profile::Misconfigured || auth;
        if possible && (calm || random.chance(0.6)) {
            let count = if heavy {
                random.between((1, 2))
            } else {
                random.between((1, most))
            };
            let together = count > 1 && random.chance(0.3);
            groups.push(Group {
                profile,
                count: u16::try_from(count).expect("a few"),
                together,
            });
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

fn attacks(
    split: Split,
    index: usize,
    secs: u32,
    auth: bool,
    random: &mut Random,
) -> Vec<Scheduled> {
    let mut classes = [0, 1, 2, 3, 4, 5];
    random.shuffle(&mut classes);
    // The first after a benign quarter of a minute; the last ones end with the scenario.
    let gap = f64::from(secs - 40) / 6.0;
    classes
        .into_iter()
        .enumerate()
        .filter(|(_, class)| auth || *class != 0) // nothing to guess without passwords
        .map(|(place, class)| {
            let force = Force::ALL[(index + index / 3 + class) % 3];
            let place = f64::from(u32::try_from(place).expect("six places"));
            Scheduled {
                at: 14.0 + gap * place + random.between_f64((0.0, gap * 0.5)),
                insider: true,
                attack: attack(class, force, split, random),
            }
        })
        .collect()
}

fn attack(class: usize, force: Force, split: Split, random: &mut Random) -> Attack {
    let mut rate = |train, test| random.between_f64(split.of(train, test));
    match class {
        0 => {
            let rate = force.of(
                rate((0.5, 1.2), (0.8, 2.0)),
                rate((3.0, 9.0), (6.0, 20.0)),
                rate((40.0, 250.0), (80.0, 400.0)),
            );
            Attack::MqttBruteforce(BruteForce {
                rate,
                secs: force.of(36, 15, 6),
                tries: 2000,
                users: *random.pick(split.of(&[1, 12, 80], &[1, 30, 200])),
                workers: force.of(1, 1, *random.pick(split.of(&[1, 2], &[1, 4]))),
                naming: *random.pick(split.of(
                    &[Naming::Random, Naming::Fixed],
                    &[Naming::Empty, Naming::Numbered],
                )),
                keep_alive: *random.pick(split.of(&[60, 10], &[30, 5])),
                protocol: version(random),
                succeed: random.chance(0.4),
            })
        }
        1 => {
            let rate = force.of(
                rate((3.0, 6.0), (4.0, 9.0)),
                rate((12.0, 40.0), (20.0, 70.0)),
                rate((100.0, 500.0), (200.0, 900.0)),
            );
            Attack::MqttConnectFlood(ConnectFlood {
                rate,
                count: 6000,
                secs: force.of(25, 14, 8),
                workers: force.of(1, 2, 4),
                ending: *random.pick(split.of(
                    &[
                        Ending::Polite,
                        Ending::Abandon,
                        Ending::Hold,
                        Ending::Silent,
                    ],
                    &[
                        Ending::Polite,
                        Ending::Abandon,
                        Ending::Reset,
                        Ending::Silent,
                    ],
                )),
                naming: *random.pick(split.of(
                    &[Naming::Random, Naming::Numbered],
                    &[Naming::Random, Naming::Empty],
                )),
                keep_alive: *random.pick(split.of(&[60, 10], &[30, 120])),
                protocol: version(random),
            })
        }
        2 => {
            let rate = force.of(
                rate((100.0, 200.0), (130.0, 300.0)),
                rate((300.0, 900.0), (500.0, 1500.0)),
                rate((1500.0, 4000.0), (2500.0, 6000.0)),
            );
            Attack::MqttPublishFlood(PublishFlood {
                rate,
                count: 40_000,
                secs: force.of(20, 12, 8),
                connections: *random.pick(split.of(&[1, 1, 3], &[1, 2, 6])),
                qos: *random.pick(split.of(&[0, 0, 1, 2], &[0, 1, 1, 2])),
                payload: *random.pick(split.of(&[10, 60, 1024], &[4, 200, 2000])),
                coalesce: force.of(
                    1,
                    *random.pick(&[1, 10]),
                    *random.pick(split.of(&[1, 50, 300], &[1, 20, 150])),
                ),
                topics: *random.pick(split.of(&[1, 40], &[1, 500])),
                retain: random.chance(0.15),
                naming: Naming::Numbered,
                keep_alive: *random.pick(split.of(&[60, 30], &[20, 300])),
                protocol: version(random),
            })
        }
        3 => {
            let sessions = force.of(
                rate((14.0, 24.0), (18.0, 35.0)),
                rate((40.0, 90.0), (60.0, 140.0)),
                rate((150.0, 400.0), (250.0, 700.0)),
            );
            let slowness = *random.pick(split.of(
                &[
                    Slowness::Silent,
                    Slowness::Ping,
                    Slowness::Split,
                    Slowness::Drip,
                ],
                &[
                    Slowness::Silent,
                    Slowness::Ping,
                    Slowness::Silent,
                    Slowness::Drip,
                ],
            ));
            Attack::MqttSlowDos(SlowDos {
                slowness,
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small positive numbers
                sessions: sessions as u32,
                rate: force.of(2.0, 8.0, *random.pick(split.of(&[30.0, 200.0], &[60.0, 0.0]))),
                keep_alive: match slowness {
                    Slowness::Ping => *random.pick(split.of(&[20, 60], &[30, 90])),
                    _ => *random.pick(split.of(&[65_535, 3600], &[65_535, 20_000, 0])),
                },
                every: random.between_f64(split.of((1.5, 5.0), (2.0, 8.0))),
                naming: *random.pick(&[Naming::Random, Naming::Numbered]),
                protocol: version(random),
                secs: force.of(45, 40, 35),
            })
        }
        4 => {
            let rate = force.of(
                rate((1.5, 3.0), (2.0, 4.5)),
                rate((10.0, 40.0), (20.0, 70.0)),
                rate((150.0, 800.0), (300.0, 2000.0)),
            );
            Attack::TcpScan(TcpScan {
                count: force.of(60, 200, 1500),
                rate,
                ports: *random.pick(&[Ports::Common, Ports::Range]),
                order: *random.pick(&[Order::Random, Order::Ascending]),
                workers: force.of(1, 1, split.of(2, 4)),
                reset: random.chance(0.5),
                secs: force.of(30, 12, 8),
            })
        }
        _ => {
            let rate = force.of(
                rate((1.0, 2.5), (1.5, 3.5)),
                rate((5.0, 12.0), (8.0, 18.0)),
                rate((20.0, 40.0), (20.0, 60.0)),
            );
            Attack::MqttMalformed(Malformed {
                rate,
                count: 800,
                kind: *random.pick(&[Kind::All, Kind::Violations, Kind::Odd]),
                only: None,
                protocol: version(random),
                secs: force.of(28, 16, 10),
            })
        }
    }
}

fn version(random: &mut Random) -> Version {
    *random.pick(&[Version::V311, Version::V311, Version::V5, Version::V31])
}

/// What is written to `corpus.json`.
#[derive(Debug, Serialize)]
struct Index<'a> {
    tool: &'static str,
    split: Split,
    seed: u64,
    captures: &'a [Line],
}

/// One capture of the corpus.
#[derive(Debug, Serialize)]
struct Line {
    directory: String,
    packets: u64,
    secs: u32,
    devices: usize,
    attacks: Vec<String>,
}

impl Line {
    fn of(manifest: &Manifest) -> Self {
        Self {
            directory: manifest.scenario.name.clone(),
            packets: manifest.packets.captured,
            secs: manifest.scenario.secs,
            devices: manifest.benign.len(),
            attacks: manifest
                .episodes
                .iter()
                .map(|episode| episode.class.clone())
                .collect(),
        }
    }
}

/// Runs the scenarios of a half, `jobs` at a time, each in a sandbox of its own; `corpus.json` lists them.
///
/// # Errors
/// If any scenario failed, after the others have had their turn.
pub fn run(
    split: Split,
    seed: u64,
    jobs: u8,
    limit: Option<usize>,
    out: &Path,
    stop: &Stop,
) -> Result<(), LabError> {
    let mut scenarios = scenarios(split, seed);
    scenarios.truncate(limit.unwrap_or(usize::MAX));
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), String::new()));
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((index, scenario)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    scenarios.get(index).map(|scenario| (index, scenario))
                } {
                    if stop.interrupted() {
                        break;
                    }
                    let result = one(split, seed, index, scenario, out, stop);
                    let mut done = done.lock().expect("no thread panics while it holds this");
                    match result {
                        Ok(line) => {
                            eprintln!(
                                "picket-lab: {}: {} packets, {} devices, {} attacks",
                                line.directory,
                                line.packets,
                                line.devices,
                                line.attacks.len()
                            );
                            done.0.push(line);
                        }
                        Err(error) => {
                            eprintln!("picket-lab: {}: {error}", scenario.name);
                            writeln!(done.1, "{}: {error}", scenario.name)
                                .expect("writing to a string");
                        }
                    }
                }
            });
        }
    });
    let (mut lines, failures) = done
        .into_inner()
        .expect("no thread panics while it holds this");
    if !failures.is_empty() {
        return Err(LabError::Child {
            what: "corpus".into(),
            detail: failures.trim().into(),
        });
    }
    lines.sort_by(|a, b| a.directory.cmp(&b.directory));
    write_json(
        &Index {
            tool: TOOL,
            split,
            seed,
            captures: &lines,
        },
        Some(&out.join("corpus.json")),
    )
}

fn one(
    split: Split,
    seed: u64,
    index: usize,
    scenario: &Scenario,
    out: &Path,
    stop: &Stop,
) -> Result<Line, LabError> {
    // Networks 10.77.10.0/24 and on, or 10.77.110.0/24 and on: no address in both halves.
    let network = split.of(10, 110) + u8::try_from(index).expect("a few dozen scenarios");
    let seed = Random::new(seed.wrapping_mul(1000).wrapping_add(network.into())).seed();
    let manifest = run::run(
        scenario,
        seed,
        Ground::Namespaces(network),
        &out.join(&scenario.name),
        stop,
    )?;
    Ok(Line::of(&manifest))
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
                    assert!(
                        attack.at + 5.0 < f64::from(scenario.secs),
                        "{} begins too late",
                        scenario.name
                    );
                }
                profiles.extend(scenario.devices.iter().map(|group| group.profile));
            }
            assert_eq!(classes.len(), 6, "{classes:?}");
            assert!(classes.values().all(|count| *count >= 4), "{classes:?}");
            assert_eq!(profiles.len(), Profile::ALL.len());
        }
    }

    #[test]
    fn each_class_comes_weak_and_strong() {
        for split in [Split::Train, Split::Test] {
            let rates: Vec<f64> = scenarios(split, 1)
                .iter()
                .flat_map(|scenario| &scenario.attacks)
                .filter_map(|scheduled| match &scheduled.attack {
                    Attack::MqttConnectFlood(attack) => Some(attack.rate),
                    _ => None,
                })
                .collect();
            assert!(
                rates.iter().any(|rate| *rate < 10.0) && rates.iter().any(|rate| *rate > 90.0),
                "{rates:?}"
            );
        }
    }
}
