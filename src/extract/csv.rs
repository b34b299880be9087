//! Rows as comma-separated values (RFC 4180, with plain line feeds).

use std::io::{self, Write};

use super::Cell;
use super::writer::{Lines, Table};

/// Writes rows as CSV.
pub(super) struct Csv<W> {
    pub(super) lines: Lines<W>,
}

impl<W: Write> Csv<W> {
    /// Writes the comment line and the header.
    pub(super) fn new(out: W, table: &Table) -> io::Result<Self> {
        let mut lines = Lines::new(out);
        let Table { schema, version, hash, .. } = table;
        write!(lines.buffer, "# schema={schema}/{version} hash={hash}")?;
        for (name, value) in &table.parameters {
            write!(lines.buffer, " {name}={value}")?;
        }
        lines.end_line()?;
        for (i, column) in table.columns.iter().enumerate() {
            lines.buffer.extend_from_slice(if i > 0 { b"," } else { b"" });
            lines.buffer.extend_from_slice(column.name.as_bytes());
        }
        lines.end_line()?;
        Ok(Self { lines })
    }

    #[inline]
    pub(super) fn row(&mut self, cells: &[Cell<'_>], labels: &[Cell<'_>]) -> io::Result<()> {
        let buffer = &mut self.lines.buffer;
        let mut separate = false;
        for cell in cells.iter().chain(labels) {
            if separate {
                buffer.push(b',');
            }
            separate = true;
            let start = buffer.len();
            cell.write(buffer);
            if matches!(cell, Cell::Text(_)) {
                quote(buffer, start);
            }
        }
        self.lines.end_line()
    }
}

/// Quotes what stands in the buffer from `start` on, if it has to be.
fn quote(buffer: &mut Vec<u8>, start: usize) {
    let is_special = |octet: &u8| matches!(octet, b',' | b'"' | b'\n' | b'\r');
    if !buffer.get(start..).unwrap_or_default().iter().any(is_special) {
        return;
    }
    let text = buffer.split_off(start);
    buffer.push(b'"');
    for octet in text {
        if octet == b'"' {
            buffer.push(b'"');
        }
        buffer.push(octet);
    }
    buffer.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_where_it_has_to_be() {
        for (text, quoted) in
            [("MQTT", "MQTT"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), ("a\nb", "\"a\nb\"")]
        {
            let mut buffer = b"x,".to_vec();
            buffer.extend_from_slice(text.as_bytes());
            quote(&mut buffer, 2);
            assert_eq!(String::from_utf8(buffer).unwrap(), format!("x,{quoted}"));
        }
    }
}
