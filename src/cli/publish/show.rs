//! The fleet for people: a table that is drawn anew on a terminal, else a line for each change.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::fleet::{Fleet, Progress, Row};
use crate::escape::escape;
use crate::update::document::{Release, State};

/// Rows of the table, at most; a summary stands for the others.
const MAX_ROWS: usize = 60;
/// Columns of what a sensor says in words.
const WORDS: usize = 60;

/// Shows a fleet.
pub(super) enum Show {
    /// A table on the terminal.
    Table(ProgressBar),
    /// A line for each change.
    Lines,
    /// The result alone.
    Quiet,
}

impl Show {
    pub(super) fn new(watch: bool) -> Self {
        if !watch {
            return Self::Quiet;
        }
        if !io::stdout().is_terminal() {
            return Self::Lines;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.set_style(
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self::Table(bar)
    }

    /// Something about the connection or the request.
    pub(super) fn note(&self, line: &str) {
        match self {
            Self::Table(bar) => bar.println(line),
            Self::Lines => say(line),
            Self::Quiet => {}
        }
    }

    /// A sensor has changed.
    pub(super) fn changed(&self, sensor: &str, fleet: &Fleet) {
        if let (Self::Lines, Some(row)) = (self, fleet.rows().get(sensor)) {
            say(&line(sensor, row));
        }
    }

    /// Draws the table anew.
    pub(super) fn draw(&self, fleet: &Fleet, elapsed: Duration) {
        if let Self::Table(bar) = self {
            bar.set_message(table(fleet, elapsed));
            bar.tick();
        }
    }

    /// The result.
    pub(super) fn end(&self, fleet: &Fleet, elapsed: Duration) {
        match self {
            Self::Table(bar) => bar.finish_with_message(table(fleet, elapsed)),
            Self::Lines => say(&summary(fleet, elapsed)),
            Self::Quiet => {
                for (sensor, row) in fleet.rows() {
                    say(&line(sensor, row));
                }
                say(&summary(fleet, elapsed));
            }
        }
    }
}

/// A closed stdout means that nobody reads.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn table(fleet: &Fleet, elapsed: Duration) -> String {
    let mut rows: Vec<_> = fleet.rows().iter().collect();
    if rows.len() > MAX_ROWS {
        // What needs somebody comes first.
        rows.sort_by_key(|(_, row)| row.progress);
    }
    let mut text = format!(
        "{:<20} {:<8} {:<12} {:<9} {:<6} {}\n",
        "SENSOR", "LINK", "STATE", "RELEASE", "BLOCKS", "REASON"
    );
    for (sensor, row) in rows.iter().take(MAX_ROWS) {
        let cells = Cells::of(row);
        // A text cannot refuse.
        let _ = writeln!(
            text,
            "{:<20} {:<8} {:<12} {:<9} {:<6} {}",
            short(sensor, 20),
            cells.link,
            cells.state,
            cells.release,
            cells.blocks,
            short(&cells.reason, WORDS)
        );
    }
    if let Some(more @ 1..) = rows.len().checked_sub(MAX_ROWS) {
        let _ = writeln!(text, "and {more} more");
    }
    text + &summary(fleet, elapsed)
}

fn line(sensor: &str, row: &Row) -> String {
    let Cells { state, release, reason, .. } = Cells::of(row);
    format!("{sensor}: {state}, release {release} {reason}").trim_end().to_owned()
}

fn summary(fleet: &Fleet, elapsed: Duration) -> String {
    let of = fleet.expected().map(|expected| format!(" of {expected}")).unwrap_or_default();
    format!(
        "{}{of} have it, {} failed, {} under way, {} silent; {} s",
        fleet.count(Progress::Arrived),
        fleet.count(Progress::Failed),
        fleet.count(Progress::Underway),
        fleet.expected().map_or(fleet.count(Progress::Silent), |expected| {
            expected.saturating_sub(fleet.rows().len()) + fleet.count(Progress::Silent)
        }),
        elapsed.as_secs()
    )
}

/// What stands in a row.
struct Cells {
    link: &'static str,
    state: String,
    release: String,
    blocks: String,
    reason: String,
}

impl Cells {
    fn of(row: &Row) -> Self {
        let link = match row.is_online {
            Some(true) => "online",
            Some(false) => "offline",
            None => "-",
        };
        let Some(reported) = &row.reported else {
            let none = || "-".to_owned();
            return Self { link, state: none(), release: none(), blocks: none(), reason: String::new() };
        };
        let number = |release: Option<Release>| release.map_or(0, |release| release.release);
        let (active, target) = (number(reported.active), number(reported.target));
        let release = if reported.target.is_some() && active != target {
            format!("{active}->{target}")
        } else {
            active.to_string()
        };
        let blocks = match (reported.state, reported.progress) {
            (State::Downloading, Some(progress)) => format!("{}/{}", progress.blocks, progress.of),
            _ => "-".to_owned(),
        };
        let words = [reported.reason.map(|reason| reason.code().to_owned()), reported.detail.clone()];
        let reason = words.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let state = serde_json::to_value(reported.state).ok();
        let state = state.and_then(|state| state.as_str().map(str::to_owned)).unwrap_or_default();
        Self { link, state, release, blocks, reason: escape(reason.as_bytes()) }
    }
}

fn short(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}
