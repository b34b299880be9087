//! From a scenario and a seed to a complete plan: who has which address, which habits, which password, and when
//! each attack begins. No clock, no sockets: the same seed gives the same plan.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::spec::Scenario;
use crate::attack::{Attack, Known};
use crate::benign::fleet::give_credentials;
use crate::benign::profile::{Device, Profile};
use crate::benign::topics::grants;
use crate::credentials::Credentials;
use crate::random::Random;

/// Hosts that the benign devices are spread over.
const HOMES: usize = 3;

/// A complete plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The broker.
    pub broker: SocketAddr,
    /// Everyone who may log in; empty if everyone may.
    pub users: Vec<Credentials>,
    /// The broker's ACL file; empty if everyone may do everything.
    pub acl: String,
    /// Hosts that have nothing to do with MQTT; the last of `hosts` has all of them.
    pub neighbours: Vec<IpAddr>,
    /// The hosts of the network, without the broker's.
    pub hosts: Vec<HostPlan>,
}

/// What one host does.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HostPlan {
    /// Its addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// The benign devices on it.
    pub devices: Vec<Device>,
    /// Whether it serves pages at its addresses.
    pub serves: bool,
    /// The attacks from it.
    pub attacks: Vec<AttackPlan>,
}

/// An attack with everything decided.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttackPlan {
    /// Seconds after the start.
    pub at: f64,
    /// Source address.
    pub from: IpAddr,
    /// Seed of everything random about it.
    pub seed: u64,
    /// Valid credentials, if the attacker has some.
    pub credentials: Option<Credentials>,
    /// What the attacker knows about the network.
    pub known: Known,
    /// The attack.
    pub attack: Attack,
}

impl Plan {
    /// Works out a scenario in the network whose first three octets are given; the broker is number 1 there.
    #[must_use]
    pub fn of(scenario: &Scenario, seed: u64, net: [u8; 3]) -> Self {
        let mut random = Random::new(seed);
        let mut free: Vec<u8> = (2..=250).collect();
        random.shuffle(&mut free);
        let mut next_address = || {
            let last = free.pop().expect("a scenario has at most 240 hosts");
            Ipv4Addr::new(net[0], net[1], net[2], last)
        };

        let mut users = Vec::new();
        let mut new_user = |random: &mut Random| {
            let user = Credentials { username: format!("dev{:03}", users.len()), password: random.text(16) };
            users.push(user.clone());
            user
        };

        let mut acl = String::new();
        let mut homes = vec![HostPlan::default(); HOMES];
        let mut index = 0;
        for group in &scenario.devices {
            // Where the first device of the group went, if the others are to follow it.
            let mut shared = None;
            for _ in 0..group.count {
                let mut device = Device::draw(group.profile, index, &scenario.habits, &mut random);
                let (home, address) = shared.unwrap_or_else(|| {
                    let (home, address) = (index % HOMES, next_address());
                    homes[home].addresses.push(address);
                    (home, address)
                });
                if group.together {
                    shared = Some((home, address));
                }
                device.address = Some(address.into());
                if scenario.auth {
                    let user = new_user(&mut random);
                    give_credentials(&mut device, Some(&user));
                    if scenario.acl {
                        grant(&mut acl, &user, &grants(&device));
                    }
                }
                homes[home].devices.push(device);
                index += 1;
            }
        }
        for home in &mut homes {
            // rumqttc cannot bind: it comes from the first address of its host.
            let first = home.addresses.first().copied();
            for device in home.devices.iter_mut().filter(|device| device.profile == Profile::SecondStack) {
                device.address = first.map(IpAddr::V4);
            }
        }
        homes.retain(|home| !home.devices.is_empty());

        for scheduled in &scenario.attacks {
            // An attacker has looked around before: it knows some of the devices.
            let known = known(&homes, &mut random);
            for _ in 0..scheduled.sources.max(1) {
                let infected = if scheduled.infected { infected(&homes, &mut random) } else { None };
                let from = infected.map_or_else(&mut next_address, |(_, address)| address);
                let credentials = (scenario.auth && scheduled.insider).then(|| new_user(&mut random));
                if let (true, Some(user)) = (scenario.acl, &credentials) {
                    let rights =
                        if scheduled.granted { "topic readwrite #\ntopic read $SYS/#\n" } else { OWN };
                    grant(&mut acl, user, rights);
                }
                let plan = AttackPlan {
                    at: scheduled.at,
                    from: from.into(),
                    seed: random.seed(),
                    credentials,
                    known: known.clone(),
                    attack: scheduled.attack.clone(),
                };
                match infected {
                    Some((home, _)) => homes[home].attacks.push(plan),
                    None => homes.push(HostPlan {
                        addresses: vec![from],
                        attacks: vec![plan],
                        ..HostPlan::default()
                    }),
                }
            }
        }
        let broker = SocketAddr::new(Ipv4Addr::new(net[0], net[1], net[2], 1).into(), scenario.port);
        let addresses: Vec<_> = (0..scenario.neighbours).map(|_| next_address()).collect();
        let neighbours: Vec<_> = addresses.iter().copied().map(IpAddr::V4).collect();
        if !addresses.is_empty() {
            homes.push(HostPlan { addresses, serves: true, ..HostPlan::default() });
        }
        Self { broker, users, acl, neighbours, hosts: homes }
    }
}

