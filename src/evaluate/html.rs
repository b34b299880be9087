//! An evaluation as one HTML file that needs nothing else: no script, no font, no picture from anywhere.

use std::fmt::{self, Write as _};

use super::report::{DetectorReport, Report};
use super::text::{detector_row, figure, in_words, percent, seconds, short_path};
use super::{Matrix, svg};

/// Captures whose course is drawn.
const MAX_TIMELINES: usize = 60;

/// How it looks.
const STYLE: &str = include_str!("report.css");

/// Text that stands for itself in HTML and its attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Neither HTML nor XML has a way to write these.
                c if c.is_control() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The report as HTML.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    out += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n";
    out += "<meta name=\"viewport\" content=\"width=device-width\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>Picket: evaluation</title>\n<style>\n";
    out += STYLE;
    out += "</style>\n</head>\n<body>\n<h1>Evaluation</h1>\n";
    summary(report, &mut out);
    if let Some(first) = report.detectors.first() {
        attacks(report, first, &mut out);
        detectors(report, &mut out);
        false_alerts(first, &mut out);
        for (title, of) in
            [("Attacks", &first.episodes.matrix), ("Flows", &first.flows), ("Packets", &first.packets)]
        {
            matrix(&format!("{title} (detector: {})", first.name), of, &mut out);
        }
    }
    for rows in &report.rows {
        matrix(&format!("Single rows ({}, scored by {})", rows.schema, rows.model), &rows.matrix, &mut out);
    }
    timelines(report, &mut out);
    captures(report, &mut out);
    let _ = writeln!(
        out,
        "<p class=\"note\">{}. What is counted as what: docs/evaluate.md.</p>\n</body>\n</html>",
        Escaped(report.tool)
    );
    out
}

fn summary(report: &Report, out: &mut String) {
    let hours = |of: fn(&super::report::CaptureReport) -> f64| {
        format!("{:.2} h", report.captures.iter().map(of).sum::<f64>() / 3600.0)
    };
    let mut cards = vec![
        ("captures", report.captures.len().to_string()),
        ("captured", hours(|capture| capture.seconds)),
        ("without attack", hours(|capture| capture.benign_seconds)),
        ("packets", report.captures.iter().map(|capture| capture.packets).sum::<u64>().to_string()),
    ];
    if let Some(first) = report.detectors.first() {
        let (episodes, alerts) = (&first.episodes, &first.false_alerts);
        cards.push(("attacks found", format!("{} of {}", episodes.found, episodes.total)));
        cards.push(("with the right class", format!("{} of {}", episodes.right, episodes.total)));
        cards.push(("median to first alert", seconds(episodes.median_seconds)));
        let wrong = alerts.medium.count + alerts.medium_during_attacks;
        cards.push(("false alerts, medium or worse", wrong.to_string()));
    }
    *out += "<div class=\"cards\">\n";
    for (what, value) in cards {
        let _ = writeln!(out, "<div><b>{}</b><span>{what}</span></div>", Escaped(&value));
    }
    *out += "</div>\n";
    for unwatched in &report.unwatched {
        let why = if unwatched.is_known { "nothing here watches for it" } else { "Picket has no such class" };
        let _ = writeln!(out, "<p class=\"bad\">{}: {why}.</p>", Escaped(&unwatched.class));
    }
}

/// A table; the first `texts` columns hold words, the others figures.
fn table(out: &mut String, headings: &[&str], texts: usize, rows: impl Iterator<Item = Vec<String>>) {
    let class = |at: usize| if at < texts { "" } else { " class=\"figure\"" };
    *out += "<div class=\"wide\"><table>\n<tr>";
    for (at, heading) in headings.iter().enumerate() {
        let _ = write!(out, "<th{}>{}</th>", class(at), Escaped(heading));
    }
    *out += "</tr>\n";
    for row in rows {
        *out += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let _ = write!(out, "<td{}>{}</td>", class(at), Escaped(cell));
        }
        *out += "</tr>\n";
    }
    *out += "</table></div>\n";
}

fn attacks(report: &Report, first: &DetectorReport, out: &mut String) {
    let _ = writeln!(out, "<h2>Attacks (detector: {})</h2>", Escaped(&first.name));
    if report.attacks.is_empty() {
        *out += "<p>There is no attack in these captures.</p>\n";
        return;
    }
    let headings = ["class", "attack", "attacks", "found", "right class", "first alert", "latest", "packets"];
    table(
        out,
        &headings,
        2,
        report.attacks.iter().map(|attack| {
            vec![
                attack.class.clone(),
                attack.attack.clone().unwrap_or_default(),
                attack.episodes.to_string(),
                attack.found.to_string(),
                attack.right.to_string(),
                seconds(attack.median_seconds),
                seconds(attack.longest_seconds),
                attack.packets.to_string(),
            ]
        }),
    );
    *out += "<h3>Time to the first alert</h3>\n";
    *out += "<p class=\"note\">Bar: median. Line: latest. The axis is that of the square root.</p>\n";
    *out += &svg::times(&report.attacks);
}

