//! The store over its files. Every change is one write of the state; what is in memory changes after the disk did.

use std::io;

use super::files::{Files, replace};
use super::state::{Pending, Place, Slot, State, from_file, to_file};
use super::transfer::{Blocks, Fetching, MAX_BITMAP, Record};
use crate::update::bundle::{self, Bundle, MAX_BUNDLE_BYTES};
use crate::update::digest::Digest;
use crate::update::document::Moment;
use crate::update::reason::{Reason, Refusal};
use crate::update::trust::{Installed, Offer, SignedRoot, Trust};

const STATE: &str = "state.json";
const COPY: &str = "state.bak";
const PART: &str = "part";
const TRANSFER: &str = "transfer";

/// Largest state file, in octets: a root and some numbers.
const MAX_STATE: u64 = 64 << 10;
/// Largest transfer file, in octets: a bitmap as JSON numbers.
const MAX_TRANSFER: u64 = 512 + 4 * MAX_BITMAP as u64;
/// Blocks after which what is on the disk is recorded.
const RECORD_EVERY: u32 = 16;
/// Room left beside two copies of the model, in octets.
const SPARE_ROOM: u64 = 256 << 10;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What was asked for is refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

impl Fault {
    /// The reason code.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Io(error) if is_full(error.kind()) => Reason::NoSpace,
            Self::Io(_) => Reason::InputOutput,
            Self::Refused(refusal) => refusal.reason,
        }
    }
}

const fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The model that is to be in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Running {
    /// Where it lies.
    pub place: Place,
    /// Which release it is.
    pub installed: Installed,
}

/// What was found at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// Both copies of the state were damaged or gone.
    pub state_lost: bool,
    /// A model that should run was damaged or below the floor, and another took its place.
    pub fell_back: bool,
    /// The pending release that was given up, and why.
    pub gave_up: Option<(u64, Reason)>,
    /// The operator's root file is another than before.
    pub new_anchor: bool,
}

/// The store.
#[derive(Debug)]
pub struct Store<F> {
    files: F,
    state: State,
    root: SignedRoot,
    record_every: u32,
}

impl<F: Files> Store<F> {
    /// Opens the store, and repairs what a power cut left behind. `anchor` is the root file that the operator put
    /// there, `built` when this program was built.
    ///
    /// What cannot be read counts as lost: there is always a model to run, the factory's at last.
    pub fn open(files: F, anchor: &SignedRoot, built: Moment) -> (Self, Opened) {
        let read = |name| files.read(name, MAX_STATE).ok().flatten();
        let copies = [STATE, COPY].map(|name| read(name).and_then(|octets| usable(&octets)));
        let existed = [STATE, COPY].iter().any(|name| read(name).is_some());
        let found = copies.into_iter().flatten().max_by_key(|(state, _)| state.generation);
        let mut opened = Opened { state_lost: existed && found.is_none(), ..Opened::default() };
        let (state, root) = found.unwrap_or_else(|| (State::new(anchor, built), anchor.clone()));
        let mut store = Self { files, state, root, record_every: RECORD_EVERY };
        // The repairs are written with the next change, or found necessary again.
        let mut next = store.state.clone();
        opened.new_anchor = take_anchor(&mut next, &mut store.root, anchor);
        next.time_floor = next.time_floor.max(built);
        if let Some(pending) = next.pending
            && let Some(reason) = store.why_not(&next, pending)
        {
            opened.gave_up = Some((next.installed(pending.place).release, reason));
            drop_pending(&mut next, reason != Reason::DigestMismatch);
        }
        opened.fell_back = store.choose(&mut next);
        if next != store.state && store.save(next.clone()).is_err() {
            // A disk that cannot be written must not decide what runs.
            store.state = next;
        }
        (store, opened)
    }

    /// The state.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Blocks between records, few enough for every power cut between them to be tried.
    #[cfg(test)]
    pub(super) const fn set_record_every(&mut self, blocks: u32) {
        self.record_every = blocks;
    }

    /// What is known of roots, releases and time.
    pub fn trust(&self) -> Trust {
        let bad = |bad: &super::state::Bad| Installed { release: bad.release, manifest: Some(bad.manifest) };
        Trust {
            root: self.root.clone(),
            seen: self.state.seen(),
            floor: self.state.floor,
            time_floor: self.state.time_floor,
            bad: self.state.bad.iter().map(bad).collect(),
        }
    }

    /// The model that is to be in use: the one on probation, or the one that is kept.
    pub fn running(&self) -> Running {
        let on_probation = self.state.pending.filter(|pending| pending.in_use).map(|pending| pending.place);
        let place = on_probation.unwrap_or(self.state.active);
        Running { place, installed: self.state.installed(place) }
    }

