//! The same configuration in OpenWrt's own form, UCI: `/etc/config/picket`, as `uci` and LuCI write it.
//!
//! ```text
//! config capture
//!     list interfaces 'br-lan'
//!     option buffer_mib '8'
//!
//! config rules_slow_dos
//!     option sessions '20'
//! ```
//!
//! A section's type is the name of a section here, an option's name that of a key, both with `_` in place of `-` and of the dot of a
//! nested section. Values are texts, read as the kind the key takes. Sections of the type `service` are the init
//! script's. The grammar is that of libuci's `file.c`: words may be bare, in single or in double quotes, and quotes may touch; a `#` where a
//! word could begin starts a comment.

use serde::Deserialize;
use toml::{Table, Value};

use super::document::{Lines, join, shorten, unknown};
use super::fault::Faults;
use super::raw::RawConfig;

/// What only the init script reads.
const SERVICE: &str = "service";

/// Whether `text` is UCI: its first statement is one that TOML does not have.
pub(super) fn is_uci(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        matches!(line.split_whitespace().next(), Some("config" | "package")) && !line.contains('=')
    })
}

/// Reads `text`. What is wrong goes to `faults`; what remains is returned.
pub(super) fn read(text: &str, known: &Table, faults: &mut Faults) -> (RawConfig, Lines) {
    let mut reader =
        Reader { known, faults, table: Table::new(), lines: Lines::default(), place: Place::Outside };
    for (index, line) in text.lines().enumerate() {
        reader.line(index + 1, line);
    }
    let Reader { table, lines, .. } = reader;
    match RawConfig::deserialize(table) {
        Ok(raw) => (raw, lines),
        // Kinds are checked key by key and unknown keys were left out.
        Err(error) => {
            faults.push("", None, error.message());
            Default::default()
        }
    }
}

/// Where the reader is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    /// Before the first section.
    Outside,
    /// In a section that is not ours to read, or unknown and told already.
    Elsewhere,
    /// In the section with this path.
    Section(Vec<String>),
}

struct Reader<'a> {
    known: &'a Table,
    faults: &'a mut Faults,
    table: Table,
    lines: Lines,
    place: Place,
}

impl Reader<'_> {
    fn line(&mut self, number: usize, line: &str) {
        let words = match words(line) {
            Ok(words) => words,
            Err(why) => return self.faults.push("", Some(number), format!("not UCI: {why}")),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["package", _] => {}
            ["config", kind] | ["config", kind, _] => self.section(number, kind),
            ["option", name, value] => self.value(number, name, value, false),
            ["list", name, value] => self.value(number, name, value, true),
            _ => {
                let why = "not UCI: a line is config TYPE, option NAME VALUE or list NAME VALUE";
                self.faults.push("", Some(number), why);
            }
        }
    }

    fn section(&mut self, number: usize, kind: &str) {
        self.place = Place::Elsewhere;
        if kind == SERVICE {
            return;
        }
        let names = sections(self.known, &[]);
        match names.iter().find(|path| path.join("_").replace('-', "_") == kind) {
            Some(path) => self.place = Place::Section(path.clone()),
            None => {
                let kinds: Vec<String> = names.iter().map(|path| path.join("_").replace('-', "_")).collect();
                let why = unknown(kind, kinds.iter().map(String::as_str), "");
                self.faults.push(shorten(kind), Some(number), why);
            }
        }
    }

    fn value(&mut self, number: usize, name: &str, text: &str, is_list: bool) {
        let path = match &self.place {
            Place::Section(path) => path.clone(),
            Place::Elsewhere => return,
            Place::Outside => {
                return self.faults.push(shorten(name), Some(number), "is before the first config line");
            }
        };
        let section = path.iter().try_fold(self.known, |table, part| table.get(part)?.as_table());
        let Some(section) = section else { return };
        let dotted = path.join(".");
        let found = section.iter().find(|(key, value)| !value.is_table() && key.replace('-', "_") == name);
        let Some((key, kind)) = found else {
            let why = unknown(name, section.keys().map(String::as_str), &dotted);
            return self.faults.push(shorten(&join(&dotted, name)), Some(number), why);
        };
        let full = join(&dotted, key);
        let table = path.iter().fold(&mut self.table, |table, part| {
            let inner = table.entry(part.clone()).or_insert_with(|| Value::Table(Table::new()));
            inner.as_table_mut().expect("a section's name is never a key's")
        });
        match (kind, is_list) {
            (Value::Array(of), _) => {
                // The kind of what the default holds; texts where it holds nothing.
                let item = of.first().cloned().unwrap_or_else(|| Value::String(String::new()));
                let list = table.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                let words: Vec<&str> = if is_list { vec![text] } else { text.split_whitespace().collect() };
                if let Value::Array(list) = list {
                    list.extend(words.into_iter().map(|word| of_kind(&item, word)));
                }
            }
            (_, true) => {
                self.faults.push(full.clone(), Some(number), "takes one value: write option, not list");
            }
            (kind, false) => {
                table.insert(key.clone(), of_kind(kind, text));
            }
        }
        self.lines.note(full, number);
    }
}

