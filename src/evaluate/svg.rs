//! The plots of a report, as SVG within HTML. Colours are classes of its style sheet, so that they suit light and dark.

use std::fmt::Write as _;

use super::matrix::ratio;
use super::report::{AttackReport, CaptureReport, EpisodeReport, IncidentReport, Report};
use super::text::short;
use super::{Matrix, html::Escaped};
use crate::label::BENIGN;

/// Width of a plot, in its own units.
const WIDTH: f64 = 960.0;
/// Room for the names at its left.
const LEFT: f64 = 190.0;
/// Height of a line.
const LINE: f64 = 26.0;
/// Opacity of a cell that holds all of its row: the figure on it stays readable.
pub(super) const STRONGEST: f64 = 0.85;
/// Hosts shown of one capture.
const MAX_LANES: usize = 40;

/// Opens a plot of that height.
fn open(out: &mut String, height: f64, about: &str) {
    *out += &format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">\n",
        Escaped(about)
    );
}

fn label(out: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", Escaped(text));
}

fn rect(out: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), class: &str, title: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class}\">\
         <title>{}</title></rect>",
        Escaped(title)
    );
}

/// A confusion matrix as a heat map: how strong the colour of a cell is says which part of its row it holds.
pub(super) fn heat_map(matrix: &Matrix) -> String {
    let (classes, counts) = (matrix.classes(), matrix.counts());
    let mut out = String::new();
    let top = 112.0;
    let cell = ((WIDTH - LEFT - 60.0) / classes.len() as f64).min(74.0);
    open(&mut out, top + LINE * classes.len() as f64 + 6.0, "confusion matrix");
    for (at, class) in classes.iter().enumerate() {
        let x = LEFT + cell * (at as f64 + 0.5);
        let name = if class == BENIGN { "nothing" } else { class };
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" transform=\"rotate(-40 {x:.1} {:.1})\">{}</text>",
            top - 8.0,
            top - 8.0,
            Escaped(name)
        );
    }
    for (at, (truth, row)) in classes.iter().zip(&counts).enumerate() {
        let y = top + LINE * at as f64;
        label(&mut out, (LEFT - 8.0, y + 17.0), "name", truth);
        let total: u64 = row.iter().sum();
        for (column, (reported, count)) in classes.iter().zip(row).enumerate() {
            let x = LEFT + cell * column as f64;
            let part = ratio(*count, total).unwrap_or(0.0);
            let class = if truth == reported { "cell hit" } else { "cell miss" };
            let title = format!("{truth} reported as {reported}: {count} ({:.2} %)", part * 100.0);
            // The fourth root lets single wrong ones be seen beside thousands.
            let _ = writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" class=\"{class}\" \
                 fill-opacity=\"{:.3}\"><title>{}</title></rect>",
                x + 1.0,
                y + 1.0,
                cell - 2.0,
                LINE - 2.0,
                STRONGEST * part.sqrt().sqrt(),
                Escaped(&title)
            );
            if *count > 0 {
                label(&mut out, (x + cell / 2.0, y + 17.0), "count", &short(*count));
            }
        }
    }
    out += "</svg>\n";
    out
}

/// Times to the first alert of each kind of attack: a bar up to the median, a line up to the latest.
pub(super) fn times(attacks: &[AttackReport]) -> String {
    let mut out = String::new();
    let latest = attacks.iter().filter_map(|attack| attack.longest_seconds).fold(1.0, f64::max);
    let room = WIDTH - LEFT - 200.0;
    // A second is seen beside a minute: the axis is that of the square root.
    let place = |seconds: f64| LEFT + room * (seconds / latest).sqrt();
    open(&mut out, LINE * (attacks.len() as f64 + 1.0) + 6.0, "seconds to the first alert");
    for (at, attack) in attacks.iter().enumerate() {
        let y = LINE * at as f64;
        let name = format!("{} {}", attack.class, attack.attack.as_deref().unwrap_or_default());
        label(&mut out, (LEFT - 8.0, y + 17.0), "name", &name);
        let of = format!("{} of {} found", attack.found, attack.episodes);
        let (Some(median), Some(longest)) = (attack.median_seconds, attack.longest_seconds) else {
            label(&mut out, (LEFT, y + 17.0), "bad", &of);
            continue;
        };
        let title = format!("{name}: median {median:.1} s, latest {longest:.1} s");
        rect(&mut out, (LEFT, y + 11.0), (place(longest) - LEFT, 4.0), "range", &title);
        rect(&mut out, (LEFT, y + 5.0), ((place(median) - LEFT).max(2.0), 16.0), "hit", &title);
        let class = if attack.found < attack.episodes { "bad" } else { "plain" };
        let text = format!("{median:.1} s, latest {longest:.1} s; {of}");
        label(&mut out, (place(longest) + 8.0, y + 17.0), class, &text);
    }
    let y = LINE * attacks.len() as f64 + 14.0;
    for part in [0.0, 0.04, 0.25, 1.0] {
        let seconds = latest * part;
        label(&mut out, (place(seconds), y), "tick", &format!("{seconds:.1} s"));
    }
    out += "</svg>\n";
    out
}

