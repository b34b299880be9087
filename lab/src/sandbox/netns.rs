//! A network of namespaces: one with a bridge, where the broker runs, and one for each host.
//!
//! The bridge has a namespace of its own, too: nothing of a sandbox touches the machine's own network, and
//! sandboxes with the same addresses can run side by side.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::Signal;

use super::{Host, relay};
use crate::child::{self, Guarded};
use crate::error::LabError;
use crate::scenario::spec::Link;
use crate::target::{NAMESPACE_DIR, NAMESPACE_PREFIX};

/// The bridge's interface, where everything passes.
pub const BRIDGE: &str = "br0";

/// Serial number of the next namespace of this process.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// `ip netns add` makes a shared mount the first time it runs: not by two at once.
static SETUP: Mutex<()> = Mutex::new(());

/// The namespaces of one sandbox; deleted when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    names: Vec<String>,
    offload: bool,
    /// The namespace through which all cables pass, and what makes them worse.
    cables: Option<(String, Guarded)>,
}

impl Sandbox {
    /// Makes the bridge with the gateway's address. Without `offload` no host sends segments larger than its MTU;
    /// with a `link` every host has one like that, and none sends such segments either.
    ///
    /// # Errors
    /// [`LabError::NeedsRoot`], or what `ip` said.
    pub fn create(gateway: Ipv4Addr, offload: bool, link: Option<Link>) -> Result<Self, LabError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(LabError::NeedsRoot);
        }
        let _setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
        sweep();
        let offload = offload && link.is_none();
        let mut sandbox = Self { names: Vec::new(), offload, cables: None };
        let name = sandbox.add_namespace()?;
        batch(
            &name,
            &format!(
                "link set lo up\nlink add {BRIDGE} type bridge\naddr add {gateway}/24 dev {BRIDGE}\nlink set {BRIDGE} up\n"
            ),
        )?;
        if let Some(link) = link {
            let name = sandbox.add_namespace()?;
            let program = std::env::current_exe().map_err(LabError::io("picket-lab"))?;
            let mut command = Host::Namespace(name.clone()).command(program);
            command.arg("relay").args(link.numbers().map(|number| number.to_string()));
            sandbox.cables = Some((name, Guarded::start(command, Signal::SIGTERM)?));
        }
        Ok(sandbox)
    }

    /// The host with the bridge.
    #[must_use]
    pub fn gateway(&self) -> Host {
        Host::Namespace(self.names[0].clone())
    }

    /// Adds a host with these addresses; its own choice of source is the first.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn add_host(&mut self, addresses: &[Ipv4Addr]) -> Result<Host, LabError> {
        let _setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
        let port = format!("v{}", self.names.len());
        let name = self.add_namespace()?;
        let segments = if self.offload { "" } else { " gso_max_segs 1" };
        let bridge = &self.names[0];
        let (peer, beyond) = match &self.cables {
            None => ("eth0".to_owned(), &name),
            Some((cables, _)) => (format!("{}{port}", relay::ENDS[1]), cables),
        };
        let to_bridge = format!(
            "link add {port} type veth peer name {peer} netns {beyond}\nlink set {port} master {BRIDGE}{segments} up\n"
        );
        batch(bridge, &to_bridge)?;
        if let Some((cables, _)) = &self.cables {
            // Ends without an address: nothing is said there but by the hosts.
            let end = format!("{}{port}", relay::ENDS[0]);
            let to_host = format!(
                "link add {end} type veth peer name eth0 netns {name}\nlink set {end} addrgenmode none\nlink set {end} up\n\
                 link set {peer} addrgenmode none\nlink set {peer} up\n"
            );
            batch(cables, &to_host)?;
        }
        let mut lines = format!("link set lo up\nlink set eth0{segments} up\n");
        for address in addresses {
            writeln!(lines, "addr add {address}/24 dev eth0").expect("writing to a string");
        }
        batch(&name, &lines)?;
        Ok(Host::Namespace(name))
    }

    /// What the links are like: `plain`, or `relay` where they are as the scenario asks.
    #[must_use]
    pub const fn links(&self) -> &'static str {
        if self.cables.is_some() { "relay" } else { "plain" }
    }

    fn add_namespace(&mut self) -> Result<String, LabError> {
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAMESPACE_PREFIX}{}-{serial}", std::process::id());
        ip(&["netns", "add", &name])?;
        self.names.push(name.clone());
        Ok(name)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.cables = None;
        let _setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
        // Hosts first, the bridge last. What cannot be deleted now is swept up by the next sandbox.
        for name in self.names.iter().rev() {
            if let Err(error) = ip(&["netns", "delete", name]) {
                eprintln!("picket-lab: {error}");
            }
        }
    }
}

/// Deletes namespaces whose maker is gone: one that was killed could not do it itself.
fn sweep() {
    let Ok(entries) = fs::read_dir(NAMESPACE_DIR) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if let Some(name) = name.to_str()
            && maker(name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
        {
            // Another picket-lab may sweep at the same time.
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

/// The process that made a namespace of this name.
fn maker(name: &str) -> Option<u32> {
    let (pid, serial) = name.strip_prefix(NAMESPACE_PREFIX)?.split_once('-')?;
    serial.parse::<u32>().ok()?;
    pid.parse().ok()
}

fn ip(arguments: &[&str]) -> Result<(), LabError> {
    let mut command = Command::new("ip");
    command.args(arguments);
    child::run(command).map(drop)
}

/// Runs lines of `ip` commands inside a namespace.
fn batch(namespace: &str, lines: &str) -> Result<(), LabError> {
    let mut command = Command::new("ip");
    command.args(["-n", namespace, "-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| child::missing("ip", error))?;
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(lines.as_bytes()).map_err(LabError::io("ip -batch"))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(LabError::io("ip -batch"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Child { what: "ip".into(), detail: String::from_utf8_lossy(&output.stderr).trim().into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_laboratory_have_a_maker() {
        assert_eq!(maker("picketlab-123-4"), Some(123));
        for other in ["picketlab-123", "picketlab-x-1", "picketlab-1-x", "docker-1-2", ""] {
            assert_eq!(maker(other), None, "{other}");
        }
    }
}
