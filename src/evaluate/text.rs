//! An evaluation as text, for people.

use std::io::{self, Write};

use super::Matrix;
use super::rate::Rate;
use super::report::{AttackReport, DetectorReport, Report};
use crate::inspect::table::{Align, Table};

/// Attacks listed one by one; of more there are tables only.
const MAX_EPISODES: usize = 40;

/// Writes the report, in lines of some hundred characters.
///
/// # Errors
/// As `out`.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    head(report, out)?;
    attacks(report, out)?;
    detectors(report, out)?;
    let Some(first) = report.detectors.first() else { return Ok(()) };
    false_alerts(first, out)?;
    matrix("Attacks", &first.episodes.matrix, out)?;
    matrix("Flows", &first.flows, out)?;
    matrix("Packets", &first.packets, out)?;
    for rows in &report.rows {
        matrix(&format!("Rows of {} ({})", rows.model, rows.schema), &rows.matrix, out)?;
    }
    episodes(report, out)
}

fn head(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let sum = |of: fn(&super::report::CaptureReport) -> f64| report.captures.iter().map(of).sum::<f64>();
    let packets: u64 = report.captures.iter().map(|capture| capture.packets).sum();
    writeln!(
        out,
        "{} captures, {} packets in {:.2} h, of which {:.2} h without attack; {} attacks",
        report.captures.len(),
        packets,
        sum(|capture| capture.seconds) / 3600.0,
        sum(|capture| capture.benign_seconds) / 3600.0,
        report.episodes.len()
    )?;
    let names: Vec<&str> = report.detectors.iter().map(|detector| detector.name.as_str()).collect();
    writeln!(
        out,
        "detectors: {}; what is reported as {} or worse counts",
        names.join(", "),
        report.severity
    )?;
    for unwatched in &report.unwatched {
        let why = if unwatched.is_known { "nothing here watches for it" } else { "Picket has no such class" };
        writeln!(out, "{}: {why}", unwatched.class)?;
    }
    Ok(())
}

/// The attacks by kind.
fn attacks(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.attacks.is_empty() {
        return writeln!(out, "\nno attack in these captures");
    }
    writeln!(out, "\nAttacks (detector: {})", report.detectors.first().map_or("", |d| d.name.as_str()))?;
    let mut table = Table::new([
        ("class", Align::Left),
        ("attack", Align::Left),
        ("attacks", Align::Right),
        ("found", Align::Right),
        ("right class", Align::Right),
        ("first alert", Align::Right),
        ("latest", Align::Right),
        ("packets", Align::Right),
    ]);
    for AttackReport { class, attack, episodes, found, right, median_seconds, longest_seconds, packets } in
        &report.attacks
    {
        table.row([
            class.clone(),
            attack.clone().unwrap_or_default(),
            episodes.to_string(),
            found.to_string(),
            right.to_string(),
            seconds(*median_seconds),
            seconds(*longest_seconds),
            packets.to_string(),
        ]);
    }
    table.write(out)
}

fn detectors(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nDetectors (F1: macro, over the classes that there are)")?;
    let mut table = Table::new([
        ("detector", Align::Left),
        ("found", Align::Right),
        ("right", Align::Right),
        ("first alert", Align::Right),
        ("F1 attacks", Align::Right),
        ("flows", Align::Right),
        ("packets", Align::Right),
        ("false medium+", Align::Right),
        ("all", Align::Right),
    ]);
    for detector in &report.detectors {
        table.row(detector_row(detector));
    }
    table.write(out)
}

fn false_alerts(detector: &DetectorReport, out: &mut impl Write) -> io::Result<()> {
    let alerts = &detector.false_alerts;
    writeln!(
        out,
        "\nFalse alerts (detector: {}; {:.2} h without attack)",
        detector.name, alerts.benign_hours
    )?;
    for (what, rate) in [("medium or worse", alerts.medium), ("all", alerts.all)] {
        writeln!(out, "  {what:<16} {}", in_words(rate))?;
    }
    writeln!(
        out,
        "  about others while attacks went on: {} of medium or worse, {} in all",
        alerts.medium_during_attacks, alerts.all_during_attacks
    )?;
    let by_class: Vec<String> =
        alerts.by_class.iter().map(|(class, count)| format!("{count} {class}")).collect();
    if !by_class.is_empty() {
        writeln!(out, "  {}", by_class.join(", "))?;
    }
    let counts = &detector.incidents;
    writeln!(
        out,
        "  of its {} incidents {} name the attack, {} name another class, {} are late, {} are false",
        counts.right + counts.other + counts.late + counts.wrong,
        counts.right,
        counts.other,
        counts.late,
        counts.wrong
    )?;
    if counts.lost > 0 {
        writeln!(out, "  {} more incidents were too many to be judged", counts.lost)?;
    }
    Ok(())
}

/// A rate as a sentence.
pub(super) fn in_words(rate: Rate) -> String {
    match (rate.per_day, rate.upper_per_day) {
        (Some(per_day), Some(upper)) => {
            format!("{}: {per_day:.1} a day; with 95 % certainty less than {upper:.1} a day", rate.count)
        }
        _ => format!("{}; there is no time without attack to say how often that is", rate.count),
    }
}

