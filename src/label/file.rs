//! From the text of a label file to rules; everything that is wrong, by key and line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::rule::{FilePattern, Net, Rule};
use super::time::{self, Moment};
use super::{BENIGN, LabelId, Labels};
use crate::capture::Filter;
use crate::config::{Fault, Faults, LineIndex, join, shorten, unknown};

/// Characters of the longest label.
const MAX_LABEL: usize = 64;

/// Link types that a filter must make sense for, one of them at least: Ethernet, Linux cooked, IP, 802.11 with and
/// without radiotap.
const LINKS: [u16; 5] = [1, 113, 101, 105, 127];

const TOP: &[&str] = &["default", "rule", "episode"];
const RULE: &[&str] = &["label", "attack", "file", "source", "destination", "from", "to", "filter"];
const EPISODE: &[&str] = &["class", "attack", "file", "source", "victim", "port", "start", "end", "count"];

/// Reads a label file.
pub(super) fn read(text: &str) -> Result<Labels, Vec<Fault>> {
    let mut reader = Reader {
        lines: LineIndex::new(text),
        faults: Faults::default(),
        labels: Labels { names: vec![BENIGN.to_owned()], rules: Vec::new() },
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map(|at| reader.lines.line(&at));
        reader.faults.push("", line, format!("not TOML: {}", error.message()));
    }
    if reader.faults.is_empty() {
        reader.document(document.get_ref());
    }
    if reader.faults.is_empty() { Ok(reader.labels) } else { Err(reader.faults.into_list()) }
}

/// A value of the file, with where it is.
type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

struct Reader {
    lines: LineIndex,
    faults: Faults,
    labels: Labels,
}

/// One table of the file, while it is read.
struct Section<'a, 'i> {
    path: String,
    at: Range<usize>,
    table: &'a DeTable<'i>,
}

impl Reader {
    fn fault(&mut self, key: &str, at: &Range<usize>, why: impl Into<String>) {
        let line = self.lines.line(at);
        self.faults.push(shorten(key), Some(line), why);
    }

    fn document(&mut self, table: &DeTable<'_>) {
        let top = Section { path: String::new(), at: 0..0, table };
        self.refuse_unknown(&top, TOP);
        if let Some(name) = self.label(&top, "default")
            && let Some(first) = self.labels.names.first_mut()
        {
            *first = name;
        }
        let mut sections = self.sections(table, "rule");
        let episodes = self.sections(table, "episode");
        sections.extend(episodes);
        // Rules and episodes together are tried in the order of the file.
        sections.sort_by_key(|(_, section)| section.at.start);
        for (kind, section) in sections {
            let rule = if kind == "rule" { self.rule(&section) } else { self.episode(&section) };
            let Some(rule) = rule else { continue };
            match self.labels.rules.last_mut() {
                Some(last) if last.is_same_attack(&rule) => last.sources.extend(rule.sources),
                _ => self.labels.rules.push(rule),
            }
        }
    }

    /// The tables of an array of them.
    fn sections<'a, 'i>(
        &mut self,
        table: &'a DeTable<'i>,
        kind: &'static str,
    ) -> Vec<(&'static str, Section<'a, 'i>)> {
        let Some(value) = table.get(kind) else { return Vec::new() };
        let array = value.get_ref().as_array();
        let tables = array.and_then(|array| {
            let table = |(at, entry): (usize, Value<'a, 'i>)| {
                let section = Section {
                    path: format!("{kind}[{}]", at + 1),
                    at: entry.span(),
                    table: entry.get_ref().as_table()?,
                };
                Some((kind, section))
            };
            array.iter().enumerate().map(table).collect()
        });
        tables.unwrap_or_else(|| {
            self.fault(kind, &value.span(), format!("is a list of sections: write [[{kind}]] above each"));
            Vec::new()
        })
    }