    /// The model that is kept: in use whatever becomes of the pending one.
    pub fn kept(&self) -> Running {
        let place = self.state.active;
        Running { place, installed: self.state.installed(place) }
    }

    /// The newest release that is here, tried or kept: what an offer is compared with.
    pub fn newest(&self) -> Installed {
        let place = self.state.pending.map_or(self.state.active, |pending| pending.place);
        self.state.installed(place)
    }

    /// The release in a slot, read from the disk and compared with what was written.
    ///
    /// # Errors
    /// It cannot be read, or is another.
    pub fn load(&self, place: Place) -> Result<Bundle, Fault> {
        let lost = || Refusal::new(Reason::DigestMismatch, "the slot does not hold what was written");
        let octets = self.slot_octets(&self.state, place).ok_or_else(lost)?;
        Ok(Bundle::read(&octets)?)
    }

    /// Keeps what was learned from a message: root, timestamp, time. A root may raise the floor above the model in
    /// use; returns whether another model is to run now.
    ///
    /// # Errors
    /// It could not be written; nothing is learned then.
    pub fn learn(&mut self, trust: &Trust) -> Result<bool, Fault> {
        let mut next = self.state.clone();
        let before = self.running();
        next.root.clone_from(&trust.root.envelope);
        next.timestamp = trust.seen.map(|seen| (seen.seq, seen.sha256, seen.issued));
        next.time_floor = next.time_floor.max(trust.time_floor);
        let root = std::mem::replace(&mut self.root, trust.root.clone());
        let floor = self.floor(&next);
        if next.pending.is_some_and(|pending| next.installed(pending.place).release < floor) {
            drop_pending(&mut next, true);
        }
        self.choose(&mut next);
        if next != self.state
            && let Err(error) = self.save(next)
        {
            self.root = root;
            return Err(error.into());
        }
        Ok(self.running() != before)
    }

    /// The time that is known to have passed, so that a clock without a battery can be caught lying.
    ///
    /// # Errors
    /// It could not be written.
    pub fn save_time(&mut self, now: Moment) -> Result<(), Fault> {
        if now > self.state.time_floor {
            let next = State { time_floor: now, ..self.state.clone() };
            self.save(next)?;
        }
        Ok(())
    }

    /// Begins to fetch `offer` in blocks of `block_size`, or goes on where it was left.
    ///
    /// # Errors
    /// There is not enough room, or it could not be written.
    pub fn begin(&mut self, offer: &Offer, block_size: u32) -> Result<Fetching, Fault> {
        let length = offer.manifest.artifact.length;
        let head = bundle::head(&offer.envelope, length)?;
        let offset = head.len() as u64;
        let resumed = self.recorded().and_then(|record| record.blocks(offer.sha256, length, block_size));
        if let Some(blocks) = resumed
            && self.files.read(PART, MAX_BUNDLE_BYTES)?.is_some_and(|part| part.starts_with(&head))
        {
            return Ok(Fetching { manifest: offer.sha256, blocks, offset, unrecorded: 0 });
        }
        self.discard()?;
        let needed = length.saturating_mul(2).saturating_add(SPARE_ROOM);
        let free = self.files.free()?;
        if free < needed {
            let detail = format!("{free} octets are free, {needed} are needed");
            return Err(Refusal::new(Reason::NoSpace, detail).into());
        }
        self.files.create(PART)?;
        self.files.write(PART, 0, &head)?;
        let blocks = Blocks::none(length, block_size);
        Ok(Fetching { manifest: offer.sha256, blocks, offset, unrecorded: 0 })
    }

    fn recorded(&self) -> Option<Record> {
        from_file(&self.files.read(TRANSFER, MAX_TRANSFER).ok()??)
    }

    /// Takes a block.
    ///
    /// # Errors
    /// It is none of this transfer, or it could not be written.
    pub fn put(&mut self, fetching: &mut Fetching, index: u32, octets: &[u8]) -> Result<(), Fault> {
        let Some((offset, length)) = fetching.blocks.place(index) else {
            return Err(Refusal::new(Reason::WrongBlock, format!("there is no block {index}")).into());
        };
        if octets.len() as u64 != length {
            let detail = format!("block {index} has {length} octets, {} came", octets.len());
            return Err(Refusal::new(Reason::WrongBlock, detail).into());
        }
        if fetching.blocks.has(index) {
            return Err(Refusal::new(Reason::UnwantedBlock, format!("block {index} is here already")).into());
        }
        self.files.write(PART, fetching.offset + offset, octets)?;
        fetching.blocks.set(index);
        fetching.unrecorded += 1;
        if fetching.unrecorded >= self.record_every && !fetching.blocks.is_complete() {
            self.files.sync(PART)?;
            replace(&mut self.files, TRANSFER, &to_file(&Record::of(fetching.manifest, &fetching.blocks))?)?;
            fetching.unrecorded = 0;
        }
        Ok(())
    }