/// The paths of all sections, nested ones after their parents.
fn sections(table: &Table, above: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (name, value) in table {
        if let Value::Table(inner) = value {
            let path = [above, std::slice::from_ref(name)].concat();
            paths.push(path.clone());
            paths.extend(sections(inner, &path));
        }
    }
    paths
}

/// `text` as the kind of value that `like` is. What cannot be read as that stays a text, and is found to be of the wrong kind.
fn of_kind(like: &Value, text: &str) -> Value {
    let read = match like {
        // The words that OpenWrt's own scripts take (functions.sh, get_bool).
        Value::Boolean(_) => match text {
            "1" | "on" | "true" | "yes" | "enabled" => Some(Value::Boolean(true)),
            "0" | "off" | "false" | "no" | "disabled" => Some(Value::Boolean(false)),
            _ => None,
        },
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        _ => None,
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The words of a line.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_none() => break,
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err("a quote is not closed on its line"),
                        Some(end) if end == c => break,
                        // Within single quotes a backslash is itself.
                        Some('\\') if c == '"' => word.extend(chars.next()),
                        Some(other) => word.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides};
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        Config::parse(text, &Overrides::default(), "router")
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn it_means_what_the_same_in_toml_means() {
        let uci = "
# written by hand
package picket

config service 'main'
	option enabled '1'
	option whatever 'is not read here'

config sensor
	option name 'gw-1'

config capture
	list interfaces 'br-lan'
	list interfaces \"wan\"   # two
	option buffer_mib 8
	option promiscuous '0'
	option filter 'tcp port 1883 or '\"\\\"arp\\\"\"

config mqtt
	option ports '1883 8883'

config rules_slow_dos
	option sessions '20'

config publish 'uplink'
	option broker 'mqtt://10.0.0.1'
	option keep_alive '45s'
";
        let toml = r#"
[sensor]
name = "gw-1"
[capture]
interfaces = ["br-lan", "wan"]
buffer-mib = 8
promiscuous = false
filter = "tcp port 1883 or \"arp\""
[mqtt]
ports = [1883, 8883]
[rules.slow-dos]
sessions = 20
[publish]
broker = "mqtt://10.0.0.1"
keep-alive = "45s"
"#;
        assert!(is_uci(uci) && !is_uci(toml));
        assert_eq!(parse(uci).unwrap(), parse(toml).unwrap());
    }

    #[test]
    fn every_key_can_be_written_and_comes_back() {
        let known = super::super::write::known_keys();
        let mut text = String::new();
        for path in sections(&known, &[]) {
            text += &format!("config {}\n", path.join("_").replace('-', "_"));
            let section = path.iter().fold(&known, |table, part| table[part].as_table().unwrap());
            for (key, value) in section {
                let key = key.replace('-', "_");
                match value {
                    Value::Table(_) => {}
                    Value::Array(items) => {
                        for item in items {
                            text += &format!("\tlist {key} '{}'\n", plain(item));
                        }
                    }
                    value => text += &format!("\toption {key} '{}'\n", plain(value)),
                }
            }
        }
        assert_eq!(parse(&text).unwrap(), Config::default());
    }

    fn plain(value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    #[test]
    fn faults_name_line_and_key() {
        let faults = parse(
            "config captur\noption snaplen '1'\nconfig capture\n\toption snaplan '1'\n\toption snaplen 'much'\n\
             \tlist promiscuous '1'\n\toption user 'a\nnonsense\nconfig rules\n\toption enabled 'maybe'",
        );
        assert_eq!(
            faults.unwrap_err(),
            [
                "captur (line 1): no such section or key; did you mean capture?",
                "capture.snaplan (line 4): no such key; did you mean snaplen?",
                "capture.snaplen (line 5): must be a whole number",
                "capture.promiscuous (line 6): takes one value: write option, not list",
                "line 7: not UCI: a quote is not closed on its line",
                "line 8: not UCI: a line is config TYPE, option NAME VALUE or list NAME VALUE",
                "rules.enabled (line 10): must be true or false",
            ]
        );
        assert_eq!(
            parse("package picket\noption name 'x'").unwrap_err()[0],
            "name (line 2): is before the first config line"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(config|option|list|package|[a-z_'\" #\\\\\n\t]{1,12}|\\PC{0,8}){0,20}") {
            let _ = parse(&format!("config capture\n{text}"));
        }
    }
}
