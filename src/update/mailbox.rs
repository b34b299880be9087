//! Between the thread that updates the model and those that carry messages: bounded both ways, nobody waits for room.
//!
//! Towards the device: what is desired, the newest message of each [`Origin`]; and blocks, only those of the transfer that was
//! asked for, each once. So a flood of foreign blocks takes no place and no time of the updating thread, and a sender can
//! neither fill the box nor push out what belongs there. What is dropped is counted by its reason.
//!
//! Away from the device: one place for each kind of message, where a newer one takes the place of an older one. A
//! transport that was away sees the present request and the present state, not a backlog.
//!
//! Blocks come by either transport in the same way: the HTTPS one answers a [`Fetch`] with the blocks that it names, by
//! ranges, and says [`Mailbox::not_fetched`] when it cannot. Windows, patience and resuming are the machine's alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::document::{Desired, Get, MAX_BLOCK_BYTES, Reported};
use super::reason::{Reason, Refusal};

/// Who says what is desired.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// `update/desired`: for this sensor alone.
    Sensor,
    /// `_fleet/update/<channel>`: for all that follow the channel.
    Channel,
}

/// What comes in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inbound {
    /// A message that says what is desired; an empty one takes what is under way back.
    Desired(Vec<u8>),
    /// A block that was asked for.
    Block {
        /// The transfer.
        transfer: String,
        /// Its number.
        index: u32,
        /// Its content.
        octets: Vec<u8>,
    },
    /// The blocks of this transfer cannot be had by HTTPS now.
    NotFetched {
        /// The transfer.
        transfer: String,
        /// Why.
        refusal: Refusal,
    },
}

/// A request for blocks over HTTPS, by ranges of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// The transfer, the size of a block, and which blocks.
    pub get: Get,
    /// Where the model lies, from the signed manifest; the first that answers will do.
    pub urls: Vec<String>,
    /// Octets of the model: the last block ends there.
    pub length: u64,
}

/// What goes out over the broker.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ToBroker {
    /// For `update/get`.
    pub get: Option<Get>,
    /// For `update/reported`, retained.
    pub reported: Option<Reported>,
}

impl ToBroker {
    const fn is_empty(&self) -> bool {
        self.get.is_none() && self.reported.is_none()
    }
}

#[derive(Debug, Default)]
struct Contents {
    desired: BTreeMap<Origin, Vec<u8>>,
    blocks: VecDeque<Inbound>,
    not_fetched: Option<(String, Refusal)>,
    /// The transfer under way and the blocks of it that were asked for and are not here.
    expected: Option<Get>,
    to_broker: ToBroker,
    fetch: Option<Fetch>,
    /// What was said last, for a broker that comes back.
    said: Option<Reported>,
    dropped: BTreeMap<Reason, u64>,
    is_rung: bool,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Inner {
    contents: Mutex<Contents>,
    /// Something for the updating thread.
    came: Condvar,
    /// Something for a transport.
    goes: Condvar,
}

/// The box; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Mailbox(Arc<Inner>);

impl Mailbox {
    /// An empty box.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // ---- the transports' side ------------------------------------------------------------------

    /// A message on a topic that says what is desired.
    pub fn desired(&self, origin: Origin, message: &[u8]) {
        // One octet more than may be is enough to be refused for.
        let kept = message.get(..=Desired::MAX_BYTES).unwrap_or(message);
        let mut contents = self.lock();
        if contents.desired.insert(origin, kept.to_vec()).is_some() {
            contents.drop_for(Reason::RateLimited);
        }
        self.0.came.notify_one();
    }

    /// A block; returns whether it was wanted. One that was not is counted and gone.
    #[allow(clippy::must_use_candidate, reason = "done for its effect, too")]
    pub fn block(&self, transfer: &str, index: u32, octets: &[u8]) -> bool {
        let mut contents = self.lock();
        let verdict = match &mut contents.expected {
            Some(get) if get.transfer == transfer => {
                let place = get.blocks.iter().position(|asked| *asked == index);
                let fits = octets.len() as u64 <= u64::from(get.block_size.min(MAX_BLOCK_BYTES));
                match place {
                    _ if !fits => Err(Reason::WrongBlock),
                    None => Err(Reason::UnwantedBlock),
                    Some(place) => {
                        get.blocks.swap_remove(place);
                        Ok(())
                    }
                }
            }
            _ => Err(Reason::ForeignTransfer),
        };
        match verdict {
            Ok(()) => {
                let (transfer, octets) = (transfer.to_owned(), octets.to_vec());
                contents.blocks.push_back(Inbound::Block { transfer, index, octets });
                self.0.came.notify_one();
            }
            Err(reason) => contents.drop_for(reason),
        }
        verdict.is_ok()
    }

