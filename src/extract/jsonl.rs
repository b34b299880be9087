//! Rows as JSON objects, one a line.

use std::io::{self, Write};

use super::Cell;
use super::schema::Column;
use super::writer::{Lines, Table};

/// Writes rows as JSON lines.
pub(super) struct Jsonl<W> {
    pub(super) lines: Lines<W>,
    /// What every line begins with.
    head: Vec<u8>,
    columns: Vec<Column>,
    text: Vec<u8>,
}

impl<W: Write> Jsonl<W> {
    pub(super) fn new(out: W, table: &Table) -> Self {
        let Table { schema, version, hash, .. } = table;
        let mut head = format!("{{\"schema\":\"{schema}/{version}\",\"hash\":\"{hash}\"");
        for (name, value) in &table.parameters {
            head.push_str(&format!(",\"{name}\":{value}"));
        }
        let columns = table.columns.clone();
        Self { lines: Lines::new(out), head: head.into_bytes(), columns, text: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: &[Cell<'_>], labels: &[Cell<'_>]) -> io::Result<()> {
        let buffer = &mut self.lines.buffer;
        buffer.extend_from_slice(&self.head);
        for (column, cell) in self.columns.iter().zip(cells.iter().chain(labels)) {
            // Names of columns need no escaping.
            buffer.extend_from_slice(b",\"");
            buffer.extend_from_slice(column.name.as_bytes());
            buffer.extend_from_slice(b"\":");
            if *cell == Cell::Empty {
                buffer.extend_from_slice(b"null");
            } else if cell.is_number() {
                cell.write(buffer);
            } else {
                self.text.clear();
                cell.write(&mut self.text);
                let text = std::str::from_utf8(&self.text).unwrap_or_default();
                serde_json::to_writer(&mut *buffer, text)?;
            }
        }
        buffer.push(b'}');
        self.lines.end_line()
    }
}
