//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::attack::{Attack, Known, Place};
use crate::benign::fleet;
use crate::benign::profile::{Habits, Profile};
use crate::broker::{self, Broker};
use crate::corpus::{self, Split};
use crate::credentials::Credentials;
use crate::episode::Summary;
use crate::error::LabError;
use crate::random::Random;
use crate::sandbox::{Host, relay};
use crate::scenario::run::{self, Ground};
use crate::scenario::spec::{Link, Scenario};
use crate::sim::{Only, Simulation};
use crate::stop::Stop;
use crate::target::Target;
use crate::victim::{self, Service};
use crate::worker::Work;

const EXAMPLES: &str = "Examples:
  picket-lab broker --port 18830 &
  picket-lab benign --broker 127.0.0.1:18830 --secs 30 --devices 12
  picket-lab attack mqtt_connect_flood --broker 127.0.0.1:18830 --from 127.0.66.1
  picket-lab scenario quick --out quick
  picket-lab corpus --split train --out corpus/train      (as root)
  picket-lab simulate --hours 24 --out day

Targets are loopback, or a namespace that picket-lab made; anything else is refused (exit code 77).";

/// Makes real, labelled MQTT traffic, benign and hostile, on loopback or in its own network namespaces
#[derive(Debug, Parser)]
#[command(name = "picket-lab", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a fleet of honest devices
    Benign(Benign),
    /// Carry out one attack
    Attack(AttackCommand),
    /// Run a private mosquitto until a signal or a deadline
    Broker(BrokerCommand),
    /// Run listeners that look like SSH, Telnet and HTTP, as victims, until a signal
    Victim(VictimCommand),
    /// Run a scenario and write a labelled capture of it
    Scenario(ScenarioCommand),
    /// Run many scenarios in namespaces at the same time: captures to train or to test with (needs root)
    Corpus(CorpusCommand),
    /// Write a capture of a day or more of benign traffic, by a virtual clock: in seconds, without root
    Simulate(Simulate),
    /// Make the links of a sandbox worse
    #[command(hide = true)]
    Relay {
        /// Delay in milliseconds
        delay_ms: f64,
        /// Spread of the delay in milliseconds
        jitter_ms: f64,
        /// Packets lost, in percent
        loss: f64,
        /// Packets that overtake others, in percent
        reorder: f64,
    },
    /// Do one host's part of a scenario
    #[command(hide = true)]
    Worker {
        /// The plan
        plan: PathBuf,
        /// Where to write what happened
        #[arg(long)]
        summary: PathBuf,
    },
}

/// Options of every command that talks to a broker.
#[derive(Debug, Args)]
struct Common {
    /// The broker
    #[arg(long, default_value = "127.0.0.1:1883", global = true)]
    broker: SocketAddr,
    /// Source address; for a fleet, of its first device (the next ones count up)
    #[arg(long, global = true)]
    from: Option<IpAddr>,
    /// User name
    #[arg(long, requires = "password_file", global = true)]
    username: Option<String>,
    /// File whose first line is the password
    #[arg(long, requires = "username", global = true)]
    password_file: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    /// Write the summary to this file instead of stdout
    #[arg(long, global = true)]
    summary: Option<PathBuf>,
}

impl Common {
    fn credentials(&self) -> Result<Option<Credentials>, LabError> {
        match (&self.username, &self.password_file) {
            (Some(name), Some(file)) => Credentials::from_file(name, file).map(Some),
            _ => Ok(None),
        }
    }
}

#[derive(Debug, Args)]
struct Benign {
    #[command(flatten)]
    common: Common,
    /// Seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    secs: u32,
    /// Devices
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=240))]
    devices: u16,
    /// Kinds of devices, taken in turn; by default all that a password does not have to refuse
    #[arg(long, value_enum)]
    profile: Vec<Profile>,
    /// All devices behind one source address
    #[arg(long)]
    together: bool,
}

#[derive(Debug, Args)]
struct AttackCommand {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    known: Known,
    #[command(subcommand)]
    attack: Attack,
}

#[derive(Debug, Args)]
struct BrokerCommand {
    /// Loopback port; 0 takes a free one, which is printed
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// File with name:password lines; without it everyone may connect
    #[arg(long)]
    users: Option<PathBuf>,
    /// Stop after so many seconds
    #[arg(long)]
    secs: Option<u32>,
}

