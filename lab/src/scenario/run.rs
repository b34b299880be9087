//! Carries out a scenario and writes down what happened.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use serde::Serialize;

use super::plan::{HostPlan, Plan};
use super::spec::Scenario;
use crate::benign::fleet::DeviceReport;
use crate::benign::stack::{self, Stack};
use crate::broker::{Broker, find};
use crate::child::{self, Guarded};
use crate::episode::{Episode, Labels, Summary, TOOL, unix, write_json};
use crate::error::LabError;
use crate::sandbox::Host;
use crate::sandbox::capture::{Capture, Counts};
use crate::sandbox::netns::{BRIDGE, Sandbox};
use crate::stop::Stop;
use crate::target::SANDBOX_NET;
use crate::victim::Service;
use crate::worker::Work;

/// Time from the start of the workers until they all begin.
const MUSTER: Duration = Duration::from_millis(700);

/// How long the broker is away when it restarts.
const RESTART_PAUSE: Duration = Duration::from_millis(800);

/// Where a scenario takes place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ground {
    /// On this machine's loopback, every host with its own address in 127.0.0.0/8.
    Loopback,
    /// In network namespaces, in the network 10.77.x.0/24 with this number.
    Namespaces(u8),
}

/// What is written to `manifest.json`.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// Name and version of this program.
    pub tool: &'static str,
    /// The seed.
    pub seed: u64,
    /// `loopback` or `namespaces`.
    pub ground: &'static str,
    /// When the capture began, in seconds since 1970 UTC.
    pub start: f64,
    /// When it ended.
    pub end: f64,
    /// Whether it was stopped before its time.
    pub interrupted: bool,
    /// The broker's address and port.
    pub broker: String,
    /// Versions of the programs used.
    pub versions: Vec<String>,
    /// The client stacks that the scenario wants and that may be missing. Where one is, its devices were left out.
    pub stacks: Vec<Stack>,
    /// What the links are like: `plain`, or `relay` where they are as the scenario asks.
    pub links: String,
    /// Packets in `capture.pcap`.
    pub packets: Counts,
    /// The scenario as it was read.
    pub scenario: Scenario,
    /// The attacks with their counts and options.
    pub episodes: Vec<Episode>,
    /// The benign devices with their counts.
    pub benign: Vec<DeviceReport>,
}

