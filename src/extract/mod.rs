//! Feature schemas: what `picket extract` writes, row by row, and in which form.
//!
//! Beside our own schemas, which are also what models see, these are the schemas of published systems, computed as
//! those systems do, mistakes included, so that figures can be compared and their models be fed. They are tools for
//! captures: floating point, and memory that is taken at start or grows to a stated bound. [`schema`] is the one
//! place where names, order, units and quirks of the columns stand; `docs/features.md` is generated from it.
//!
//! A frame goes through an [`Extractor`], which gives rows of [`Cell`]s to [`Rows`]: a writer of CSV, JSON
//! lines or Parquet.

pub mod catalogue;
mod cell;
mod csv;
pub mod hindy;
mod ipv4;
mod jsonl;
mod kept;
mod mqtt_fields;
pub mod mqttset;
#[cfg(feature = "parquet")]
mod parquet;
pub mod picket;
pub mod schema;
mod seen;
pub mod siuru;
mod target;
mod writer;

pub use cell::Cell;
pub use target::{Labelled, Target};
pub use writer::{Format, Table, Writer};

use crate::frame::Frame;
use crate::label::{LabelId, Labeller};

/// Flows, hosts or streams that a schema keeps at once unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 65_536;

/// Takes the rows of one schema.
pub trait Rows {
    /// One row: a cell for each column of the schema, and the label of what it is about; `None` where it has none.
    fn row(&mut self, cells: &[Cell<'_>], label: Option<LabelId>);
}

/// Makes the rows of one schema from frames.
pub trait Extractor {
    /// Takes one frame of a capture in, which has this label; `labeller` is that of the capture.
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, labeller: Option<&Labeller>, rows: &mut dyn Rows);

    /// Gives out what is still held back; there are no more frames.
    fn finish(&mut self, _labeller: Option<&Labeller>, _rows: &mut dyn Rows) {}

    /// How many flows, hosts or streams were given up early because the table was full.
    fn evicted(&self) -> u64 {
        0
    }
}
