//! Interfaces, listening sockets, and what passes around the stack.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::doctor::facts::{Interface, Listener, Offload};
use crate::doctor::parse;

const SYS: &str = "/sys/class/net";
/// OpenWrt's firewall.
const FIREWALL: &str = "/etc/config/firewall";

/// Every interface of this network namespace, in the order of their names.
pub(super) fn interfaces() -> Vec<Interface> {
    // /sys may belong to another namespace, so it is asked for details alone.
    let mut all: Vec<(String, InterfaceFlags)> =
        getifaddrs().into_iter().flatten().map(|one| (one.interface_name, one.flags)).collect();
    all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    all.dedup_by(|one, other| one.0 == other.0);
    all.into_iter().map(|(name, flags)| interface(name, flags)).collect()
}

fn interface(name: String, flags: InterfaceFlags) -> Interface {
    let folder = Path::new(SYS).join(&name);
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned());
    let ports = fs::read_dir(folder.join("brif")).ok().map(|entries| {
        let mut ports: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        ports.sort_unstable();
        ports
    });
    let master = fs::read_link(folder.join("master"))
        .ok()
        .and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
    Interface {
        up: flags.contains(InterfaceFlags::IFF_UP),
        loopback: flags.contains(InterfaceFlags::IFF_LOOPBACK),
        mtu: read("mtu").and_then(|text| text.parse().ok()),
        ports,
        master,
        switch_port: read("phys_switch_id").is_some_and(|id| !id.is_empty()),
        merges_frames: tool("ethtool", &["-k", &name]).map(|text| parse::merges_frames(&text)),
        name,
    }
}

/// The listening sockets of TCP; `None` where the kernel does not show them.
pub(super) fn listeners() -> Option<Vec<Listener>> {
    let mut list = parse::listeners(&fs::read_to_string("/proc/net/tcp").ok()?);
    // Absent where IPv6 is switched off.
    list.extend(parse::listeners(&fs::read_to_string("/proc/net/tcp6").unwrap_or_default()));
    Some(list)
}

pub(super) fn offload() -> Offload {
    let firewall = fs::read_to_string(FIREWALL).ok().map(|text| parse::firewall(&text));
    Offload {
        flowtables: tool("nft", &["list", "flowtables"]).map(|text| parse::flowtables(&text)),
        openwrt_software: firewall.map(|(software, _)| software),
        openwrt_hardware: firewall.map(|(_, hardware)| hardware),
    }
}

/// What a program of the system prints; `None` where it is not there or fails. Those that are called answer at once.
pub(super) fn tool(program: &str, arguments: &[&str]) -> Option<String> {
    // They are in sbin, which is not in everybody's path.
    let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let path = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())?;
    let out = Command::new(path).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}