#[derive(Debug, Args)]
struct VictimCommand {
    /// Address to listen at
    #[arg(long, default_value = "127.0.0.1")]
    ip: IpAddr,
    /// Services; all by default
    #[arg(long, value_enum)]
    service: Vec<Service>,
    /// Port of the first service instead of its usual one; 0 takes a free one. The addresses are printed
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Debug, Args)]
struct ScenarioCommand {
    /// A TOML file, or quick, calm or mixed
    scenario: String,
    /// Directory for capture.pcap, labels.toml and manifest.json
    #[arg(long)]
    out: PathBuf,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// In network namespaces (needs root) instead of on loopback
    #[arg(long)]
    netns: bool,
    /// On loopback; this is the default
    #[arg(long, conflicts_with = "netns")]
    loopback: bool,
}

#[derive(Debug, Args)]
struct CorpusCommand {
    /// Directory for one directory per scenario
    #[arg(long)]
    out: PathBuf,
    /// Which half: they differ in rates, styles, devices and hosts
    #[arg(long, value_enum)]
    split: Split,
    /// Scenarios that run at the same time
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only so many scenarios
    #[arg(long)]
    limit: Option<usize>,
}

#[derive(Debug, Args)]
struct Simulate {
    /// Hours of traffic
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=744))]
    hours: u32,
    /// Seed of everything random: the site, its devices, and what they do
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only devices of this kind, instead of a whole site; may be given several times
    #[arg(long, value_enum)]
    profile: Vec<Profile>,
    /// How many devices of these kinds, gone round
    #[arg(long, default_value_t = 3, requires = "profile", value_parser = clap::value_parser!(u8).range(1..=i64::from(Only::MOST)))]
    devices: u8,
    /// All of them behind one address
    #[arg(long, requires = "profile")]
    together: bool,
    /// Directory for capture.pcap, labels.toml and manifest.json
    #[arg(long)]
    out: PathBuf,
}

impl Simulate {
    fn run(&self) -> Result<(), LabError> {
        let Self { hours, seed, devices, together, .. } = *self;
        let profiles = self.profile.clone();
        let only = (!profiles.is_empty()).then_some(Only { profiles, devices, together });
        let manifest = Simulation { hours, seed, only }.run(&self.out)?;
        eprintln!(
            "picket-lab: {} packets of {} devices, {} MB, in {}",
            manifest.packets,
            manifest.benign.len(),
            manifest.bytes / 1_000_000,
            self.out.display()
        );
        Ok(())
    }
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// See [`LabError`].
    pub fn run(self) -> Result<(), LabError> {
        let stop = Stop::on_signals().map_err(LabError::io("signal handlers"))?;
        allow_many_sockets();
        match self.command {
            Command::Benign(benign) => benign.run(&stop),
            Command::Attack(attack) => attack.run(&stop),
            Command::Broker(broker) => broker.run(&stop),
            Command::Victim(command) => victim::run(
                command.ip,
                if command.service.is_empty() { &Service::ALL } else { &command.service },
                command.port,
                &stop,
                |address| println!("{address}"),
            ),
            Command::Scenario(scenario) => scenario.run(&stop),
            Command::Corpus(corpus) => {
                corpus::run::run(corpus.split, corpus.seed, corpus.jobs, corpus.limit, &corpus.out, &stop)
            }
            Command::Simulate(simulate) => simulate.run(),
            Command::Relay { delay_ms, jitter_ms, loss, reorder } => {
                let link = Link { delay_ms, jitter_ms, loss, reorder };
                relay::run(&link, 1, &stop).map_err(LabError::io("relay"))
            }
            Command::Worker { plan, summary } => Work::read(&plan)?.run(&stop)?.write(Some(&summary)),
        }
    }
}

impl Benign {
    fn run(&self, stop: &Stop) -> Result<(), LabError> {
        let target = Target::check(self.common.broker)?;
        let credentials = self.common.credentials()?;
        let ordinary: Vec<_> = Profile::ALL.into_iter().filter(|kind| !kind.needs_passwords()).collect();
        let profiles = if self.profile.is_empty() { &ordinary } else { &self.profile };
        let mut random = Random::new(self.common.seed);
        let mut devices =
            fleet::draw(self.devices.into(), profiles, &Habits::default(), credentials.as_ref(), &mut random);
        for (index, device) in (0..).zip(&mut devices) {
            device.address = match self.common.from {
                // rumqttc cannot bind a source address.
                _ if device.profile == Profile::SecondStack => Some(target.default_source()),
                Some(first) => Some(if self.together { first } else { nth_address(first, index)? }),
                None => None,
            };
        }
        eprintln!("picket-lab: {} devices at {} for {} s", self.devices, self.common.broker, self.secs);
        let mut summary = Summary::new(self.common.seed, self.common.broker);
        summary.benign =
            fleet::run(&devices, target, &[], &stop.within(Duration::from_secs(self.secs.into())));
        let published: u64 = summary.benign.iter().map(|report| report.tally.published).sum();
        eprintln!("picket-lab: the devices published {published} messages");
        summary.write(self.common.summary.as_deref())
    }
}