/// Runs a scenario; writes `capture.pcap`, `labels.toml`, `manifest.json` and `workers.log` into `out`.
///
/// # Errors
/// If a tool is missing, a worker fails or a file cannot be written.
pub fn run(
    scenario: &Scenario,
    seed: u64,
    ground: Ground,
    out: &Path,
    stop: &Stop,
) -> Result<Manifest, LabError> {
    if ground == Ground::Loopback
        && let Some(raw) = scenario.attacks.iter().find(|scheduled| scheduled.attack.raw())
    {
        let name = raw.attack.name();
        return Err(LabError::Usage(format!("{name} makes packets of its own and needs --netns")));
    }
    fs::create_dir_all(out).map_err(LabError::io(out.display().to_string()))?;
    let net = match ground {
        Ground::Loopback => loopback_net(std::process::id()),
        Ground::Namespaces(number) => [SANDBOX_NET[0], SANDBOX_NET[1], number],
    };
    let mut plan = Plan::of(scenario, seed, net);
    let stacks = stack::look(|wanted| scenario.devices.iter().any(|group| group.profile == wanted));
    for host in &mut plan.hosts {
        host.devices.retain(|device| {
            !stacks.iter().any(|stack| stack.profile == device.profile && stack.missing.is_some())
        });
    }
    for Stack { profile, missing, .. } in &stacks {
        if let Some(missing) = missing {
            eprintln!("picket-lab: without {}: {missing}", profile.name());
        }
    }
    // Declared before everything that runs inside it, and so dropped after it.
    let mut sandbox = match ground {
        Ground::Loopback => None,
        Ground::Namespaces(_) => {
            Some(Sandbox::create(Ipv4Addr::new(net[0], net[1], net[2], 1), scenario.offload, scenario.link)?)
        }
    };
    let gateway = sandbox.as_ref().map_or(Host::Here, Sandbox::gateway);
    let mut broker = Broker::start_with_acl(plan.broker, &plan.users, &plan.acl, &gateway)?;
    let victims = if scenario.attacks.is_empty() || sandbox.is_none() {
        None
    } else {
        Some(start_victims(plan.broker.ip(), &gateway)?)
    };
    let filter = format!("net {}.{}.{}.0/24", net[0], net[1], net[2]);
    let (interface, filter) = if sandbox.is_some() { (BRIDGE, None) } else { ("lo", Some(filter.as_str())) };
    let capture = Capture::start(&gateway, interface, filter, &out.join("capture.pcap"))?;
    let start = SystemTime::now();
    let crew = Crew::start(scenario, seed, &plan, sandbox.as_mut(), out)?;
    crew.wait(scenario, &mut broker, stop)?;
    let summaries = crew.dismiss()?;
    let packets = capture.finish()?;
    drop(victims);

    let mut manifest = Manifest {
        tool: TOOL,
        seed,
        ground: if sandbox.is_some() { "namespaces" } else { "loopback" },
        start: unix(start),
        end: unix(SystemTime::now()),
        interrupted: stop.interrupted(),
        broker: plan.broker.to_string(),
        versions: versions()?,
        stacks,
        links: sandbox.as_ref().map_or("plain", Sandbox::links).to_owned(),
        packets,
        scenario: scenario.clone(),
        episodes: Vec::new(),
        benign: Vec::new(),
    };
    for summary in summaries {
        manifest.episodes.extend(summary.episodes);
        manifest.benign.extend(summary.benign);
    }
    manifest.episodes.sort_by(|a, b| a.start.total_cmp(&b.start));
    let labels = out.join("labels.toml");
    fs::write(&labels, Labels::of(&manifest.episodes).to_toml())
        .map_err(LabError::io(labels.display().to_string()))?;
    write_json(&manifest, Some(&out.join("manifest.json")))?;
    Ok(manifest)
}

/// A /24 of 127.0.0.0/8 that two processes of the laboratory hardly ever share.
fn loopback_net(pid: u32) -> [u8; 3] {
    let [_, _, high, low] = pid.to_be_bytes();
    [127, 64 | (high & 0x3F), low]
}

