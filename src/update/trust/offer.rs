//! What a device knows, and what it makes of a message that says what is desired.

use super::chain::{SignedRoot, follow};
use super::envelope::{Envelope, Kind};
use super::verify::verify;
use crate::update::compat::Device;
use crate::update::digest::Digest;
use crate::update::document::{Desired, Manifest, Moment, Policy, Timestamp};
use crate::update::reason::{Reason, Refusal};

/// How far in the future a document may have been made: clocks differ.
const SKEW_SECONDS: u64 = 600;

/// A timestamp that was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its number.
    pub seq: u64,
    /// The digest of its payload.
    pub sha256: Digest,
    /// When it was made.
    pub issued: Moment,
}

/// A release that is known: its number and the digest of its manifest's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Installed {
    /// Its number; 0 for the factory's model.
    pub release: u64,
    /// The digest of its manifest's payload; none for the factory's model.
    pub manifest: Option<Digest>,
}

/// What the clock says, and whether it is known to be right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// The time.
    pub now: Moment,
    /// Whether it was set by a source of time since the start of the system.
    pub synchronised: bool,
}

/// What a device knows of roots, releases and time. Everything in it survives a restart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trust {
    /// The root in force.
    pub root: SignedRoot,
    /// The newest timestamp seen under its timestamp keys.
    pub seen: Option<Seen>,
    /// The highest floor of a release that was kept.
    pub floor: u64,
    /// It cannot be earlier than this.
    pub time_floor: Moment,
    /// Releases that failed here.
    pub bad: Vec<Installed>,
}

/// A release that may be installed: signed, the newest, in time, and made for this device.
#[derive(Clone, PartialEq, Debug)]
pub struct Offer {
    /// The request that it came with.
    pub request: String,
    /// What it is.
    pub manifest: Manifest,
    /// The digest of the manifest's payload.
    pub sha256: Digest,
    /// The manifest as it was signed.
    pub envelope: Envelope,
    /// When and how.
    pub policy: Policy,
}

impl Offer {
    /// How the release is remembered.
    #[must_use]
    pub const fn installed(&self) -> Installed {
        Installed { release: self.manifest.release, manifest: Some(self.sha256) }
    }
}

/// What came of a message.
#[derive(Clone, PartialEq, Debug)]
pub struct Examined {
    /// What is known now, at least as much as before. To be kept even where the release is refused: a new root
    /// may be the cure.
    pub trust: Trust,
    /// The request, where the message could be read.
    pub request: Option<String>,
    /// The release of the verified manifest.
    pub release: Option<u64>,
    /// The offer; none when the release is installed already.
    pub outcome: Result<Option<Box<Offer>>, Refusal>,
}

impl Clock {
    /// Whether expiry can be judged.
    #[must_use]
    pub fn is_trusted(self, time_floor: Moment) -> bool {
        self.synchronised && self.now >= time_floor
    }
}

impl Trust {
    /// What is known at first: a root, and nothing else. `built` is when this program was built.
    #[must_use]
    pub const fn new(root: SignedRoot, built: Moment) -> Self {
        Self { root, seen: None, floor: 0, time_floor: built, bad: Vec::new() }
    }

    /// Releases below this are neither installed nor started.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor.max(self.root.root.floor)
    }

    /// Examines a message from anybody.
    #[must_use]
    pub fn examine(&self, message: &[u8], installed: Installed, device: &Device, clock: Clock) -> Examined {
        let mut examined = Examined { trust: self.clone(), request: None, release: None, outcome: Ok(None) };
        examined.outcome = examined.read(message, installed, device, clock);
        examined
    }
}

impl Examined {
    fn read(
        &mut self,
        message: &[u8],
        installed: Installed,
        device: &Device,
        clock: Clock,
    ) -> Result<Option<Box<Offer>>, Refusal> {
        let desired = Desired::read(message)?;
        self.request = Some(desired.request.clone());
        self.learn_root(&desired)?;
        let root = &self.trust.root.root;

        verify(&desired.timestamp, Kind::Timestamp, root)?;
        let timestamp = Timestamp::read(&desired.timestamp.payload)?;
        let sha256 = Digest::of(&desired.timestamp.payload);
        let seen = Seen { seq: timestamp.seq, sha256, issued: timestamp.issued };
        self.check_timestamp(&timestamp, seen)?;

        verify(&desired.manifest, Kind::Manifest, root)?;
        let manifest = Manifest::read(&desired.manifest.payload)?;
        self.release = Some(manifest.release);
        let sha256 = Digest::of(&desired.manifest.payload);
        if timestamp.release != manifest.release || timestamp.manifest_sha256 != sha256 {
            let detail = format!("the timestamp is for release {} and another manifest", timestamp.release);
            return Err(Refusal::new(Reason::MixAndMatch, detail));
        }

        self.check_times(&timestamp, &manifest, clock)?;
        self.trust.seen = Some(seen);
        let issued = [self.trust.root.root.issued, timestamp.issued, manifest.issued];
        self.trust.time_floor = issued.into_iter().fold(self.trust.time_floor, Moment::max);

        let Desired { request, policy, manifest: envelope, .. } = desired;
        let offer = Offer { request, manifest, sha256, envelope, policy };
        if !self.is_new(offer.installed(), installed)? {
            return Ok(None);
        }
        device.check(&offer.manifest)?;
        check_policy(&offer.policy, clock.now)?;
        Ok(Some(Box::new(offer)))
    }