/// What an attacker may do whom nobody granted more: its own corner.
const OWN: &str = "topic readwrite own/#\n";

/// Adds a user to an ACL file.
fn grant(acl: &mut String, user: &Credentials, topics: &str) {
    writeln!(acl, "user {}\n{topics}", user.username).expect("writing to a string");
}

/// Some of the devices.
fn known(homes: &[HostPlan], random: &mut Random) -> Known {
    const MOST: usize = 12;
    let mut devices: Vec<_> = homes.iter().flat_map(|home| &home.devices).collect();
    random.shuffle(&mut devices);
    devices.truncate(MOST);
    Known {
        clients: devices.iter().map(|device| device.client_id.clone()).collect(),
        hosts: devices.iter().filter_map(|device| device.address).collect(),
    }
}

/// A device whose address an attack can come from and none does yet: its host and its address.
fn infected(homes: &[HostPlan], random: &mut Random) -> Option<(usize, Ipv4Addr)> {
    let devices: Vec<_> = homes
        .iter()
        .enumerate()
        .flat_map(|(index, home)| home.devices.iter().map(move |device| (index, device.address)))
        .filter_map(|(index, address)| match address {
            Some(IpAddr::V4(v4)) => Some((index, v4)),
            _ => None,
        })
        .filter(|(_, address)| {
            !homes.iter().flat_map(|home| &home.attacks).any(|attack| attack.from == IpAddr::V4(*address))
        })
        .collect();
    if devices.is_empty() { None } else { Some(*random.pick(&devices)) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn mixed() -> Scenario {
        Scenario::find("mixed").unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        let plan = |seed| Plan::of(&mixed(), seed, [10, 77, 3]);
        assert_eq!(plan(11), plan(11));
        assert_ne!(plan(11), plan(12));
    }

    #[test]
    fn every_attacker_has_an_address_that_no_device_has() {
        let plan = Plan::of(&mixed(), 5, [10, 77, 3]);
        let addresses: Vec<_> = plan.hosts.iter().flat_map(|host| &host.addresses).collect();
        assert_eq!(addresses.iter().collect::<HashSet<_>>().len(), addresses.len());
        let devices: HashSet<_> =
            plan.hosts.iter().flat_map(|host| &host.devices).filter_map(|d| d.address).collect();
        let attackers: Vec<_> = plan.hosts.iter().flat_map(|host| &host.attacks).collect();
        assert_eq!(attackers.len(), mixed().attacks.len());
        assert!(attackers.iter().all(|attack| !devices.contains(&attack.from)));
        assert!(!addresses.contains(&&Ipv4Addr::new(10, 77, 3, 1)), "that is the broker");
    }

    #[test]
    fn an_infected_device_keeps_its_address_and_several_attackers_have_one_each() {
        let mut scenario = mixed();
        scenario.attacks.truncate(1);
        scenario.attacks[0].infected = true;
        let plan = Plan::of(&scenario, 5, [10, 77, 3]);
        let host = plan.hosts.iter().find(|host| !host.attacks.is_empty()).unwrap();
        assert!(host.devices.iter().any(|device| device.address == Some(host.attacks[0].from)));
        assert!(!host.attacks[0].known.clients.is_empty());
        scenario.attacks[0].sources = 3;
        let plan = Plan::of(&scenario, 5, [10, 77, 3]);
        let sources: HashSet<_> =
            plan.hosts.iter().flat_map(|host| &host.attacks).map(|attack| attack.from).collect();
        assert_eq!(sources.len(), 3, "no device has two attacks");
        scenario.attacks[0].infected = false;
        let plan = Plan::of(&scenario, 5, [10, 77, 3]);
        let sources: HashSet<_> =
            plan.hosts.iter().flat_map(|host| &host.attacks).map(|attack| attack.from).collect();
        assert_eq!(sources.len(), 3);
    }

    #[test]
    fn devices_behind_one_router_share_its_address_and_host() {
        let mut scenario = mixed();
        scenario.devices = toml::from_str::<Scenario>(
            "name = \"x\"\nsecs = 9\n[[devices]]\nprofile = \"periodic\"\ncount = 4\ntogether = true",
        )
        .unwrap()
        .devices;
        let plan = Plan::of(&scenario, 5, [10, 77, 3]);
        assert_eq!(plan.hosts[0].addresses.len(), 1);
        assert_eq!(plan.hosts[0].devices.len(), 4);
        let ids: HashSet<_> = plan.hosts[0].devices.iter().map(|device| &device.client_id).collect();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn with_a_broker_that_wants_passwords_only_the_misconfigured_lack_the_right_one() {
        let mut scenario = mixed();
        scenario.auth = true;
        let plan = Plan::of(&scenario, 5, [10, 77, 3]);
        for device in plan.hosts.iter().flat_map(|host| &host.devices) {
            let right = plan.users.contains(device.credentials.as_ref().unwrap());
            assert_eq!(right, device.profile != Profile::Misconfigured, "{}", device.client_id);
        }
    }
}