/// Starts listeners on the broker's host that look like SSH, Telnet and HTTP, and waits until they listen.
fn start_victims(ip: IpAddr, gateway: &Host) -> Result<Guarded, LabError> {
    let me = std::env::current_exe().map_err(LabError::io("the path of this program"))?;
    let mut command = gateway.command(me);
    command.arg("victim").arg("--ip").arg(ip.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut guarded = Guarded::start(command, Signal::SIGTERM)?;
    let said = guarded.inner().stdout.take().expect("stdout is a pipe");
    let ready = BufReader::new(said).lines().map_while(Result::ok).take(Service::ALL.len()).count();
    if ready < Service::ALL.len() {
        return Err(LabError::Child { what: "victim".into(), detail: format!("no listener at {ip}") });
    }
    Ok(guarded)
}

/// The workers of a scenario.
struct Crew {
    begin: Instant,
    plans: tempfile::TempDir,
    workers: Vec<Guarded>,
}

impl Crew {
    fn start(
        scenario: &Scenario,
        seed: u64,
        plan: &Plan,
        mut sandbox: Option<&mut Sandbox>,
        out: &Path,
    ) -> Result<Self, LabError> {
        // The plans hold passwords: a directory that only its owner can read.
        let plans = tempfile::Builder::new()
            .prefix("picket-lab-plans-")
            .tempdir()
            .map_err(LabError::io("temporary directory"))?;
        let log = out.join("workers.log");
        let log = File::create(&log).map_err(LabError::io(log.display().to_string()))?;
        let mut hosts = Vec::new();
        for host in &plan.hosts {
            hosts.push(match &mut sandbox {
                Some(sandbox) => sandbox.add_host(&host.addresses)?,
                None => Host::Here,
            });
        }
        let begin = Instant::now() + MUSTER;
        let start = unix(SystemTime::now() + MUSTER);
        let mut crew = Self { begin, plans, workers: Vec::new() };
        for (index, (host, HostPlan { addresses, devices, serves, attacks })) in
            hosts.iter().zip(&plan.hosts).enumerate()
        {
            let work = Work {
                broker: plan.broker,
                start,
                secs: scenario.secs,
                seed,
                devices: devices.clone(),
                neighbours: plan.neighbours.clone(),
                serves: addresses.iter().filter(|_| *serves).copied().map(IpAddr::V4).collect(),
                attacks: attacks.clone(),
            };
            let file = crew.plan_file(index);
            write_json(&work, Some(&file))?;
            let me = std::env::current_exe().map_err(LabError::io("the path of this program"))?;
            let mut command = host.command(me);
            command.arg("worker").arg(file).arg("--summary").arg(crew.summary_file(index));
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(log.try_clone().map_err(LabError::io("workers.log"))?);
            crew.workers.push(Guarded::start(command, Signal::SIGTERM)?);
        }
        Ok(crew)
    }

    fn plan_file(&self, index: usize) -> PathBuf {
        self.plans.path().join(format!("plan-{index}.json"))
    }

    fn summary_file(&self, index: usize) -> PathBuf {
        self.plans.path().join(format!("summary-{index}.json"))
    }

    /// Waits for the end of the scenario and restarts the broker when it is time.
    fn wait(&self, scenario: &Scenario, broker: &mut Broker, stop: &Stop) -> Result<(), LabError> {
        let end = self.begin + Duration::from_secs(scenario.secs.into());
        if let Some(at) = scenario.restart_at {
            if !stop.sleep_until(self.begin + Duration::from_secs_f64(at)) {
                return Ok(());
            }
            broker.restart(RESTART_PAUSE)?;
        }
        // True or false, it is over: the difference stands in the manifest.
        let _ = stop.sleep_until(end);
        Ok(())
    }

    /// Waits for the workers to leave in good order, and reads what they did.
    fn dismiss(mut self) -> Result<Vec<Summary>, LabError> {
        // Those that are not yet done are told at the same time.
        let grace = Instant::now() + Duration::from_secs(2);
        let mut summaries = Vec::new();
        let mut workers = std::mem::take(&mut self.workers);
        while Instant::now() < grace
            && workers.iter_mut().any(|worker| matches!(worker.inner().try_wait(), Ok(None)))
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        workers.iter_mut().for_each(Guarded::ask);
        for (index, mut worker) in workers.into_iter().enumerate() {
            let status = worker.end().map_err(LabError::io("worker"))?;
            if !status.success() {
                let detail = format!("{status}; see workers.log");
                return Err(LabError::Child { what: format!("worker {index}"), detail });
            }
            let file = self.summary_file(index);
            let text = fs::read_to_string(&file).map_err(LabError::io(file.display().to_string()))?;
            let summary = serde_json::from_str(&text)
                .map_err(|error| LabError::Data { path: file, reason: error.to_string() })?;
            summaries.push(summary);
        }
        Ok(summaries)
    }
}

/// First lines of what the tools say about themselves.
fn versions() -> Result<Vec<String>, LabError> {
    // mosquitto has no option for its version alone; its help starts with it and its exit code is not 0.
    let help = Command::new(find("mosquitto")?).arg("-h").output().map_err(LabError::io("mosquitto"))?;
    let mut tcpdump = Command::new(find("tcpdump")?);
    tcpdump.arg("--version");
    let tcpdump = child::run(tcpdump)?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(LabError::io("kernel version"))?;
    let mut versions = vec![format!("linux {}", kernel.trim())];
    versions.extend(String::from_utf8_lossy(&help.stdout).lines().next().map(str::to_owned));
    versions.extend(tcpdump.lines().take(2).map(str::to_owned));
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_net_is_always_loopback() {
        for pid in [0, 1, 255, 65_535, 4_194_303] {
            let [a, b, c] = loopback_net(pid);
            assert_eq!(a, 127);
            assert!(b >= 64 && Ipv4Addr::new(a, b, c, 1).is_loopback());
        }
    }
}
