//! The schemas of published systems against what those systems themselves wrote over captures of others, where these
//! are at hand; prints a line where they are not.

use std::path::Path;

use picket::extract::catalogue::Options;

use crate::support::corpus::corpus;
use crate::support::extract::{Extracted, extract};

/// Captures by the name that the oracles give them.
const CAPTURES: [(&str, &str); 9] = [
    ("mqttset_benign", "mqttset-reduced/benign.pcap"),
    ("mqttset_benign5mb_test", "mqttset-reduced/benign-5mb/benign-5mb-test.pcap"),
    ("mqttset_benign5mb_train", "mqttset-reduced/benign-5mb/benign-5mb-train.pcap"),
    ("mqttset_bruteforce", "mqttset-reduced/bruteforce.pcapng"),
    ("mqttset_flood", "mqttset-reduced/flood.pcap"),
    ("mqttset_malariados", "mqttset-reduced/malariados.pcap"),
    ("mqttset_malformed", "mqttset-reduced/malformed.pcap"),
    ("mqttset_slowite", "mqttset-reduced/slowite.pcap"),
    ("rishi_benign", "rishi-mqtt/mqtt_traffic.pcap"),
];

/// A table that another program wrote.
fn oracle(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader =
        csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let header = texts(reader.headers().unwrap());
    (header, reader.records().map(|record| texts(&record.unwrap())).collect())
}

/// Whether two cells are the same text, or numbers that differ by at most a millionth.
fn agree(ours: &str, theirs: &str) -> bool {
    let numbers = ours.parse::<f64>().ok().zip(theirs.parse::<f64>().ok());
    ours == theirs
        || numbers.is_some_and(|(ours, theirs)| {
            (ours - theirs).abs() <= 1e-6 * ours.abs().max(theirs.abs()).max(f64::MIN_POSITIVE)
        })
}

fn compare(name: &str, ours: &Extracted, header: &[String], rows: &[Vec<String>]) {
    assert_eq!(ours.header, header, "{name}");
    assert_eq!(ours.rows.len(), rows.len(), "{name}: number of rows");
    for (number, (ours, theirs)) in ours.rows.iter().zip(rows).enumerate() {
        for ((column, ours), theirs) in header.iter().zip(ours).zip(theirs) {
            assert!(agree(ours, theirs), "{name}: row {number}, {column}: {ours:?} is not {theirs:?}");
        }
    }
}

#[test]
fn flows_equal_those_of_the_original_extractor() {
    let Some(corpus) = corpus("flows_equal_those_of_the_original_extractor") else { return };
    let mut cells = 0;
    for (name, capture) in CAPTURES {
        for kind in ["uniflow", "biflow"] {
            let ours = extract(&format!("hindy-{kind}"), &Options::default(), &corpus.join(capture));
            let (mut header, mut rows) =
                oracle(&corpus.join(format!("reference-features/{kind}_{name}.csv")));
            // The original's first column numbers the rows.
            header.remove(0);
            for row in &mut rows {
                row.remove(0);
            }
            compare(&format!("{kind} {name}"), &ours, &header, &rows);
            assert_eq!(ours.evicted, 0);
            cells += rows.len() * header.len();
        }
    }
    println!("flows: {cells} cells of {} captures agree", CAPTURES.len());
}

#[test]
fn mqttset_equals_tshark_cell_by_cell() {
    let Some(corpus) = corpus("mqttset_equals_tshark_cell_by_cell") else { return };
    let mut cells = 0;
    for (name, capture) in CAPTURES.iter().filter(|(name, _)| !name.contains("5mb")) {
        let ours = extract("mqttset", &Options::default(), &corpus.join(capture));
        let (mut header, mut rows) = oracle(&corpus.join(format!("mqttset-style-csv/{name}.csv")));
        // The oracle numbers the frames.
        header.remove(0);
        for row in &mut rows {
            row.remove(0);
        }
        assert_eq!(ours.header, header, "{name}");
        assert_eq!(ours.rows.len(), rows.len(), "{name}: number of rows");
        for (number, (ours, theirs)) in ours.rows.iter().zip(&rows).enumerate() {
            for ((column, ours), theirs) in header.iter().zip(ours).zip(theirs) {
                assert_eq!(ours, theirs, "{name}: frame {}, {column}", number + 1);
            }
        }
        cells += rows.len() * header.len();
    }
    println!("mqttset: {cells} cells agree");
}

#[test]
fn siuru_gives_the_rows_that_were_measured() {
    let Some(corpus) = corpus("siuru_gives_the_rows_that_were_measured") else { return };
    let of = |schema: &str, capture: &str| extract(schema, &Options::default(), &corpus.join(capture));
    let first = |table: &Extracted, count: usize| -> Vec<Vec<f64>> {
        let row = |row: &Vec<String>| {
            row.iter().map(|cell| (cell.parse::<f64>().unwrap() * 100.0).round() / 100.0).collect()
        };
        table.rows.iter().take(count).map(row).collect()
    };
    for (capture, rows) in [
        ("mqttset-reduced/benign.pcap", 5753),
        ("mqttset-reduced/malariados.pcap", 249),
        ("mqttset-reduced/malformed.pcap", 787),
        ("mqttset-reduced/slowite.pcap", 1680),
        ("mqttset-reduced/flood.pcap", 28),
    ] {
        assert_eq!(of("siuru-window", capture).rows.len(), rows, "{capture}");
    }
    let windows = of("siuru-window", "mqttset-reduced/benign.pcap");
    assert_eq!(
        first(&windows, 4),
        [[2.0, 72.0, 36.0, 11.0], [1.0, 40.0, 40.0, 0.0], [2.0, 72.0, 36.0, 10.0], [1.0, 40.0, 40.0, 0.0]]
    );
    let hosts = of("siuru-host", "mqttset-reduced/benign.pcap");
    assert_eq!(hosts.rows.len(), 10_896);
    assert_eq!(
        first(&hosts, 4),
        [
            [1.0, 40.0, 40.0, 1.0, 40.0, 40.0, 0.0, 0.0, 0.0],
            [1.0, 40.0, 40.0, 1.0, 40.0, 40.0, 0.0, 0.0, 0.0],
            [2.0, 72.0, 36.0, 2.0, 72.0, 36.0, 22.0, 22.0, 22.0],
            [1.0, 40.0, 40.0, 3.0, 112.0, 13.33, 0.0, 0.0, 0.0],
        ]
    );
    let packets = of("siuru-packet", "mqttset-reduced/benign.pcap");
    assert_eq!((packets.rows.len(), packets.header.len()), (10_896, 17));
}