/// Bars for counts with names.
pub(super) fn bars<'a>(counts: impl Iterator<Item = (&'a str, u64)> + Clone) -> String {
    let mut out = String::new();
    let most = counts.clone().map(|(_, count)| count).max().unwrap_or(1).max(1);
    open(&mut out, LINE * counts.clone().count() as f64 + 4.0, "counts by class");
    for (at, (name, count)) in counts.enumerate() {
        let y = LINE * at as f64;
        let width = (WIDTH - LEFT - 120.0) * count as f64 / most as f64;
        label(&mut out, (LEFT - 8.0, y + 17.0), "name", name);
        rect(&mut out, (LEFT, y + 5.0), (width.max(1.0), 16.0), "miss", &format!("{name}: {count}"));
        label(&mut out, (LEFT + width + 8.0, y + 17.0), "plain", &count.to_string());
    }
    out += "</svg>\n";
    out
}

/// What happened in one capture: a lane for each host that attacked or was reported, with attacks as wide bars and what
/// the first detector reported as thin ones. `None` where there was neither.
pub(super) fn timeline(report: &Report, place: usize, capture: &CaptureReport) -> Option<String> {
    let episodes: Vec<&EpisodeReport> =
        report.episodes.iter().filter(|episode| episode.capture == place).collect();
    let listed = report.detectors.first().map_or(&[][..], |detector| &detector.listed);
    let incidents: Vec<&IncidentReport> =
        listed.iter().filter(|incident| incident.capture == place).collect();
    let mut hosts: Vec<&str> = Vec::new();
    let named = episodes.iter().map(|episode| episode.source.as_str());
    for host in named.chain(incidents.iter().map(|incident| incident.source.as_str())) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let left_out = hosts.len().saturating_sub(MAX_LANES);
    hosts.truncate(MAX_LANES);
    if hosts.is_empty() {
        return None;
    }
    let ends = episodes.iter().map(|e| e.at + e.seconds).chain(incidents.iter().map(|i| i.until));
    let length = ends.fold(capture.seconds, f64::max).max(1.0);
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - 10.0) * (seconds / length).clamp(0.0, 1.0);
    let mut out = String::new();
    open(&mut out, LINE * (hosts.len() as f64 + 1.0) + 6.0, "attacks and what was reported, over time");
    for (lane, host) in hosts.iter().enumerate() {
        let y = LINE * lane as f64;
        label(&mut out, (LEFT - 8.0, y + 17.0), "name", if host.is_empty() { "any host" } else { host });
        rect(&mut out, (LEFT, y + LINE - 1.0), (WIDTH - LEFT - 10.0, 0.5), "rule", host);
        for episode in episodes.iter().filter(|episode| episode.source == *host) {
            let title = format!(
                "{} {}: {:.1} s to {:.1} s",
                episode.class,
                episode.attack.as_deref().unwrap_or_default(),
                episode.at,
                episode.at + episode.seconds
            );
            let width = (x(episode.at + episode.seconds) - x(episode.at)).max(2.0);
            rect(&mut out, (x(episode.at), y + 2.0), (width, LINE - 5.0), "attack", &title);
        }
        for incident in incidents.iter().filter(|incident| incident.source == *host) {
            let title = format!(
                "reported as {} ({}, {}): {:.1} s to {:.1} s",
                incident.class, incident.severity, incident.kind, incident.at, incident.until
            );
            let width = (x(incident.until) - x(incident.at)).max(3.0);
            rect(&mut out, (x(incident.at), y + 9.0), (width, 7.0), incident.kind, &title);
        }
    }
    let y = LINE * hosts.len() as f64 + 14.0;
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let class = if part < 1.0 { "tick" } else { "tick last" };
        label(&mut out, (x(length * part), y), class, &format!("{:.0} s", length * part));
    }
    out += "</svg>\n";
    if left_out > 0 {
        let _ = writeln!(out, "<p class=\"note\">{left_out} more hosts are not shown.</p>");
    }
    Some(out)
}