impl AttackCommand {
    fn run(&self, stop: &Stop) -> Result<(), LabError> {
        let place = Place {
            target: Target::check(self.common.broker)?,
            from: self.common.from,
            credentials: self.common.credentials()?,
            known: self.known.clone(),
            seed: self.common.seed,
        };
        if let (Attack::MqttBruteforce(attack), None) = (&self.attack, &place.credentials)
            && attack.succeed
        {
            return Err(LabError::Usage("--succeed needs --username and --password-file".into()));
        }
        if self.attack.raw() {
            place.target.raw()?;
        }
        eprintln!("picket-lab: {} at {}", self.attack.name(), self.common.broker);
        let episode = self.attack.run(&place, stop)?;
        eprintln!(
            "picket-lab: {} from {}: {} actions in {:.1} s ({} accepted, {} refused, {} failed)",
            self.attack.name(),
            episode.attacker,
            episode.count,
            episode.end - episode.start,
            episode.accepted,
            episode.refused,
            episode.failed
        );
        let mut summary = Summary::new(self.common.seed, self.common.broker);
        summary.episodes.push(episode);
        summary.write(self.common.summary.as_deref())
    }
}

impl BrokerCommand {
    fn run(&self, stop: &Stop) -> Result<(), LabError> {
        let users = self.users.as_deref().map_or(Ok(Vec::new()), broker::read_users)?;
        let port = if self.port == 0 { broker::free_port()? } else { self.port };
        let broker = Broker::start(broker::loopback(port), &users, &Host::Here)?;
        println!("{}", broker.address());
        let limit = self.secs.map_or(Duration::from_hours(24), |secs| Duration::from_secs(secs.into()));
        // Whether by signal or deadline: the broker ends when it is dropped.
        let _ = stop.sleep(limit);
        Ok(())
    }
}

impl ScenarioCommand {
    fn run(&self, stop: &Stop) -> Result<(), LabError> {
        let scenario = Scenario::find(&self.scenario)?;
        let ground = if self.netns { Ground::Namespaces(1) } else { Ground::Loopback };
        eprintln!("picket-lab: scenario {} for {} s", scenario.name, scenario.secs);
        let manifest = run::run(&scenario, self.seed, ground, &self.out, stop)?;
        for episode in &manifest.episodes {
            eprintln!(
                "picket-lab: {:6.1} s  {:24} from {:15} {:6} actions in {:.1} s",
                episode.start - manifest.start,
                episode.style.name(),
                episode.attacker,
                episode.count,
                episode.end - episode.start
            );
        }
        eprintln!("picket-lab: {} packets in {}", manifest.packets.captured, self.out.display());
        Ok(())
    }
}

/// The address `index` places after the first. Counts within the last two octets, which is enough for 240 devices.
fn nth_address(first: IpAddr, index: u32) -> Result<IpAddr, LabError> {
    match first {
        IpAddr::V4(v4) => Ok(Ipv4Addr::from_bits(v4.to_bits().saturating_add(index)).into()),
        IpAddr::V6(_) if index == 0 => Ok(first),
        IpAddr::V6(_) => Err(LabError::Usage("--from with an IPv6 address needs --together".into())),
    }
}

/// Slow attacks hold thousands of sockets, here and in mosquitto, which inherits the limit. Where it cannot be
/// raised, what can be opened is opened and the rest is counted as failed.
fn allow_many_sockets() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(65_536), hard);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn addresses_count_up() {
        let first = "127.0.70.254".parse().unwrap();
        assert_eq!(nth_address(first, 2).unwrap().to_string(), "127.0.71.0");
        assert_eq!(nth_address("::1".parse().unwrap(), 1).unwrap_err().exit_code(), 64);
    }

    #[test]
    fn options_stand_before_or_after_the_class() {
        for line in [
            "picket-lab attack mqtt_bruteforce --broker 127.0.0.1:1 --from 127.0.66.1 --tries 5",
            "picket-lab attack --broker 127.0.0.1:1 --from 127.0.66.1 mqtt_bruteforce --tries 5",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Command::Attack(command) = cli.command else { panic!("wrong command") };
            assert_eq!(command.common.broker.port(), 1);
            assert!(matches!(command.attack, Attack::MqttBruteforce(attack) if attack.tries == 5));
        }
    }
}
