//! The rows of a schema over a capture, without the program around it.

use std::path::Path;

use picket::capture::{Event, FileSource, FrameSource as _};
use picket::extract::catalogue::{Entry, Options};
use picket::extract::{Format, Writer};
use picket::frame::Frame;
use picket::label::LabelId;

/// A table as text: its header, its rows, and how many entries had to go early.
pub struct Extracted {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub evicted: u64,
}

impl Extracted {
    /// The cells of one column.
    pub fn column(&self, name: &str) -> Vec<&str> {
        let place =
            self.header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no {name}"));
        self.rows.iter().map(|row| row[place].as_str()).collect()
    }
}

/// The rows of `schema` over some frames.
pub fn extract_frames(
    schema: &str,
    options: &Options,
    feed: impl FnOnce(&mut dyn FnMut(&Frame<'_>)),
) -> Extracted {
    let entry = Entry::find(schema).unwrap();
    let mut memory = None;
    let mut extractor = entry.extractor(options, &mut memory);
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, entry.table(options), Format::Csv, None).unwrap();
    feed(&mut |frame| extractor.frame(frame, LabelId::DEFAULT, None, &mut writer));
    extractor.finish(None, &mut writer);
    writer.finish().unwrap();
    let evicted = extractor.evicted();
    let text = String::from_utf8(out).unwrap();
    let (head, table) = text.split_once('\n').unwrap();
    assert!(head.starts_with(&format!("# schema={schema}/")), "{head}");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let header = texts(reader.headers().unwrap());
    let rows = reader.records().map(|record| texts(&record.unwrap())).collect();
    Extracted { header, rows, evicted }
}

/// The rows of `schema` over a capture file.
pub fn extract(schema: &str, options: &Options, path: &Path) -> Extracted {
    let mut source = FileSource::open(path, None).unwrap();
    extract_frames(schema, options, |take| {
        loop {
            match source.next_frame().unwrap() {
                Event::Frame(frame) => take(&frame),
                Event::Idle(_) | Event::Notice(_) => {}
                Event::End => break,
            }
        }
    })
}