fn matrix(of: &str, matrix: &Matrix, out: &mut impl Write) -> io::Result<()> {
    if matrix.total() == 0 {
        return Ok(());
    }
    writeln!(out, "\n{of}: rows are the truth, columns what was reported")?;
    let (classes, counts) = (matrix.classes(), matrix.counts());
    let is_column = |at: usize| counts.iter().any(|row| row.get(at).is_some_and(|count| *count > 0));
    let columns: Vec<usize> = (0..classes.len()).filter(|at| *at == 0 || is_column(*at)).collect();
    let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or(0)).to_string();
    let mut line = format!("  {:<22}", "");
    for at in &columns {
        line += &format!("{:>7}", letter(*at));
    }
    writeln!(out, "{line}  precision recall    F1")?;
    for ((at, row), figures) in counts.iter().enumerate().zip(matrix.figures()) {
        let mut line = format!("  {} {:<20}", letter(at), figures.class);
        for at in &columns {
            line += &format!("{:>7}", short(row.get(*at).copied().unwrap_or(0)));
        }
        let (precision, recall, f1) = (figure(figures.precision), figure(figures.recall), figure(figures.f1));
        writeln!(out, "{line}  {precision:>9} {recall:>6} {f1:>5}")?;
    }
    let detection = matrix.detection().map_or(String::new(), |part| format!(", detected {}", percent(part)));
    let alarms = matrix.false_positives().map_or(String::new(), |part| format!(", false {}", percent(part)));
    writeln!(
        out,
        "  macro F1 {}, accuracy {}{detection}{alarms}",
        figure(matrix.macro_f1()),
        figure(matrix.accuracy())
    )
}

/// The attacks one by one.
fn episodes(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.episodes.is_empty() {
        return Ok(());
    }
    if report.episodes.len() > MAX_EPISODES {
        return writeln!(out, "\nThe attacks one by one: --output json, --json FILE, --html FILE");
    }
    writeln!(out, "\nThe attacks one by one, with the seconds to the first alert of each detector")?;
    let mut table = Table::new([
        ("capture", Align::Left),
        ("class", Align::Left),
        ("attack", Align::Left),
        ("source", Align::Left),
        ("seconds", Align::Right),
        ("found", Align::Left),
    ]);
    for episode in &report.episodes {
        let path = report.captures.get(episode.capture).map_or("", |capture| capture.path.as_str());
        let found: Vec<String> = episode
            .detectors
            .iter()
            .map(|found| match (found.seconds, found.reported) {
                (Some(after), Some(class)) if class == episode.class => format!("{after:.1}"),
                (Some(after), Some(class)) => format!("{after:.1} {class}"),
                _ => "-".to_owned(),
            })
            .collect();
        table.row([
            short_path(path).to_owned(),
            episode.class.clone(),
            episode.attack.clone().unwrap_or_default(),
            episode.source.clone(),
            format!("{:.1}", episode.seconds),
            found.join(" | "),
        ]);
    }
    table.write(out)
}

/// The last names of a path: the folder where the file is called the same everywhere.
pub(super) fn short_path(path: &str) -> &str {
    let mut ends = path.rmatch_indices('/').map(|(at, _)| at);
    let file = ends.next().map_or(path, |at| path.get(at + 1..).unwrap_or(path));
    let is_plain = file.starts_with("capture.");
    match ends.next() {
        Some(at) if is_plain => path.get(at + 1..).unwrap_or(path),
        None if is_plain => path,
        _ => file,
    }
}

/// The row of a detector in the table of all of them.
pub(super) fn detector_row(detector: &DetectorReport) -> [String; 9] {
    let (episodes, alerts) = (&detector.episodes, &detector.false_alerts);
    [
        detector.name.clone(),
        format!("{}/{}", episodes.found, episodes.total),
        format!("{}/{}", episodes.right, episodes.total),
        seconds(episodes.median_seconds),
        figure(episodes.matrix.macro_f1()),
        figure(detector.flows.macro_f1()),
        figure(detector.packets.macro_f1()),
        (alerts.medium.count + alerts.medium_during_attacks).to_string(),
        (alerts.all.count + alerts.all_during_attacks).to_string(),
    ]
}

pub(super) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

pub(super) fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} s"))
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.2} %", part * 100.0)
}

/// A count in at most six characters.
pub(super) fn short(count: u64) -> String {
    match count {
        0 => "\u{b7}".to_owned(),
        1..100_000 => count.to_string(),
        100_000..10_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        let shown: Vec<_> = [0, 7, 99_999, 100_000, 9_999_999, 10_000_000].into_iter().map(short).collect();
        assert_eq!(shown, ["·", "7", "99999", "100k", "9999k", "10M"]);
    }

    #[test]
    fn paths_are_short_but_tell_captures_apart() {
        for (path, shown) in [
            ("/data/test-01-mixed/capture.pcap", "test-01-mixed/capture.pcap"),
            ("/data/flood.pcap", "flood.pcap"),
            ("capture.pcap", "capture.pcap"),
            ("a/capture.pcap", "a/capture.pcap"),
        ] {
            assert_eq!(short_path(path), shown);
        }
    }

    #[test]
    fn rates_are_sentences() {
        assert_eq!(in_words(Rate::new(0, 86_400.0)), "0: 0.0 a day; with 95 % certainty less than 3.0 a day");
        assert_eq!(
            in_words(Rate::new(2, 0.0)),
            "2; there is no time without attack to say how often that is"
        );
    }
}