    /// A request over HTTPS failed.
    pub fn not_fetched(&self, transfer: &str, refusal: Refusal) {
        let mut contents = self.lock();
        if contents.expected.as_ref().is_some_and(|get| get.transfer == transfer) {
            contents.not_fetched = Some((transfer.to_owned(), refusal));
            self.0.came.notify_one();
        }
    }

    /// The broker is there (again): what was said last is said again.
    pub fn connected(&self) {
        let mut contents = self.lock();
        if contents.to_broker.reported.is_none() {
            contents.to_broker.reported = contents.said.clone();
        }
        self.0.goes.notify_all();
    }

    /// What is to go out over the broker, once there is something; none after `patience`, or when the box is closed.
    #[must_use]
    pub fn for_broker(&self, patience: Duration) -> Option<ToBroker> {
        let mut contents = self.wait(&self.0.goes, patience, |contents| contents.to_broker.is_empty());
        Some(std::mem::take(&mut contents.to_broker)).filter(|to_broker| !to_broker.is_empty())
    }

    /// What is to be fetched over HTTPS, once there is something; none after `patience`, or when the box is closed.
    #[must_use]
    pub fn to_fetch(&self, patience: Duration) -> Option<Fetch> {
        self.wait(&self.0.goes, patience, |contents| contents.fetch.is_none()).fetch.take()
    }

    /// Whether the updating thread has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    // ---- the device's side ---------------------------------------------------------------------

    /// What came, once something is there; none after `patience`, or when somebody rang.
    #[must_use]
    pub fn receive(&self, patience: Duration) -> Option<Inbound> {
        let mut contents = self.wait(&self.0.came, patience, |contents| {
            contents.desired.is_empty()
                && contents.blocks.is_empty()
                && contents.not_fetched.is_none()
                && !contents.is_rung
        });
        contents.is_rung = false;
        let desired = contents.desired.pop_first().map(|(_, message)| Inbound::Desired(message));
        let block = |contents: &mut Contents| contents.blocks.pop_front();
        desired.or_else(|| block(&mut contents)).or_else(|| {
            let (transfer, refusal) = contents.not_fetched.take()?;
            Some(Inbound::NotFetched { transfer, refusal })
        })
    }

    /// Ends a wait in [`Mailbox::receive`]: there is something to do that does not come through here.
    pub fn ring(&self) {
        self.lock().is_rung = true;
        self.0.came.notify_one();
    }

    /// Asks for blocks over the broker.
    pub fn ask(&self, get: Get) {
        let mut contents = self.lock();
        contents.expect(&get);
        contents.fetch = None;
        contents.to_broker.get = Some(get);
        self.0.goes.notify_all();
    }

    /// Asks for blocks over HTTPS.
    pub fn fetch(&self, fetch: Fetch) {
        let mut contents = self.lock();
        contents.expect(&fetch.get);
        contents.to_broker.get = None;
        contents.fetch = Some(fetch);
        self.0.goes.notify_all();
    }

    /// No more blocks are wanted.
    pub fn expect_nothing(&self) {
        let mut contents = self.lock();
        contents.expected = None;
        contents.blocks.clear();
        contents.not_fetched = None;
        contents.fetch = None;
        contents.to_broker.get = None;
    }

    /// Says where the update is.
    pub fn report(&self, reported: Reported) {
        let mut contents = self.lock();
        contents.said = Some(reported.clone());
        contents.to_broker.reported = Some(reported);
        self.0.goes.notify_all();
    }

    /// What was dropped here, by reason.
    #[must_use]
    pub fn dropped(&self) -> BTreeMap<Reason, u64> {
        self.lock().dropped.clone()
    }

    /// Ends all waits; transports see it and end.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.0.goes.notify_all();
        self.0.came.notify_all();
    }

