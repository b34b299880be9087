//! From text to [`RawConfig`]: syntax, unknown keys, and on which line a key is.

use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::raw::RawConfig;

/// A key longer than this gets no spelling suggestion (the comparison is quadratic).
const LONGEST_SUGGESTED: usize = 40;
/// Bytes of an unknown key shown in a fault.
const SHOWN_KEY: usize = 60;

/// The lines of the keys that a text has.
#[derive(Default, Debug)]
pub(super) struct Lines {
    keys: Vec<(String, usize)>,
}

impl Lines {
    /// Notes where `key` is.
    pub(super) fn note(&mut self, key: String, line: usize) {
        self.keys.push((key, line));
    }

    /// The line of `key` (sections joined by dots), counted from 1; `None` where it is not written.
    pub(super) fn of(&self, key: &str) -> Option<usize> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, line)| *line)
    }
}

/// Reads `text`. Syntax errors and unknown keys go to `faults`; what remains is returned.
///
/// `known` holds every section and key that there is.
pub(super) fn read(text: &str, known: &toml::Table, faults: &mut Faults) -> (RawConfig, Lines) {
    let (mut document, errors) = DeTable::parse_recoverable(text);
    let lines = LineIndex::new(text);
    if !errors.is_empty() {
        for error in errors {
            faults.push("", error.span().map(|at| lines.line(&at)), format!("not TOML: {}", error.message()));
        }
        return Default::default();
    }
    let mut found = Lines::default();
    keep_known(document.get_mut(), known, "", &lines, &mut found, faults);
    match RawConfig::deserialize(toml::Deserializer::from(document)) {
        Ok(raw) => (raw, found),
        Err(error) => {
            // Kinds are checked key by key and unknown keys are gone, so this is a value that the TOML
            // reader itself will not take.
            faults.push("", error.span().map(|at| lines.line(&at)), error.message());
            Default::default()
        }
    }
}

/// Notes where the known keys of `table` are; takes the others out and reports them.
fn keep_known(
    table: &mut DeTable<'_>,
    known: &toml::Table,
    path: &str,
    lines: &LineIndex,
    found: &mut Lines,
    faults: &mut Faults,
) {
    for (key, mut value) in std::mem::take(table) {
        let name = key.get_ref().as_ref();
        let full = join(path, name);
        let line = lines.line(&key.span());
        match (known.get(name), value.get_mut()) {
            (Some(toml::Value::Table(section)), DeValue::Table(inner)) => {
                keep_known(inner, section, &full, lines, found, faults);
                table.insert(key, value);
            }
            (Some(toml::Value::Table(_)), _) => {
                let why = format!("is a section: write [{full}] on a line of its own");
                faults.push(full, Some(line), why);
            }
            (Some(_), _) => {
                found.note(full, line);
                table.insert(key, value);
            }
            (None, _) => {
                faults.push(
                    shorten(&full),
                    Some(line),
                    unknown(name, known.keys().map(String::as_str), path),
                );
            }
        }
    }
}

/// The full key of `name` in the section `path`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A name of a stranger's making, cut to a length that fits a line.
pub(crate) fn shorten(key: &str) -> String {
    match key.char_indices().nth(SHOWN_KEY) {
        Some((end, _)) => format!("{}...", key.get(..end).unwrap_or_default()),
        None => key.to_owned(),
    }
}

/// What to say of an unknown key, with the nearest name that exists.
pub(crate) fn unknown<'k>(name: &str, known: impl Iterator<Item = &'k str>, path: &str) -> String {
    let what = if path.is_empty() { "no such section or key" } else { "no such key" };
    let nearest = (name.len() <= LONGEST_SUGGESTED)
        .then(|| {
            let wanted = name.to_ascii_lowercase().replace('_', "-");
            known
                .map(|candidate| (strsim::damerau_levenshtein(&wanted, candidate), candidate))
                .min()
                .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        })
        .flatten();
    nearest.map_or_else(|| what.to_owned(), |(_, name)| format!("{what}; did you mean {name}?"))
}

/// Where the lines of a text begin.
pub(crate) struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        Self { starts: text.match_indices('\n').map(|(at, _)| at + 1).collect() }
    }

    /// The line that a span begins on, counted from 1.
    pub(crate) fn line(&self, at: &Range<usize>) -> usize {
        self.starts.partition_point(|start| *start <= at.start) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = LineIndex::new("a\nbb\n\nc");
        assert_eq!([0, 1, 2, 4, 5, 6].map(|at| lines.line(&(at..at))), [1, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known: toml::Table = toml::from_str("snaplen = 1\nbuffer-mib = 2").expect("TOML");
        let unknown = |name: &str| unknown(name, known.keys().map(String::as_str), "capture");
        assert_eq!(unknown("snaplan"), "no such key; did you mean snaplen?");
        assert_eq!(unknown("buffer_mib"), "no such key; did you mean buffer-mib?");
        assert_eq!(unknown("colour"), "no such key");
        assert_eq!(unknown(&"s".repeat(100_000)), "no such key");
    }
}
