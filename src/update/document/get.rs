//! What a sensor asks for while it fetches a model over MQTT.

use serde::{Deserialize, Serialize};

use super::{is_line, read, rule};
use crate::update::MAX_MODEL_BYTES;
use crate::update::digest::Digest;
use crate::update::reason::Refusal;

/// Smallest block, in octets.
pub const MIN_BLOCK_BYTES: u32 = 4 << 10;
/// Largest block, in octets.
pub const MAX_BLOCK_BYTES: u32 = 64 << 10;
/// Blocks asked for at once, at most.
const MAX_BLOCKS: usize = 16;

/// The document on `update/get`. Each block comes back on `update/data/<transfer>/<index>`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// [`Get::SCHEMA`].
    pub schema: String,
    /// Names the transfer in the topics of the blocks.
    pub transfer: String,
    /// The digest of the model.
    pub sha256: Digest,
    /// Octets of a block; the last one may be shorter.
    pub block_size: u32,
    /// Which blocks, counted from 0.
    pub blocks: Vec<u32>,
}

impl Get {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "picket.update.get/1";
    /// Largest message read, in octets.
    pub const MAX_BYTES: usize = 1 << 10;

    /// Reads a request.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let get: Self = read("get", octets, Self::MAX_BYTES)?;
        rule(get.schema == Self::SCHEMA, "get: schema is not picket.update.get/1")?;
        let hexadecimal = |text: &str| text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        rule(is_line(&get.transfer, 16) && hexadecimal(&get.transfer), "get: transfer")?;
        rule((MIN_BLOCK_BYTES..=MAX_BLOCK_BYTES).contains(&get.block_size), "get: block_size")?;
        let in_range = |block: &u32| u64::from(*block) * u64::from(get.block_size) < MAX_MODEL_BYTES;
        let some = (1..=MAX_BLOCKS).contains(&get.blocks.len()) && get.blocks.iter().all(in_range);
        rule(some, "get: blocks")?;
        Ok(get)
    }
}