    /// Takes up the roots of the message.
    fn learn_root(&mut self, desired: &Desired) -> Result<(), Refusal> {
        let next = follow(&self.trust.root, &desired.roots)?;
        if next.root.roles.timestamp != self.trust.root.root.roles.timestamp {
            // Whoever had the old key may have used up the numbers.
            self.trust.seen = None;
        }
        self.trust.root = next;
        Ok(())
    }

    fn check_timestamp(&self, timestamp: &Timestamp, seen: Seen) -> Result<(), Refusal> {
        let version = self.trust.root.root.version;
        if timestamp.root_version != version {
            let newer = timestamp.root_version > version;
            let reason = if newer { Reason::RootWithheld } else { Reason::MixAndMatch };
            let detail =
                format!("the timestamp is for root {}, in force is {version}", timestamp.root_version);
            return Err(Refusal::new(reason, detail));
        }
        match self.trust.seen {
            Some(last) if seen.seq < last.seq => {
                let detail = format!("timestamp {} came after {}", seen.seq, last.seq);
                Err(Refusal::new(Reason::TimestampOlder, detail))
            }
            Some(last) if seen.seq == last.seq && seen.sha256 != last.sha256 => {
                let detail = format!("timestamp {} with other content than before", seen.seq);
                Err(Refusal::new(Reason::TimestampConflict, detail))
            }
            _ => Ok(()),
        }
    }

    /// Nothing of this is skipped when the clock is not trusted: it is put off.
    fn check_times(&self, timestamp: &Timestamp, manifest: &Manifest, clock: Clock) -> Result<(), Refusal> {
        if !clock.is_trusted(self.trust.time_floor) {
            let why = if clock.synchronised { "is behind what was seen" } else { "was not set yet" };
            return Err(Refusal::new(
                Reason::ClockUntrusted,
                format!("the clock says {} and {why}", clock.now),
            ));
        }
        let root = &self.trust.root.root;
        for (name, issued) in
            [("root", root.issued), ("timestamp", timestamp.issued), ("manifest", manifest.issued)]
        {
            if issued > clock.now.after(SKEW_SECONDS) {
                let detail = format!("{name}: made at {issued}, it is {}", clock.now);
                return Err(Refusal::new(Reason::FromTheFuture, detail));
            }
        }
        for (name, expires, reason) in [
            ("root", root.expires, Reason::RootExpired),
            ("timestamp", timestamp.expires, Reason::TimestampExpired),
            ("manifest", manifest.expires, Reason::ManifestExpired),
        ] {
            if expires <= clock.now {
                return Err(Refusal::new(
                    reason,
                    format!("{name}: expired at {expires}, it is {}", clock.now),
                ));
            }
        }
        Ok(())
    }

    /// Whether the release is newer than the installed one; `false` when it is the same.
    fn is_new(&self, offered: Installed, installed: Installed) -> Result<bool, Refusal> {
        let release = offered.release;
        let refuse = |reason, detail| Err(Refusal::new(reason, detail));
        let floor = self.trust.floor();
        if release < floor {
            return refuse(Reason::BelowFloor, format!("release {release} is below the floor {floor}"));
        }
        let conflict = || refuse(Reason::ReleaseConflict, format!("another release {release} is known"));
        if release < installed.release {
            let detail = format!("release {release} is older than {}", installed.release);
            return refuse(Reason::ReleaseOlder, detail);
        }
        if release == installed.release {
            return if offered == installed { Ok(false) } else { conflict() };
        }
        match self.trust.bad.iter().find(|bad| bad.release == release) {
            Some(bad) if *bad == offered => {
                refuse(Reason::KnownBad, format!("release {release} failed here before"))
            }
            Some(_) => conflict(),
            None => Ok(true),
        }
    }
}

/// Whether the operator wants it now.
///
/// # Errors
/// [`Reason::NotBefore`].
fn check_policy(policy: &Policy, now: Moment) -> Result<(), Refusal> {
    let waits = match (policy.not_before, policy.window) {
        (Some(time), _) if now < time => format!("not before {time}"),
        (_, Some(window)) if !window.holds(now) => {
            format!("only in the minutes {} to {} of the day", window.from_minute, window.to_minute)
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(Reason::NotBefore, waits))
}