    fn refuse_unknown(&mut self, section: &Section<'_, '_>, known: &[&str]) {
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let why = unknown(name, known.iter().copied(), &section.path);
                self.fault(&join(&section.path, name), &key.span(), why);
            }
        }
    }

    fn rule(&mut self, section: &Section<'_, '_>) -> Option<Rule> {
        self.refuse_unknown(section, RULE);
        let label = self.required_label(section, "label")?;
        let rule = Rule {
            label,
            attack: self.label(section, "attack"),
            files: self.list(section, "file", file_pattern),
            sources: self.list(section, "source", str::parse),
            destinations: self.list(section, "destination", str::parse),
            from: self.moment(section, "from"),
            to: self.moment(section, "to"),
            filter: self.filter(section),
            episode: None,
        };
        self.in_order(section, &rule, ("from", "to"));
        if section.table.keys().all(|key| ["label", "attack"].contains(&key.get_ref().as_ref())) {
            let why = "does not say which packets; to label all others, write default = \"...\" at the top";
            self.fault(&section.path, &section.at, why);
        }
        Some(rule)
    }

    fn episode(&mut self, section: &Section<'_, '_>) -> Option<Rule> {
        self.refuse_unknown(section, EPISODE);
        for key in ["source", "start", "end"] {
            if section.table.get(key).is_none() {
                self.fault(&join(&section.path, key), &section.at, "is missing");
            }
        }
        let label = self.required_label(section, "class")?;
        // Whom it was done to is told, not asked: a packet belongs to an attack by its attacker and its time.
        let victims: Vec<Net> = self.list(section, "victim", str::parse);
        for key in ["port", "count"] {
            if let Some(value) = section.table.get(key).filter(|value| !value.get_ref().is_integer()) {
                self.fault(&join(&section.path, key), &value.span(), "must be a whole number");
            }
        }
        let rule = Rule {
            label,
            attack: self.label(section, "attack"),
            files: self.list(section, "file", file_pattern),
            sources: self.list(section, "source", str::parse),
            destinations: Vec::new(),
            from: self.moment(section, "start"),
            to: self.moment(section, "end"),
            filter: None,
            episode: Some(victims),
        };
        self.in_order(section, &rule, ("start", "end"));
        Some(rule)
    }

    /// A label, which must be there.
    fn required_label(&mut self, section: &Section<'_, '_>, key: &str) -> Option<LabelId> {
        if section.table.get(key).is_none() {
            self.fault(&join(&section.path, key), &section.at, "is missing");
        }
        let name = self.label(section, key)?;
        let id = self.labels.intern(name);
        if id.is_none() {
            self.fault(&join(&section.path, key), &section.at, "there are too many labels");
        }
        id
    }

    /// A name for a label or an attack.
    fn label(&mut self, section: &Section<'_, '_>, key: &str) -> Option<String> {
        let (name, at) = self.text(section, key)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > MAX_LABEL || !name.chars().all(plain) {
            let why =
                format!("must be 1 to {MAX_LABEL} letters, digits, `_`, `-` or `.`, such as mqtt_slow_dos");
            self.fault(&join(&section.path, key), &at, why);
            return None;
        }
        Some(name)
    }

    fn text(&mut self, section: &Section<'_, '_>, key: &str) -> Option<(String, Range<usize>)> {
        let value = section.table.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some((text.to_owned(), value.span())),
            None => {
                self.fault(&join(&section.path, key), &value.span(), "must be a text in quotes");
                None
            }
        }
    }

    /// A text or a list of texts, each read by `read`.
    fn list<T>(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(value) = section.table.get(key) else { return Vec::new() };
        let full = join(&section.path, key);
        let single = std::slice::from_ref(value);
        let entries = value.get_ref().as_array().map_or(single, |array| array.as_ref());
        if entries.is_empty() {
            self.fault(&full, &value.span(), "is an empty list, which nothing matches; leave the key away");
        }
        let mut found = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str().map(&read) {
                Some(Ok(one)) => found.push(one),
                Some(Err(why)) => self.fault(&full, &entry.span(), why),
                None => self.fault(&full, &entry.span(), "must be a text in quotes, or a list of them"),
            }
        }
        found
    }

    fn moment(&mut self, section: &Section<'_, '_>, key: &str) -> Option<Moment> {
        let value = section.table.get(key)?;
        let moment = match value.get_ref() {
            DeValue::String(text) => Moment::read(text),
            DeValue::Integer(number) if number.radix() == 10 => Moment::seconds(number.as_str()),
            DeValue::Float(number) => Moment::seconds(number.as_str()),
            DeValue::Datetime(datetime) => Moment::civil(*datetime),
            _ => None,
        };
        if moment.is_none() {
            self.fault(&join(&section.path, key), &value.span(), format!("must be {}", time::KIND));
        }
        moment
    }

    fn filter(&mut self, section: &Section<'_, '_>) -> Option<String> {
        let (expression, at) = self.text(section, "filter")?;
        let full = join(&section.path, "filter");
        let Some(mut filter) = Filter::new(Some(&expression)) else {
            self.fault(&full, &at, "is empty; leave the key away");
            return None;
        };
        let mut outcomes = LINKS.map(|link| filter.compile(link)).into_iter();
        // Of what it is wrong for, Ethernet's words are told.
        if let Some(Err(error)) = outcomes.next()
            && outcomes.all(|outcome| outcome.is_err())
        {
            self.fault(&full, &at, error.to_string());
            return None;
        }
        Some(expression)
    }

    /// Two moments of one kind must be in order.
    fn in_order(&mut self, section: &Section<'_, '_>, rule: &Rule, (from, to): (&str, &str)) {
        let wrong = match (rule.from, rule.to) {
            (Some(Moment::At(from)), Some(Moment::At(to))) => from > to,
            (Some(Moment::After(from)), Some(Moment::After(to))) => from > to,
            _ => false,
        };
        if wrong {
            let at = section.table.get(to).map_or(section.at.clone(), Spanned::span);
            self.fault(&join(&section.path, to), &at, format!("is before {from}"));
        }
    }
}