    /// Throws away what was fetched.
    ///
    /// # Errors
    /// It could not be removed.
    pub fn discard(&mut self) -> Result<(), Fault> {
        self.files.remove(TRANSFER)?;
        self.files.remove(PART)?;
        Ok(self.files.sync_folder()?)
    }

    /// Puts a completely fetched release into the free slot, after reading it again from the disk.
    ///
    /// # Errors
    /// It is not the model that was signed (it is thrown away then), or it could not be written.
    pub fn stage(&mut self, offer: &Offer) -> Result<Place, Fault> {
        if self.state.pending.is_some_and(|pending| pending.in_use) {
            let detail = "a release is on probation, its slot is not free";
            return Err(Refusal::new(Reason::InputOutput, detail).into());
        }
        self.files.sync(PART)?;
        let octets = self.files.read(PART, MAX_BUNDLE_BYTES)?.unwrap_or_default();
        let fetched = Bundle::read(&octets).ok().filter(|bundle| bundle.sha256 == offer.sha256);
        let Some(bundle) = fetched else {
            self.discard()?;
            let detail = "what was fetched is not what was signed";
            return Err(Refusal::new(Reason::DigestMismatch, detail).into());
        };
        let place = self.state.active.other();
        let file = place.file().unwrap_or("A");
        // The rollback target is given up only now, and before its file is overwritten.
        if self.state.slot(place).is_some() || self.state.pending.is_some() {
            let mut next = self.state.clone();
            next.set_slot(place, None);
            next.previous = next.previous.filter(|previous| *previous != place);
            next.pending = None;
            self.save(next)?;
        }
        self.files.rename(PART, file)?;
        self.files.sync_folder()?;
        let mut next = self.state.clone();
        let Bundle { manifest, sha256, .. } = bundle;
        let slot = Slot {
            release: manifest.release,
            manifest: sha256,
            file: Digest::of(&octets),
            floor: manifest.floor,
        };
        next.set_slot(place, Some(slot));
        next.pending = Some(Pending { place, attempts_left: manifest.probation.attempts, in_use: false });
        self.save(next)?;
        // Of no use any more; it names a release that is here.
        let _ = self.files.remove(TRANSFER);
        Ok(place)
    }

    /// Counts an attempt, on the disk, before the pending model is loaded into this process. The process that ends
    /// with it leaves the count behind. Returns how many are left after this one.
    ///
    /// # Errors
    /// Nothing is pending, no attempt is left, or it could not be written; the model must not be loaded then.
    pub fn attempt(&mut self) -> Result<u8, Fault> {
        let mut next = self.state.clone();
        let pending = next.pending.as_mut().ok_or_else(nothing_pending)?;
        let Some(left) = pending.attempts_left.checked_sub(1) else {
            return Err(Refusal::new(Reason::ProbationCrashed, "no attempt is left").into());
        };
        pending.attempts_left = left;
        self.save(next)?;
        Ok(left)
    }

    /// Gives back the attempt of a process that ends in order.
    ///
    /// # Errors
    /// It could not be written.
    pub fn rest(&mut self) -> Result<(), Fault> {
        let mut next = self.state.clone();
        if let Some(pending) = next.pending.as_mut() {
            pending.attempts_left = pending.attempts_left.saturating_add(1);
            self.save(next)?;
        }
        Ok(())
    }

    /// Puts the pending model into use, on probation.
    ///
    /// # Errors
    /// Nothing is pending, or it could not be written.
    pub fn activate(&mut self) -> Result<Running, Fault> {
        let mut next = self.state.clone();
        next.pending.as_mut().ok_or_else(nothing_pending)?.in_use = true;
        self.save(next)?;
        Ok(self.running())
    }

    /// Keeps the model on probation. Only now the floor rises; the old model stays at hand.
    ///
    /// # Errors
    /// Nothing is on probation, or it could not be written.
    pub fn commit(&mut self) -> Result<Running, Fault> {
        let mut next = self.state.clone();
        let pending = next.pending.filter(|pending| pending.in_use).ok_or_else(nothing_pending)?;
        next.floor = next.slot(pending.place).map_or(next.floor, |slot| next.floor.max(slot.floor));
        next.previous = Some(next.active);
        next.active = pending.place;
        next.pending = None;
        self.save(next)?;
        Ok(self.running())
    }

    /// Gives the pending model up, and remembers it as one that failed. The old model is in use again.
    ///
    /// # Errors
    /// It could not be written. The attempts on the disk end it then.
    pub fn give_up(&mut self) -> Result<Running, Fault> {
        let mut next = self.state.clone();
        drop_pending(&mut next, true);
        self.save(next)?;
        Ok(self.running())
    }

