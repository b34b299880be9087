//! Where rows are written to: one table of one schema, in one of three forms.

use std::io::{self, Write};

use super::csv::Csv;
use super::jsonl::Jsonl;
#[cfg(feature = "parquet")]
use super::parquet::Parquet;
use super::schema::Column;
use super::target::Labelled;
use super::{Cell, Rows};
use crate::features::schema::SchemaHash;
use crate::label::LabelId;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Comma-separated values: a comment line with the schema, a header, the rows.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet, with the schema among its key-value metadata. Only in builds with the feature `parquet`.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// A table: its schema as the output tells it, and all columns, those of the labels among them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Name of the schema.
    pub schema: &'static str,
    /// Its version.
    pub version: u16,
    /// Its hash, which covers neither the label's columns nor those that say what a row of ours is about.
    pub hash: SchemaHash,
    /// What else the rows depend on, such as `window_ms`.
    pub parameters: Vec<(&'static str, u64)>,
    /// The columns.
    pub columns: Vec<Column>,
}

/// Octets after which what was formatted is written out.
const BATCH: usize = 64 << 10;

/// Text on its way out, in large pieces.
pub(super) struct Lines<W> {
    out: W,
    pub(super) buffer: Vec<u8>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, buffer: Vec::with_capacity(2 * BATCH) }
    }

    /// A line is complete.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() < BATCH {
            return Ok(());
        }
        self.drain()
    }

    fn drain(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.out.flush()
    }
}

/// The forms.
enum Form<W: Write + Send> {
    Csv(Csv<W>),
    Jsonl(Jsonl<W>),
    #[cfg(feature = "parquet")]
    Parquet(Box<Parquet<W>>),
}

/// Writes one table. After an error nothing more is written; [`Writer::finish`] gives it.
pub struct Writer<W: Write + Send> {
    form: Form<W>,
    labelled: Option<Labelled>,
    rows: u64,
    outcome: io::Result<()>,
}

impl<W: Write + Send> Writer<W> {
    /// Writes the head of `table` to `out`. With labels, their columns follow those of the table.
    ///
    /// # Errors
    /// The head could not be written.
    pub fn new(out: W, mut table: Table, format: Format, labelled: Option<Labelled>) -> io::Result<Self> {
        table.columns.extend(labelled.iter().flat_map(Labelled::columns));
        let form = match format {
            Format::Csv => Form::Csv(Csv::new(out, &table)?),
            Format::Jsonl => Form::Jsonl(Jsonl::new(out, &table)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Form::Parquet(Box::new(Parquet::new(out, &table)?)),
        };
        Ok(Self { form, labelled, rows: 0, outcome: Ok(()) })
    }

    /// How many rows were given.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether writing goes on.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Writes out what is buffered, as far as the form can.
    pub fn flush(&mut self) {
        if self.outcome.is_ok() {
            self.outcome = match &mut self.form {
                Form::Csv(csv) => csv.lines.flush(),
                Form::Jsonl(jsonl) => jsonl.lines.flush(),
                // A row group is as long as it has to be.
                #[cfg(feature = "parquet")]
                Form::Parquet(_) => Ok(()),
            };
        }
    }

    /// Ends the table.
    ///
    /// # Errors
    /// Something could not be written, now or before.
    pub fn finish(self) -> io::Result<()> {
        self.outcome?;
        match self.form {
            Form::Csv(mut csv) => csv.lines.flush(),
            Form::Jsonl(mut jsonl) => jsonl.lines.flush(),
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => parquet.finish(),
        }
    }
}

impl<W: Write + Send> Rows for Writer<W> {
    fn row(&mut self, cells: &[Cell<'_>], label: Option<LabelId>) {
        if self.outcome.is_err() {
            return;
        }
        self.rows += 1;
        let mut labels = [Cell::Empty; 3];
        let mut count = 0;
        if let Some(labelled) = &self.labelled {
            (labels, count) = (labelled.cells(label), labelled.columns().len());
        }
        let labels = labels.get(..count).unwrap_or_default();
        self.outcome = match &mut self.form {
            Form::Csv(csv) => csv.row(cells, labels),
            Form::Jsonl(jsonl) => jsonl.row(cells, labels),
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => parquet.row(cells, labels),
        };
    }
}