fn file_pattern(text: &str) -> Result<FilePattern, String> {
    FilePattern::new(text)
        .ok_or_else(|| "must be the end of a path, such as flood.pcap or captures/*.pcap".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        read(text).expect_err("not valid").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_labels_everything_benign() {
        let labels = read("").expect("valid");
        assert_eq!((labels.names(), labels.rules.len()), (&[BENIGN.to_owned()][..], 0));
    }

    #[test]
    fn rules_and_episodes_are_in_the_order_of_the_file() {
        let labels = read(
            "default = 'normal'\n\
             [[rule]]\nlabel = 'a'\nfilter = 'arp'\n\
             [[episode]]\nclass = 'b'\nsource = '10.0.0.1'\nstart = 1\nend = 2.5\n\
             [[rule]]\nlabel = 'normal'\nfile = ['x.pcap', 'y/*.pcap']\n\
             [[episode]]\nclass = 'a'\nattack = 'A3'\nsource = ['fe80::1', 'fe80::2']\nvictim = '10.0.0.2'\nport = 1883\n\
             start = 2026-11-21T09:30:00Z\nend = '2026-11-21T09:30:01Z'\ncount = 7\n",
        )
        .expect("valid");
        assert_eq!(labels.names(), ["normal", "a", "b"]);
        let found: Vec<_> = labels.rules.iter().map(|rule| labels.name(rule.label)).collect();
        assert_eq!(found, ["a", "b", "normal", "a"]);
        let last = labels.rules.last().expect("four rules");
        assert_eq!((last.attack.as_deref(), last.sources.len(), last.destinations.len()), (Some("A3"), 2, 0));
        assert_eq!(last.from, Moment::seconds("1795253400"));
    }

    #[test]
    fn an_attack_that_seems_to_come_from_several_addresses_is_one() {
        let one = |source: &str, start: &str| {
            format!(
                "[[episode]]\nclass = 'a'\nsource = '{source}'\nvictim = '10.0.0.9'\nstart = {start}\nend = 9\n"
            )
        };
        let text = [one("10.0.0.1", "1"), one("10.0.0.2", "1.0"), one("10.0.0.3", "2")].concat();
        let labels = read(&text).expect("valid");
        let sources: Vec<_> = labels.rules.iter().map(Rule::source_names).collect();
        assert_eq!(sources, ["10.0.0.1, 10.0.0.2", "10.0.0.3"]);
    }

    #[test]
    fn every_fault_is_told_by_key_and_line() {
        let found = faults(
            "defualt = 'x'\nepisode = 3\n\
             [[rule]]\nlabel = 'a b'\n\
             [[rule]]\nlabel = 'a'\nsource = '10.0.0.300'\nfilter = 'tcp prt 1'\nfrom = 'noon'\nfile = []\ncolour = 1\n\
             [[rule]]\nfrom = 10\nto = 9\n\
             [[rule]]\nlabel = 'a'\n\
             [[rule]]\nlabel = 'a'\nfrom = '+10'\nto = '+9'\n",
        );
        let expected = [
            "defualt (line 1): no such section or key; did you mean default?",
            "episode (line 2): is a list of sections: write [[episode]] above each",
            "rule[1].label (line 4): must be 1 to 64 letters",
            "rule[2].source (line 7): must be an address such as 10.0.0.5",
            "rule[2].filter (line 8): bad capture filter \"tcp prt 1\"",
            "rule[2].from (line 9): must be seconds since 1970",
            "rule[2].file (line 10): is an empty list",
            "rule[2].colour (line 11): no such key",
            "rule[3].label (line 12): is missing",
            "rule[4] (line 15): does not say which packets",
            "rule[5].to (line 20): is before from",
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\nnot {expected}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    }

    #[test]
    fn an_episode_says_who_and_when() {
        let found = faults("[[episode]]\nclass = 'a'\nport = 'x'\nsource = 5\nstart = -1\nend = true\n");
        assert_eq!(found.len(), 4, "{found:#?}");
        assert_eq!(faults("[[episode]]\n").len(), 4);
    }

    #[test]
    fn a_filter_for_another_link_is_a_filter() {
        assert!(read("[[rule]]\nlabel = 'a'\nfilter = 'wlan type mgt'\n").is_ok());
        assert!(faults("x = ").iter().all(|fault| fault.starts_with("line 1: not TOML")));
    }
}