    /// Drops the pending model, without holding it against it: the operator took it back, or this device failed.
    ///
    /// # Errors
    /// It could not be written.
    pub fn withdraw(&mut self) -> Result<Running, Fault> {
        let mut next = self.state.clone();
        drop_pending(&mut next, false);
        self.save(next)?;
        Ok(self.running())
    }

    /// Goes back to the model before, or to the factory's, and remembers the present one as one that failed.
    ///
    /// # Errors
    /// The factory's model is in use, or it could not be written.
    pub fn go_back(&mut self) -> Result<Running, Fault> {
        let mut next = self.state.clone();
        if next.pending.is_some() {
            drop_pending(&mut next, true);
        } else if next.active == Place::Factory {
            return Err(Refusal::new(Reason::RolledBack, "the factory's model is in use").into());
        } else {
            let active = next.active;
            next.remember_bad(active);
            next.set_slot(active, None);
            next.active = next.previous.take().unwrap_or(Place::Factory);
            self.choose(&mut next);
        }
        self.save(next)?;
        Ok(self.running())
    }

    /// The kept model cannot be loaded by this version: the one before takes its place, or the factory's. It is not held
    /// against the release, which another version may serve.
    ///
    /// # Errors
    /// It could not be written; in memory the other one is chosen all the same.
    pub fn fall_back(&mut self) -> Result<Running, Fault> {
        let mut next = self.state.clone();
        next.set_slot(next.active, None);
        next.active = next.previous.take().unwrap_or(Place::Factory);
        self.choose(&mut next);
        if let Err(error) = self.save(next.clone()) {
            self.state = next;
            return Err(error.into());
        }
        Ok(self.running())
    }

    /// Why a pending release cannot go on.
    fn why_not(&self, state: &State, pending: Pending) -> Option<Reason> {
        if pending.attempts_left == 0 {
            Some(Reason::ProbationCrashed)
        } else if state.installed(pending.place).release < self.floor(state) {
            Some(Reason::BelowFloor)
        } else if self.slot_octets(state, pending.place).is_none() {
            Some(Reason::DigestMismatch)
        } else {
            None
        }
    }

    fn floor(&self, state: &State) -> u64 {
        state.floor.max(self.root.root.floor)
    }

    /// Makes sure that the kept model can run: whole and not below the floor. Returns whether another took its place.
    fn choose(&self, state: &mut State) -> bool {
        let floor = self.floor(state);
        let can_run = |place: Place| {
            place == Place::Factory
                || state.installed(place).release >= floor && self.slot_octets(state, place).is_some()
        };
        if can_run(state.active) {
            return false;
        }
        let previous = state.previous.filter(|place| can_run(*place));
        state.set_slot(state.active, None);
        state.active = previous.unwrap_or(Place::Factory);
        state.previous = None;
        true
    }

    /// The file of a slot, when it is the one that was written.
    fn slot_octets(&self, state: &State, place: Place) -> Option<Vec<u8>> {
        let slot = state.slot(place)?;
        let octets = self.files.read(place.file()?, MAX_BUNDLE_BYTES).ok()??;
        (Digest::of(&octets) == slot.file).then_some(octets)
    }

    /// Writes the state, and only then believes it. The copy is a second chance against a damaged disk.
    fn save(&mut self, mut next: State) -> io::Result<()> {
        next.generation = self.state.generation + 1;
        let octets = to_file(&next)?;
        replace(&mut self.files, STATE, &octets)?;
        self.state = next;
        let _ = replace(&mut self.files, COPY, &octets);
        Ok(())
    }
}

/// A state and its root, when both are as they were written.
fn usable(octets: &[u8]) -> Option<(State, SignedRoot)> {
    let state: State = from_file(octets)?;
    let root = SignedRoot::from_envelope(&state.root).ok()?;
    Some((state, root))
}

/// A new root file of the operator takes the place of whatever was known: it may be the cure for lost keys.
fn take_anchor(state: &mut State, root: &mut SignedRoot, anchor: &SignedRoot) -> bool {
    let digest = Digest::of(&anchor.envelope.payload);
    if state.anchor == digest {
        return false;
    }
    // The floor that the old root set outlives it.
    state.floor = state.floor.max(root.root.floor);
    state.anchor = digest;
    state.root = anchor.envelope.clone();
    state.timestamp = None;
    *root = anchor.clone();
    true
}

fn drop_pending(state: &mut State, is_bad: bool) {
    let Some(pending) = state.pending.take() else { return };
    if is_bad {
        state.remember_bad(pending.place);
    }
    state.set_slot(pending.place, None);
}

fn nothing_pending() -> Refusal {
    Refusal::new(Reason::InputOutput, "no release is pending")
}
