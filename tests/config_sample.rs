//! The shipped configuration file says the truth: every key is there, with its real default and an explanation.

use std::path::Path;

use picket::config::{Config, Overrides};

const HOST: &str = "gateway";

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config/picket.toml");
    std::fs::read_to_string(path).expect("the sample is in the repository")
}

/// The sample with every `#key = value` line made active.
fn uncommented() -> String {
    let is_key =
        |line: &str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase());
    sample().lines().map(|line| if is_key(line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

fn parse(text: &str) -> Config {
    Config::parse(text, &Overrides::default(), HOST).expect("valid")
}

/// All keys of a TOML text, with their sections.
fn keys(text: &str) -> Vec<String> {
    fn walk(table: &toml::Table, path: &str, keys: &mut Vec<String>) {
        for (name, value) in table {
            match value {
                toml::Value::Table(inner) => walk(inner, &format!("{path}{name}."), keys),
                _ => keys.push(format!("{path}{name}")),
            }
        }
    }
    let mut list = Vec::new();
    walk(&text.parse().expect("TOML"), "", &mut list);
    list.sort();
    list
}

#[test]
fn the_sample_as_shipped_means_the_defaults() {
    assert_eq!(parse(&sample()), parse(""));
}

#[test]
fn the_sample_with_every_key_active_means_the_defaults() {
    let mut text = uncommented();
    if cfg!(target_pointer_width = "32") {
        text = text.replace("buffer-mib = 32", "buffer-mib = 8");
    }
    assert_eq!(parse(&text), parse(""));
}

#[test]
fn the_sample_holds_every_key_and_no_other() {
    // The effective configuration is written from the same structs that are read, so it has every key.
    assert_eq!(keys(&uncommented()), keys(&parse("").effective_toml()));
}

#[test]
fn every_key_is_explained() {
    let sample = sample();
    let lines: Vec<_> = sample.lines().collect();
    for (above, line) in lines.iter().zip(&lines[1..]) {
        let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
        // A pair of keys may share its explanation.
        if is_key(line) && !line.starts_with("#key-file") {
            assert!(above.starts_with("# "), "no explanation above {line}");
        }
    }
}
