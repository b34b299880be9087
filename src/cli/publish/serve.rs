//! The blocks of a model for those who ask: in turn, and no faster than allowed.

use std::collections::{BTreeMap, VecDeque};

use crate::update::digest::Digest;
use crate::update::document::Get;

/// Sensors whose requests are kept, at most.
const MAX_SENSORS: usize = 4096;

/// A block that is due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Due {
    pub(super) sensor: String,
    pub(super) transfer: String,
    pub(super) index: u32,
    pub(super) octets: Vec<u8>,
}

/// Answers requests for the blocks of one model.
#[derive(Debug)]
pub(super) struct Blocks {
    model: Vec<u8>,
    sha256: Digest,
    /// What each sensor asked for last and has not got.
    asked: BTreeMap<String, Get>,
    /// Whose turn it is.
    turns: VecDeque<String>,
    bucket: Bucket,
    /// Blocks sent.
    pub(super) sent: u64,
    /// Requests for something else.
    pub(super) foreign: u64,
}

/// Octets that may be sent.
#[derive(Debug)]
struct Bucket {
    /// Octets a second, and at most at once.
    rate: u64,
    level: u64,
    filled_ms: u64,
}

impl Bucket {
    /// Whether so many octets may be sent now.
    fn take(&mut self, octets: u64, now_ms: u64) -> bool {
        let gained = now_ms.saturating_sub(self.filled_ms).saturating_mul(self.rate) / 1000;
        if gained > 0 {
            self.level = self.level.saturating_add(gained).min(self.rate);
            self.filled_ms = now_ms;
        }
        // A block larger than the bucket passes a full one.
        let fits = self.level >= octets.min(self.rate);
        if fits {
            self.level = self.level.saturating_sub(octets);
        }
        fits
    }
}

impl Blocks {
    /// Of `model`, at most `rate` octets a second.
    pub(super) fn new(model: Vec<u8>, rate: u64) -> Self {
        let sha256 = Digest::of(&model);
        let bucket = Bucket { rate, level: rate, filled_ms: 0 };
        Self { model, sha256, asked: BTreeMap::new(), turns: VecDeque::new(), bucket, sent: 0, foreign: 0 }
    }

    /// A sensor asks; a newer request takes the place of an older one.
    pub(super) fn ask(&mut self, sensor: &str, message: &[u8]) {
        let get = Get::read(message).ok().filter(|get| get.sha256 == self.sha256);
        let Some(get) = get.filter(|_| self.asked.len() < MAX_SENSORS || self.asked.contains_key(sensor))
        else {
            self.foreign += 1;
            return;
        };
        if self.asked.insert(sensor.to_owned(), get).is_none() {
            self.turns.push_back(sensor.to_owned());
        }
    }

    /// The next block, if one is due; to be given back by [`Self::back`] when it could not be sent.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<Due> {
        loop {
            let sensor = self.turns.front()?.clone();
            let wanted = self.asked.get_mut(&sensor).filter(|get| !get.blocks.is_empty());
            let Some(get) = wanted else {
                self.turns.pop_front();
                self.asked.remove(&sensor);
                continue;
            };
            let index = *get.blocks.first()?;
            let size = u64::from(get.block_size);
            let from = usize::try_from(u64::from(index) * size).unwrap_or(usize::MAX);
            let to = from.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)).min(self.model.len());
            let Some(octets) = self.model.get(from..to).filter(|octets| !octets.is_empty()) else {
                get.blocks.remove(0);
                self.foreign += 1;
                continue;
            };
            if !self.bucket.take(octets.len() as u64, now_ms) {
                return None;
            }
            let due = Due {
                sensor: sensor.clone(),
                transfer: get.transfer.clone(),
                index,
                octets: octets.to_vec(),
            };
            get.blocks.remove(0);
            self.turns.rotate_left(1);
            self.sent += 1;
            return Some(due);
        }
    }

    /// A block found no room: it is due again.
    pub(super) fn back(&mut self, due: &Due) {
        self.sent -= 1;
        if let Some(get) = self.asked.get_mut(&due.sensor).filter(|get| get.transfer == due.transfer) {
            get.blocks.insert(0, due.index);
        }
    }

    /// Whether somebody waits.
    pub(super) fn is_asked(&self) -> bool {
        !self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(model: &[u8], blocks: &[u32]) -> Vec<u8> {
        let sha256 = Digest::of(model);
        let transfer = sha256.to_string()[..16].to_owned();
        let schema = Get::SCHEMA.to_owned();
        serde_json::to_vec(&Get { schema, transfer, sha256, block_size: 4096, blocks: blocks.to_vec() })
            .unwrap()
    }

    fn order(blocks: &mut Blocks, now_ms: u64) -> Vec<(String, u32, usize)> {
        std::iter::from_fn(|| blocks.next(now_ms))
            .map(|due| (due.sensor, due.index, due.octets.len()))
            .collect()
    }

    #[test]
    fn sensors_are_served_in_turn_and_the_last_block_is_shorter() {
        let model = vec![7; 10_000];
        let mut blocks = Blocks::new(model.clone(), 1 << 20);
        blocks.ask("a", &get(&model, &[0, 1, 2]));
        blocks.ask("b", &get(&model, &[2, 9]));
        let sensors = |list: &[(&str, u32, usize)]| -> Vec<(String, u32, usize)> {
            list.iter().map(|(sensor, index, length)| ((*sensor).to_owned(), *index, *length)).collect()
        };
        let expected = [("a", 0, 4096), ("b", 2, 1808), ("a", 1, 4096), ("a", 2, 1808)];
        assert_eq!(order(&mut blocks, 0), sensors(&expected));
        assert_eq!((blocks.sent, blocks.foreign, blocks.is_asked()), (4, 1, false));
    }

    #[test]
    fn other_models_and_nonsense_are_not_served() {
        let mut blocks = Blocks::new(vec![7; 10_000], 1 << 20);
        blocks.ask("a", &get(b"another", &[0]));
        blocks.ask("a", b"{}");
        assert!(!blocks.is_asked() && blocks.foreign == 2);
    }

    #[test]
    fn the_rate_holds_and_what_found_no_room_comes_again() {
        let model = vec![7; 20_000];
        let mut blocks = Blocks::new(model.clone(), 8192);
        blocks.ask("a", &get(&model, &[0, 1, 2, 3, 4]));
        assert_eq!(order(&mut blocks, 0).len(), 2);
        assert_eq!(order(&mut blocks, 499).len(), 0);
        assert_eq!(order(&mut blocks, 1000).len(), 1);
        let due = blocks.next(2000).unwrap();
        blocks.back(&due);
        assert_eq!(blocks.next(3000), Some(due));
        assert_eq!(blocks.sent, 4);
    }
}
