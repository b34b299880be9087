//! Rights, time of day, and the place where alerts are kept.

use super::facts::Snapshot;
use super::finding::Finding;

/// The clock of a machine that runs this program shows a later time: 2026-01-01T00:00:00Z, in seconds since 1970.
const NOT_BEFORE: u64 = 1_767_225_600;

/// File systems that are memory.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];
/// File systems made for bare flash.
const ON_FLASH: [&str; 4] = ["jffs2", "ubifs", "yaffs2", "f2fs"];

pub(super) fn rights(facts: &Snapshot, out: &mut Vec<Finding>) {
    let rights = &facts.rights;
    if rights.root || rights.net_raw {
        out.push(Finding::ok("rights.capture", "this user may open interfaces"));
    } else {
        out.push(Finding::warning(
            "rights.no-capture",
            "this user may not open interfaces: it is not root and lacks CAP_NET_RAW",
            "the service has it from its unit; by hand start picket as root: it gives its rights up by itself",
        ));
    }
    if !rights.user_exists {
        let user = &facts.config.user;
        out.push(Finding::bad(
            "rights.no-user",
            format!("there is no user {user}: picket run does not start as root"),
            format!("useradd --system {user}, or name another in capture.user"),
        ));
    }
    if rights.security_modules.as_ref().is_some_and(|modules| modules.iter().all(|one| one != "landlock")) {
        out.push(Finding::info(
            "rights.no-landlock",
            "this kernel runs without Landlock: in the daemon's cage, files are guarded by their modes alone",
            "start the kernel with landlock among lsm=, if it has it",
        ));
    }
}

pub(super) fn clock(facts: &Snapshot, out: &mut Vec<Finding>) {
    let clock = facts.clock;
    if clock.now < NOT_BEFORE {
        out.push(Finding::bad(
            "clock.past",
            "the clock shows a time before this program was made: alerts are dated wrong, and models cannot be updated",
            "set the clock, or let it follow a time server",
        ));
        return;
    }
    match clock.synchronised {
        Some(true) => out.push(Finding::ok("clock.synchronised", "the clock follows a time server")),
        Some(false) => out.push(Finding::warning(
            "clock.unsynchronised",
            "the clock follows no time server: alerts may be dated wrong, and updates of models wait",
            "start a time service: systemd-timesyncd, chrony, or OpenWrt's sysntpd",
        )),
        None => out.push(Finding::info(
            "clock.unknown",
            "nothing tells whether the clock follows a time server",
            "",
        )),
    }
    if !clock.rtc {
        out.push(Finding::info(
            "clock.no-rtc",
            "there is no clock that runs without power: after a start, alerts are dated wrong until a time server answers",
            "",
        ));
    }
}

pub(super) fn disk(facts: &Snapshot, out: &mut Vec<Finding>) {
    let path = facts.config.store.display();
    let Some(disk) = &facts.disk else {
        out.push(Finding::info(
            "disk.unknown",
            format!("the file system of {path} does not tell of itself"),
            "",
        ));
        return;
    };
    let before = out.len();
    let budget = facts.config.byte_budget;
    if disk.read_only {
        out.push(Finding::bad(
            "disk.read-only",
            format!("{path} is on a file system that is mounted read-only: no alert can be kept"),
            "name another folder in store.path, or mount it for writing",
        ));
    } else if disk.free < budget {
        out.push(Finding::bad(
            "disk.full",
            format!(
                "{path}: {} KiB are free, less than store.byte-budget ({} KiB)",
                disk.free >> 10,
                budget >> 10
            ),
            "make room, or lower store.byte-budget",
        ));
    } else if disk.free < budget.saturating_mul(3) {
        // The store writes anew what it keeps before it frees the old.
        out.push(Finding::warning(
            "disk.low",
            format!("{path}: {} KiB are free; three times store.byte-budget is safe", disk.free >> 10),
            "make room, or lower store.byte-budget",
        ));
    }
    if let Some(owner) = disk.owner.as_ref().filter(|owner| **owner != facts.config.user) {
        out.push(Finding::warning(
            "disk.owner",
            format!("{path} belongs to {owner}, not to {}", facts.config.user),
            format!("chown -R {}: {path}", facts.config.user),
        ));
    }
    if IN_MEMORY.contains(&disk.kind.as_str()) {
        out.push(Finding::info(
            "disk.memory",
            format!("{path} is in memory ({}): stored alerts end with the power", disk.kind),
            "store.path on a disk keeps them",
        ));
    } else if ON_FLASH.contains(&disk.kind.as_str())
        || disk.device.starts_with("/dev/mmcblk")
        || disk.device.starts_with("mtd")
    {
        out.push(Finding::info(
            "disk.flash",
            format!("{path} is on flash ({}, {}): what is written wears it", disk.kind, disk.device),
            "",
        ));
    }
    if out.len() == before {
        out.push(Finding::ok("disk.ok", format!("{path}: {} MiB are free ({})", disk.free >> 20, disk.kind)));
    }
}
