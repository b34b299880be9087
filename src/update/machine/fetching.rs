//! The part of the machine that fetches: by HTTPS or in blocks over the broker, to the complete file on the disk.

use super::download::{BLOCK_BYTES, Download, Next};
use super::updater::{Action, At, Outcome, Phase, Updater, refusal, target};
use crate::update::compat::Ways;
use crate::update::document::{State, Transport};
use crate::update::reason::{Reason, Refusal};
use crate::update::slots::Files;
use crate::update::trust::Offer;

/// What failed for want of an answer, of room or of a working disk is tried again after this time, in milliseconds.
pub(super) const RETRY_MS: u64 = 3_600_000;

impl<F: Files> Updater<F> {
    pub(super) fn begin(&mut self, offer: Offer, message: &[u8], at: At, actions: &mut Vec<Action>) {
        if let Phase::Downloading(download) = &mut self.phase
            && download.offer.sha256 == offer.sha256
        {
            self.outcome.request = Some(offer.request);
            // Kept for another try, as the message was that began it.
            self.waiting = Some((u64::MAX, message.to_vec()));
            return actions.push(Action::Report);
        }
        self.phase = Phase::Idle;
        let request = Some(offer.request.clone());
        let Ways { blocks, https } = self.device.ways;
        let ways = Ways {
            blocks: blocks && offer.policy.transport != Transport::Https,
            https: https
                && offer.policy.transport != Transport::Mqtt
                && !offer.manifest.artifact.urls.is_empty(),
        };
        if !ways.blocks && !ways.https {
            let refusal = Refusal::new(Reason::NoTransport, "it cannot be fetched here in the way it may be");
            return self.refuse(request, refusal, message, at, actions);
        }
        match self.store.begin(&offer, BLOCK_BYTES) {
            Ok(fetching) => {
                let target = Some(target(&offer.manifest));
                self.outcome = Outcome { target, request, ..Outcome::NONE };
                let download = Box::new(Download::new(offer, fetching, ways));
                self.enter(State::Downloading, Phase::Downloading(download), actions);
                // Kept for another try, should nobody answer.
                self.waiting = Some((u64::MAX, message.to_vec()));
                self.pull(at, actions);
            }
            Err(fault) => self.refuse(request, refusal(&fault), message, at, actions),
        }
    }

    pub(super) fn block(
        &mut self,
        transfer: &str,
        index: u32,
        octets: &[u8],
        at: At,
        actions: &mut Vec<Action>,
    ) {
        let Phase::Downloading(download) = &mut self.phase else {
            *self.dropped.entry(Reason::ForeignTransfer).or_default() += 1;
            return;
        };
        if let Err(reason) = download.wants(transfer, index, octets.len()) {
            *self.dropped.entry(reason).or_default() += 1;
            return;
        }
        match self.store.put(&mut download.fetching, index, octets) {
            Ok(()) => {
                download.took(index, at.uptime_ms);
                actions.push(Action::Report);
                self.pull(at, actions);
            }
            Err(fault) => self.stop_download(refusal(&fault), at, actions),
        }
    }

    /// Asks for what is missing, or goes on when nothing is.
    pub(super) fn pull(&mut self, at: At, actions: &mut Vec<Action>) {
        let Phase::Downloading(download) = &mut self.phase else { return };
        match download.next(at.uptime_ms) {
            Next::Wait => {}
            Next::Ask(get) if download.by_https => actions.push(Action::Fetch(download.fetch(get))),
            Next::Ask(get) => actions.push(Action::Ask(get)),
            Next::GiveUp => {
                let refusal = Refusal::new(Reason::DownloadTimeout, "the blocks asked for do not come");
                self.stop_download(refusal, at, actions);
            }
            Next::Complete => {
                let offer = download.offer.clone();
                match self.store.stage(&offer) {
                    Ok(place) => {
                        self.waiting = None;
                        let manifest = self.narrowed(Box::new(offer.manifest));
                        self.enter(State::Staged, Phase::SelfTest(manifest), actions);
                        self.outcome.state = State::SelfTest;
                        actions.extend([Action::SelfTest(place), Action::Report]);
                    }
                    Err(fault) => self.stop_download(refusal(&fault), at, actions),
                }
            }
        }
    }

    pub(super) fn not_fetched(
        &mut self,
        transfer: &str,
        refusal: &Refusal,
        at: At,
        actions: &mut Vec<Action>,
    ) {
        let Phase::Downloading(download) = &mut self.phase else { return };
        if transfer != download.transfer || !download.by_https {
            return;
        }
        if download.take_other_way() {
            self.pull(at, actions);
        } else {
            let refusal = Refusal::new(Reason::DownloadTimeout, refusal.to_string());
            self.stop_download(refusal, at, actions);
        }
    }

    /// Ends a transfer. What is on the disk is kept where another try may go on with it.
    fn stop_download(&mut self, refusal: Refusal, at: At, actions: &mut Vec<Action>) {
        if refusal.reason != Reason::DownloadTimeout {
            // A failing disk may refuse this too; the next transfer begins with it.
            let _ = self.store.discard();
        }
        if let Some((due, _)) = &mut self.waiting {
            *due = at.uptime_ms.saturating_add(RETRY_MS);
        }
        self.finish(State::Failed, Some(refusal), actions);
    }
}
