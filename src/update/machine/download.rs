//! Pulling blocks: a window of requests, timeouts, and an end to patience.

use crate::update::compat::Ways;
use crate::update::document::{Get, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES};
use crate::update::mailbox::Fetch;
use crate::update::reason::Reason;
use crate::update::slots::Fetching;
use crate::update::trust::Offer;

/// Octets of a block: passes every broker's limit on packets.
pub const BLOCK_BYTES: u32 = 16 << 10;
const _: () = assert!(MIN_BLOCK_BYTES <= BLOCK_BYTES && BLOCK_BYTES <= MAX_BLOCK_BYTES);
/// Blocks asked for and not here yet, at most.
const WINDOW: usize = 4;
/// How long a block is waited for at first, in milliseconds; doubled with each try.
const PATIENCE_MS: u64 = 10_000;
/// Requests in a row without a block, until the transfer is put off.
const TRIES: u32 = 5;

/// A transfer.
#[derive(Clone, Debug)]
pub struct Download {
    /// What is fetched.
    pub offer: Offer,
    /// How far it is.
    pub fetching: Fetching,
    /// Names the transfer in topics.
    pub transfer: String,
    asked: Vec<u32>,
    /// When the last request went out, or the last block came.
    since_ms: u64,
    /// Requests since the last block.
    tries: u32,
    /// Whether blocks are asked for over HTTPS.
    pub(super) by_https: bool,
    /// Whether they may be asked for over the broker when that fails.
    has_other_way: bool,
}

/// What a transfer wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing but to wait.
    Wait,
    /// To ask for blocks.
    Ask(Get),
    /// All blocks are here.
    Complete,
    /// Nobody answers.
    GiveUp,
}

impl Download {
    /// A transfer in one of these ways; HTTPS first where there is a choice.
    pub(super) fn new(offer: Offer, fetching: Fetching, ways: Ways) -> Self {
        let transfer = offer.manifest.artifact.sha256.to_string().chars().take(16).collect();
        let (by_https, has_other_way) = (ways.https, ways.https && ways.blocks);
        Self { offer, fetching, transfer, asked: Vec::new(), since_ms: 0, tries: 0, by_https, has_other_way }
    }

    /// HTTPS failed: says whether there is another way, which is taken from now on.
    pub(super) fn take_other_way(&mut self) -> bool {
        let has = self.by_https && self.has_other_way;
        if has {
            self.by_https = false;
            self.asked.clear();
            self.tries = 0;
        }
        has
    }

    /// The request as one over HTTPS.
    pub(super) fn fetch(&self, get: Get) -> Fetch {
        let artifact = &self.offer.manifest.artifact;
        Fetch { get, urls: artifact.urls.clone(), length: artifact.length }
    }

    /// Whether a block may be taken, before anything of it is touched.
    pub(super) fn wants(&self, transfer: &str, index: u32, octets: usize) -> Result<(), Reason> {
        if transfer != self.transfer {
            return Err(Reason::ForeignTransfer);
        }
        match self.fetching.blocks.place(index) {
            Some((_, length)) if length == octets as u64 => {}
            _ => return Err(Reason::WrongBlock),
        }
        if self.asked.contains(&index) { Ok(()) } else { Err(Reason::UnwantedBlock) }
    }

    /// A block that was wanted is on the disk.
    pub(super) fn took(&mut self, index: u32, now_ms: u64) {
        self.asked.retain(|asked| *asked != index);
        (self.since_ms, self.tries) = (now_ms, 0);
    }

    /// What to do now.
    pub(super) fn next(&mut self, now_ms: u64) -> Next {
        if self.fetching.blocks.is_complete() {
            return Next::Complete;
        }
        let patience = PATIENCE_MS << self.tries.saturating_sub(1).min(TRIES);
        if self.asked.is_empty() {
            // The whole window came: the next one.
        } else if now_ms.saturating_sub(self.since_ms) < patience {
            return Next::Wait;
        } else if self.tries >= TRIES && !self.take_other_way() {
            return Next::GiveUp;
        }
        self.asked = self.fetching.blocks.missing().take(WINDOW).collect();
        self.since_ms = now_ms;
        self.tries += 1;
        Next::Ask(Get {
            schema: Get::SCHEMA.to_owned(),
            transfer: self.transfer.clone(),
            sha256: self.offer.manifest.artifact.sha256,
            block_size: self.fetching.blocks.size(),
            blocks: self.asked.clone(),
        })
    }
}