    fn wait(
        &self,
        bell: &Condvar,
        patience: Duration,
        is_quiet: impl Fn(&Contents) -> bool,
    ) -> MutexGuard<'_, Contents> {
        let quiet = |contents: &mut Contents| !contents.is_closed && is_quiet(contents);
        let (contents, _) =
            bell.wait_timeout_while(self.lock(), patience, quiet).unwrap_or_else(PoisonError::into_inner);
        contents
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // Nothing under this lock leaves the box half changed.
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn drop_for(&mut self, reason: Reason) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// From now on these blocks are taken. Those of the same transfer that wait are not asked for again by the machine
    /// before it has seen them; those of another one are of no use any more.
    fn expect(&mut self, get: &Get) {
        let is_of = |inbound: &Inbound| matches!(inbound, Inbound::Block { transfer, .. } if *transfer == get.transfer);
        self.blocks.retain(is_of);
        let mut expected = get.clone();
        let waits = |index: u32| {
            self.blocks.iter().any(|block| matches!(block, Inbound::Block { index: is, .. } if *is == index))
        };
        expected.blocks.retain(|index| !waits(*index));
        self.not_fetched = None;
        self.expected = Some(expected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::digest::Digest;

    const NOW: Duration = Duration::ZERO;

    fn get(transfer: &str, blocks: &[u32]) -> Get {
        Get {
            schema: Get::SCHEMA.to_owned(),
            transfer: transfer.to_owned(),
            sha256: Digest([7; 32]),
            block_size: 4096,
            blocks: blocks.to_vec(),
        }
    }

    #[test]
    fn only_blocks_that_were_asked_for_come_through_each_once() {
        let mailbox = Mailbox::new();
        assert!(!mailbox.block("aa", 0, b"early"));
        mailbox.ask(get("aa", &[3, 5]));
        assert_eq!(mailbox.for_broker(NOW).unwrap().get.unwrap().blocks, [3, 5]);
        assert!(!mailbox.block("bb", 3, b"foreign"));
        assert!(!mailbox.block("aa", 4, b"not asked for"));
        assert!(!mailbox.block("aa", 3, &[0; 4097]));
        assert!(mailbox.block("aa", 3, b"three"));
        assert!(!mailbox.block("aa", 3, b"again"));
        // Asked again because the machine was slow: what waits is not taken twice.
        mailbox.ask(get("aa", &[3, 5]));
        assert!(!mailbox.block("aa", 3, b"again") && mailbox.block("aa", 5, b"five"));
        let block = |index, octets: &[u8]| {
            Some(Inbound::Block { transfer: "aa".to_owned(), index, octets: octets.to_vec() })
        };
        assert_eq!(mailbox.receive(NOW), block(3, b"three"));
        assert_eq!(mailbox.receive(NOW), block(5, b"five"));
        assert_eq!(mailbox.receive(NOW), None);
        let counts = [(Reason::ForeignTransfer, 2), (Reason::WrongBlock, 1), (Reason::UnwantedBlock, 3)];
        assert_eq!(mailbox.dropped(), BTreeMap::from(counts));
        mailbox.expect_nothing();
        assert!(!mailbox.block("aa", 5, b"late"));
    }

    #[test]
    fn the_newest_message_of_each_origin_is_kept_and_a_huge_one_cut() {
        let mailbox = Mailbox::new();
        mailbox.desired(Origin::Channel, &vec![b'x'; 1 << 20]);
        mailbox.desired(Origin::Sensor, b"old");
        mailbox.desired(Origin::Sensor, b"new");
        assert_eq!(mailbox.receive(NOW), Some(Inbound::Desired(b"new".to_vec())));
        let Some(Inbound::Desired(huge)) = mailbox.receive(NOW) else { panic!("no message") };
        assert_eq!(huge.len(), Desired::MAX_BYTES + 1);
        assert_eq!(mailbox.dropped(), BTreeMap::from([(Reason::RateLimited, 1)]));
    }

    #[test]
    fn requests_replace_one_another_and_https_can_fail() {
        let mailbox = Mailbox::new();
        let fetch = Fetch { get: get("aa", &[0]), urls: vec!["https://a/m".to_owned()], length: 10 };
        mailbox.ask(get("aa", &[0]));
        mailbox.fetch(fetch.clone());
        assert_eq!(mailbox.for_broker(NOW), None);
        assert_eq!(mailbox.to_fetch(NOW), Some(fetch));
        assert_eq!(mailbox.to_fetch(NOW), None);
        let refusal = Refusal::new(Reason::NoTransport, "no answer");
        mailbox.not_fetched("bb", refusal.clone());
        assert_eq!(mailbox.receive(NOW), None);
        mailbox.not_fetched("aa", refusal.clone());
        let transfer = "aa".to_owned();
        assert_eq!(mailbox.receive(NOW), Some(Inbound::NotFetched { transfer, refusal }));
    }

    #[test]
    fn a_bell_and_the_end_wake_who_waits() {
        let long = Duration::from_secs(600);
        let mailbox = Mailbox::new();
        mailbox.ring();
        assert_eq!(mailbox.receive(long), None);
        let waits = {
            let mailbox = mailbox.clone();
            std::thread::spawn(move || (mailbox.to_fetch(long), mailbox.for_broker(long)))
        };
        mailbox.close();
        assert_eq!(waits.join().unwrap(), (None, None));
        assert!(mailbox.is_closed());
        assert_eq!(mailbox.receive(long), None);
    }
}
