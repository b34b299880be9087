//! `docs/features.md`, made from the schemas.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use picket::extract::catalogue::{Entry, Options};
use picket::extract::hindy::CLASSES;
use picket::extract::schema::Column;
use picket::extract::{DEFAULT_CAPACITY, Target};

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/features.md")
}

fn head() -> String {
    format!(
        "\
# Feature schemas

<!-- Made from the code by `cargo test --test extract -- --ignored regenerate`. Do not edit. -->

What `picket extract --schema NAME` writes: our own schemas, which models see, and those of published systems, computed as
these systems do, with their mistakes, so that figures can be compared and models made for them be fed.

    picket extract --schema hindy-biflow --labels labels.toml capture.pcap > flows.csv

- **CSV** begins with a line `# schema=NAME/VERSION hash=HASH` (and `window_ms=N` for `siuru-window`), then the header.
  **JSON lines** carry `schema` and `hash` in every line; an empty cell is `null`. **Parquet** has `picket.schema`,
  `picket.schema_version`, `picket.schema_hash` and `picket.window_ms` among its key-value metadata, and row groups of at most
  32,768 rows or 8 MiB of text. It needs a build with the cargo feature `parquet`, which is on by default; packages for gateways are
  built without it (`--no-default-features --features std,tls`), 1 MB smaller.
- The **hash** covers name, version, column names and units, not the columns of `--labels` nor those that say what a row of
  ours is about.
- Everything is **streaming**. What depends on earlier packets is kept in a table of {DEFAULT_CAPACITY} entries (`--table-size`), which
  takes memory as it fills: flows, hosts or streams. When it is full, the eighth that was silent longest goes: flows give their
  rows early, hosts and streams begin anew when they come back, windows are lost, as the last window of a flow is anyway.
  How many went is told on stderr. A full table of the default size takes about 30 MB of `hindy-biflow`, 17 MB of
  `hindy-uniflow`, and less than 12 MB of the others; the engine behind our schemas, `mqttset` and `hindy-packet` has tables of
  its own, of fixed size. A capture of 10 GB needs no more than one that fills the table.
- Of **several captures** the rows are those of one capture after the other, in the order given; flows go on from one to the next.
- **Live** (`--interface IFACE`, `--seconds N`) time is that of the frames alone, so that what `--write FILE` recorded gives the same
  bytes when it is read.
- **Labels** (`--labels FILE`): see `docs/evaluate.md` for the file. They are the last columns, by file, address, time and filter of
  the packet; a flow has the label of its first packet with another label than the default one; a row of `picket-host` that
  is partly within an attack has none.
- None of our own schemas has an address, port, TTL, checksum, link type, TCP window or time of day among its features.

"
    )
}

fn table(out: &mut String, columns: &[Column]) {
    out.push_str("| # | column | kind | unit | meaning |\n|---|---|---|---|---|\n");
    for (n, column) in columns.iter().enumerate() {
        let Column { name, kind, unit, optional, doc, quirk } = column;
        let kind = kind.name();
        let empty = if *optional { ", may be empty" } else { "" };
        let quirk = if quirk.is_empty() { String::new() } else { format!("; **{quirk}**") };
        writeln!(out, "| {} | `{name}` | {kind}{empty} | {unit} | {doc}{quirk} |", n + 1).unwrap();
    }
    out.push('\n');
}

fn document() -> String {
    let mut out = head();
    let options = Options::default();
    for entry in Entry::all() {
        let about = entry.table(&options);
        writeln!(out, "## {}\n", entry.name()).unwrap();
        let alias = if entry.name() == "picket-host" { " `--schema picket` is the same." } else { "" };
        writeln!(out, "{}. Version {}, hash `{}`.{alias}", entry.row(), about.version, about.hash).unwrap();
        if let Entry::Published(definition) = entry {
            writeln!(out, "After {}.", definition.origin).unwrap();
            out.push('\n');
            for quirk in definition.quirks {
                writeln!(out, "- {quirk}.").unwrap();
            }
        }
        out.push('\n');
        table(&mut out, &about.columns);
    }
    out.push_str("## Columns of `--labels`\n\n");
    for (target, what) in [
        (Target::Plain, "All schemas but the following"),
        (Target::Hindy, "`hindy-packet`, `hindy-uniflow`, `hindy-biflow`"),
        (Target::Mqttset, "`mqttset`"),
    ] {
        writeln!(out, "{what}:\n").unwrap();
        table(&mut out, target.columns());
    }
    out.push_str("Numbers of the classes of MQTT-IoT-IDS2020:");
    for (name, id) in CLASSES {
        write!(out, " `{name}` {id}{}", if id == 4 { ".\n" } else { "," }).unwrap();
    }
    out
}

#[test]
fn the_documentation_is_that_of_the_code() {
    let written = fs::read_to_string(path()).unwrap_or_default();
    assert!(
        written == document(),
        "docs/features.md is stale: cargo test --test extract -- --ignored regenerate"
    );
}

#[test]
#[ignore = "writes docs/features.md"]
fn regenerate() {
    fs::write(path(), document()).unwrap();
}