fn detectors(report: &Report, out: &mut String) {
    *out += "<h2>Detectors</h2>\n";
    let headings = [
        "detector",
        "found",
        "right class",
        "first alert",
        "F1 attacks",
        "F1 flows",
        "F1 packets",
        "false, medium or worse",
        "false, all",
    ];
    table(out, &headings, 1, report.detectors.iter().map(|detector| detector_row(detector).into()));
    let _ = writeln!(
        out,
        "<p class=\"note\">F1 is the mean over the classes that there are. What is reported as {} or worse counts.</p>",
        report.severity
    );
}

fn false_alerts(first: &DetectorReport, out: &mut String) {
    let alerts = &first.false_alerts;
    let _ = writeln!(
        out,
        "<h2>False alerts (detector: {}; {:.2} h without attack)</h2>\n<ul>",
        Escaped(&first.name),
        alerts.benign_hours
    );
    for (what, rate) in [("medium or worse", alerts.medium), ("all", alerts.all)] {
        let _ = writeln!(out, "<li>{what}: {}</li>", in_words(rate));
    }
    let _ = writeln!(
        out,
        "<li>about others while attacks went on: {} of medium or worse, {} in all</li>\n</ul>",
        alerts.medium_during_attacks, alerts.all_during_attacks
    );
    if !alerts.by_class.is_empty() {
        *out += &svg::bars(alerts.by_class.iter().map(|(class, count)| (*class, *count)));
    }
}

fn matrix(title: &str, matrix: &Matrix, out: &mut String) {
    if matrix.total() == 0 {
        return;
    }
    let _ = writeln!(out, "<h2>{}</h2>", Escaped(title));
    *out += "<p class=\"note\">Rows: the truth. Columns: what was reported. The stronger the colour, the larger the part of the row.";
    let _ = write!(out, " Macro F1 {}, accuracy {}", figure(matrix.macro_f1()), figure(matrix.accuracy()));
    for (what, part) in [("detected", matrix.detection()), ("false", matrix.false_positives())] {
        if let Some(part) = part {
            let _ = write!(out, ", {what} {}", percent(part));
        }
    }
    *out += ".</p>\n";
    *out += &svg::heat_map(matrix);
    table(
        out,
        &["class", "support", "reported", "precision", "recall", "F1"],
        1,
        matrix.figures().into_iter().map(|figures| {
            vec![
                figures.class,
                figures.support.to_string(),
                figures.reported.to_string(),
                figure(figures.precision),
                figure(figures.recall),
                figure(figures.f1),
            ]
        }),
    );
}

fn timelines(report: &Report, out: &mut String) {
    let drawn = report.captures.iter().enumerate().filter_map(|(place, capture)| {
        svg::timeline(report, place, capture).map(|drawing| (capture.path.as_str(), drawing))
    });
    let mut drawn = drawn.peekable();
    if drawn.peek().is_none() {
        return;
    }
    *out += "<h2>What happened when</h2>\n<p class=\"note\">Wide bars: attacks. Thin bars: what was reported";
    for (class, what) in
        [("right", "right"), ("other", "another class"), ("late", "late"), ("false", "false")]
    {
        let _ = write!(out, ", <span class=\"key {class}\">{what}</span>");
    }
    *out += ". Point at a bar to read about it.</p>\n";
    for (path, drawing) in drawn.by_ref().take(MAX_TIMELINES) {
        let _ = writeln!(out, "<h3>{}</h3>", Escaped(short_path(path)));
        *out += &drawing;
    }
    let more = drawn.count();
    if more > 0 {
        let _ = writeln!(out, "<p class=\"note\">{more} more captures are not drawn.</p>");
    }
}

fn captures(report: &Report, out: &mut String) {
    *out += "<h2>Captures</h2>\n";
    table(
        out,
        &["capture", "begin", "seconds", "without attack", "packets", "attacks"],
        2,
        report.captures.iter().map(|capture| {
            vec![
                capture.path.clone(),
                capture.start.map_or_else(String::new, |start| start.to_string()),
                format!("{:.1}", capture.seconds),
                format!("{:.1}", capture.benign_seconds),
                capture.packets.to_string(),
                capture.episodes.to_string(),
            ]
        }),
    );
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
