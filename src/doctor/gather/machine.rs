//! Rights, clock and disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use caps::{CapSet, Capability};
use nix::sys::statvfs::{FsFlags, Statvfs, statvfs};
use nix::unistd::{Uid, User};

use super::network::tool;
use crate::config::CLOCK_MARKS;
use crate::doctor::facts::{Clock, Disk, Rights};
use crate::doctor::parse;
use crate::privileges;

pub(super) fn rights(user: &str) -> Rights {
    Rights {
        root: privileges::is_root(),
        net_raw: caps::has_cap(None, CapSet::Effective, Capability::CAP_NET_RAW).unwrap_or(false),
        user_exists: matches!(User::from_name(user), Ok(Some(_))),
        security_modules: fs::read_to_string("/sys/kernel/security/lsm")
            .ok()
            .map(|text| text.trim().split(',').map(str::to_owned).collect()),
    }
}

#[expect(clippy::disallowed_methods, reason = "whether the clock is right is what is asked")]
pub(super) fn clock() -> Clock {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Clock { now, synchronised: synchronised(), rtc: Path::new("/sys/class/rtc/rtc0").exists() }
}

/// Whoever keeps the clock is asked in turn.
fn synchronised() -> Option<bool> {
    if CLOCK_MARKS.iter().any(|file| Path::new(file).exists()) {
        return Some(true);
    }
    if Path::new("/run/systemd/system").exists() {
        return match tool("timedatectl", &["show", "-p", "NTPSynchronized", "--value"])?.trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
    }
    let tracking = tool("chronyc", &["-n", "tracking"])?;
    Some(!tracking.contains("Not synchronised"))
}

#[allow(clippy::useless_conversion, reason = "the width of these counts depends on the target")]
fn free_octets(stat: &Statvfs) -> u64 {
    u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size()))
}

/// The file system of `folder`, or of the nearest folder above it that exists.
pub(super) fn disk(folder: &Path) -> Option<Disk> {
    let exists = folder.ancestors().find(|one| one.exists())?;
    let real = fs::canonicalize(exists).ok()?;
    let stat = statvfs(&real).ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let (kind, device) = parse::mount_of(&mounts, &real).unwrap_or_default();
    let owner =
        (exists == folder).then(|| fs::metadata(&real).ok()).flatten().map(|data| name_of(data.uid()));
    Some(Disk {
        free: free_octets(&stat),
        read_only: stat.flags().contains(FsFlags::ST_RDONLY),
        kind,
        device,
        owner,
    })
}

/// The name of a user, or the number of one without.
fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}
