//! Everything that an evaluation found, as it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::detectors::Detectors;
use super::episode::{found, kinds};
use super::matrix::{rank, ratio};
use super::tally::truth;
use super::{AttackTime, Case, Found, Incident, Incidents, Kind, Matrix, Rate, Rows, Tally, Timestamp};
use crate::alert::Severity;
use crate::detect::class::Class;
use crate::label::{BENIGN, Episode};
use crate::publish::rfc3339::Rfc3339;

/// Incidents listed for each detector; of further ones only the number is told.
const MAX_LISTED: usize = 1000;

/// An evaluation. Its JSON form is described by `docs/schema/evaluation.schema.json`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Name and version of this document's form.
    pub schema: &'static str,
    /// Name and version of the program.
    pub tool: &'static str,
    /// The mildest severity that counts as a report.
    pub severity: &'static str,
    /// The captures, in the order in which they were read.
    pub captures: Vec<CaptureReport>,
    /// The detectors, the one that would watch live first.
    pub detectors: Vec<DetectorReport>,
    /// The attacks, by class and finer name.
    pub attacks: Vec<AttackReport>,
    /// Every attack of every capture.
    pub episodes: Vec<EpisodeReport>,
    /// What the models say of single rows.
    pub rows: Vec<RowReport>,
    /// Classes of attacks that the first detector cannot report.
    pub unwatched: Vec<Unwatched>,
}

/// One capture.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CaptureReport {
    /// Its name as given.
    pub path: String,
    /// The file that labels it.
    pub labels: String,
    /// Its first packet; none where it is empty.
    pub start: Option<Rfc3339>,
    /// Its last packet.
    pub end: Option<Rfc3339>,
    /// Its length without long silences.
    pub seconds: f64,
    /// Of these, seconds without any attack.
    pub benign_seconds: f64,
    /// Packets.
    pub packets: u64,
    /// Attacks.
    pub episodes: u64,
}

/// How good one detector is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DetectorReport {
    /// `all`, `rules`, or `model:NAME@VERSION`.
    pub name: String,
    /// The classes that it can report.
    pub classes: Vec<&'static str>,
    /// By attack.
    pub episodes: EpisodeFigures,
    /// By flow.
    pub flows: Matrix,
    /// By packet.
    pub packets: Matrix,
    /// What it reported for nothing.
    pub false_alerts: FalseAlerts,
    /// What it reported, by what it had to do with the attacks.
    pub incidents: IncidentCounts,
    /// The incidents, at most a thousand.
    pub listed: Vec<IncidentReport>,
}

/// Figures by attack.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EpisodeFigures {
    /// How many attacks there are.
    pub total: u64,
    /// How many were reported, as whatever.
    pub found: u64,
    /// How many were reported as what they are.
    pub right: u64,
    /// Seconds to the first alert, of those found: the median.
    pub median_seconds: Option<f64>,
    /// The longest of these times.
    pub longest_seconds: Option<f64>,
    /// What was reported as what; the row `benign` holds incidents that belong to no attack.
    pub matrix: Matrix,
}

/// Incidents that no attack explains.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FalseAlerts {
    /// Hours of the captures in which no attack goes on.
    pub benign_hours: f64,
    /// In these hours, of medium severity or more.
    pub medium: Rate,
    /// In these hours, of any severity.
    pub all: Rate,
    /// While attacks went on, about others than the attackers, of medium severity or more.
    pub medium_during_attacks: u64,
    /// The same of any severity.
    pub all_during_attacks: u64,
    /// All of them by class.
    pub by_class: BTreeMap<&'static str, u64>,
}

/// Incidents of any severity, counted.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct IncidentCounts {
    /// About an attack, with its class.
    pub right: u64,
    /// About an attack, with another class.
    pub other: u64,
    /// About an attack that was over.
    pub late: u64,
    /// About nothing.
    #[serde(rename = "false")]
    pub wrong: u64,
    /// Not judged, since there were too many.
    pub lost: u64,
}

/// One incident.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct IncidentReport {
    /// Which capture, counted from 0.
    pub capture: usize,
    /// Whose doing.
    pub source: String,
    /// What was reported.
    pub class: &'static str,
    /// The highest severity that it reached.
    pub severity: &'static str,
    /// `right`, `other`, `late` or `false`.
    pub kind: &'static str,
    /// Its first alert.
    pub opened: Rfc3339,
    /// Its last evidence.
    pub last_seen: Rfc3339,
    /// Seconds from the capture's first packet to its first alert.
    pub at: f64,
    /// Seconds from the capture's first packet to its last evidence.
    pub until: f64,
}

/// One attack of one capture.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EpisodeReport {
    /// Which capture, counted from 0.
    pub capture: usize,
    /// What it is.
    pub class: String,
    /// A finer name.
    pub attack: Option<String>,
    /// Who did it, as the labels have it; empty where they do not say.
    pub source: String,
    /// When it began.
    pub start: Rfc3339,
    /// When it ended.
    pub end: Rfc3339,
    /// Seconds from the capture's first packet to its start.
    pub at: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its packets.
    pub packets: u64,
    /// What each detector made of it.
    pub detectors: Vec<FoundReport>,
}

/// What one detector made of one attack.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FoundReport {
    /// As what it was reported: its own class if that was among it, else the first.
    pub reported: Option<&'static str>,
    /// Seconds to the first alert, whatever its class.
    pub seconds: Option<f64>,
    /// Seconds to the first alert of its own class.
    pub right_seconds: Option<f64>,
}

/// All attacks of one kind, by the first detector.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AttackReport {
    /// What they are.
    pub class: String,
    /// Their finer name.
    pub attack: Option<String>,
    /// How many there are.
    pub episodes: u64,
    /// How many were reported, as whatever.
    pub found: u64,
    /// How many were reported as what they are.
    pub right: u64,
    /// Seconds to the first alert, of those found: the median.
    pub median_seconds: Option<f64>,
    /// The longest of these times.
    pub longest_seconds: Option<f64>,
    /// Their packets.
    pub packets: u64,
}

/// What a model says of single rows.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RowReport {
    /// `model:NAME@VERSION`.
    pub model: String,
    /// The schema of the rows.
    pub schema: &'static str,
    /// What was reported as what.
    pub matrix: Matrix,
}

/// A class of attacks that cannot be reported.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Unwatched {
    /// The label.
    pub class: String,
    /// Whether it is one of the vocabulary.
    pub is_known: bool,
}

/// The measures that can be asked for by name.
pub const MEASURES: [&str; 5] =
    ["macro_f1", "flows.macro_f1", "packets.macro_f1", "episodes.found", "episodes.right"];

impl Report {
    /// One of [`MEASURES`] of the first detector; `None` when it is not defined for these captures.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<f64> {
        let first = self.detectors.first()?;
        match name {
            "macro_f1" => first.episodes.matrix.macro_f1(),
            "flows.macro_f1" => first.flows.macro_f1(),
            "packets.macro_f1" => first.packets.macro_f1(),
            "episodes.found" => ratio(first.episodes.found, first.episodes.total),
            "episodes.right" => ratio(first.episodes.right, first.episodes.total),
            _ => None,
        }
    }
}

/// Makes a report, capture by capture.
pub(super) struct Builder {
    least: Severity,
    report: Report,
    /// Of each detector, the seconds to the first alert of each attack that it found.
    times: Vec<Vec<f64>>,
}

impl Builder {
    pub(super) fn new(detectors: &Detectors, least: Severity) -> Self {
        let empty = |(place, name): (usize, &str)| {
            let classes: BTreeSet<Class> = detectors.classes(place).iter().copied().collect();
            DetectorReport {
                name: name.to_owned(),
                classes: classes.into_iter().map(Class::name).collect(),
                episodes: EpisodeFigures {
                    total: 0,
                    found: 0,
                    right: 0,
                    median_seconds: None,
                    longest_seconds: None,
                    matrix: Matrix::of_attacks(),
                },
                flows: Matrix::default(),
                packets: Matrix::default(),
                false_alerts: FalseAlerts {
                    benign_hours: 0.0,
                    medium: Rate::new(0, 0.0),
                    all: Rate::new(0, 0.0),
                    medium_during_attacks: 0,
                    all_during_attacks: 0,
                    by_class: BTreeMap::new(),
                },
                incidents: IncidentCounts::default(),
                listed: Vec::new(),
            }
        };
        let report = Report {
            schema: "picket.evaluation/1",
            tool: concat!("picket ", env!("CARGO_PKG_VERSION")),
            severity: least.name(),
            captures: Vec::new(),
            detectors: detectors.names().enumerate().map(empty).collect(),
            attacks: Vec::new(),
            episodes: Vec::new(),
            rows: Vec::new(),
            unwatched: Vec::new(),
        };
        Self { least, report, times: vec![Vec::new(); detectors.len()] }
    }

    /// Takes in what was reported of a capture, and its counts.
    pub(super) fn capture(&mut self, case: &Case, found: &[Incidents], tally: &mut Tally<'_>) {
        let (packets, flows) = tally.finish();
        let episodes = tally.labeller.episodes();
        let ends = tally.activity.ends();
        let attacks = AttackTime::of(&episodes);
        let view = View {
            capture: self.report.captures.len(),
            case,
            least: self.least,
            tally,
            start: ends.map_or(Timestamp::ZERO, |(start, _)| start),
            attacks: &attacks,
        };
        self.report.captures.push(CaptureReport {
            path: case.capture.display().to_string(),
            labels: case.labels_path.display().to_string(),
            start: ends.map(|(start, _)| Rfc3339(start)),
            end: ends.map(|(_, end)| Rfc3339(end)),
            seconds: tally.activity.seconds(),
            benign_seconds: tally.activity.benign_seconds(&attacks),
            packets: tally.total,
            episodes: episodes.len() as u64,
        });
        for (detector, (packets, flows)) in self.report.detectors.iter_mut().zip(packets.iter().zip(&flows)) {
            detector.packets.merge(packets);
            detector.flows.merge(flows);
        }
        for (detector, found) in self.report.detectors.iter_mut().zip(found) {
            view.incidents(detector, found, &episodes);
        }
        for episode in &episodes {
            self.episode(&view, found, episode);
        }
    }

    fn episode(&mut self, view: &View<'_, '_>, incidents: &[Incidents], episode: &Episode) {
        let class = truth(&view.case.labels, episode.label);
        let each = self.report.detectors.iter_mut().zip(incidents).zip(&mut self.times);
        let detectors = each.map(|((detector, incidents), times)| {
            let Found { any, right } = found(
                &incidents.list,
                episode,
                self.least,
                |i, e| view.is_class(i, e),
                |e, host| view.tally.labeller.acts(e, host),
            );
            let reported = right
                .or(any)
                .and_then(|f| incidents.list.get(f.incident))
                .map(|incident| incident.class.name());
            let figures = &mut detector.episodes;
            figures.total += 1;
            figures.found += u64::from(any.is_some());
            figures.right += u64::from(right.is_some());
            figures.matrix.add(class, reported.unwrap_or(BENIGN), 1);
            times.extend(any.map(|f| f.after));
            FoundReport { reported, seconds: any.map(|f| f.after), right_seconds: right.map(|f| f.after) }
        });
        let detectors = detectors.collect();
        self.report.episodes.push(EpisodeReport {
            capture: view.capture,
            class: class.to_owned(),
            attack: episode.attack.clone(),
            source: episode.source.clone(),
            start: Rfc3339(episode.start),
            end: Rfc3339(episode.end),
            at: view.seconds(episode.start),
            seconds: episode.end.micros_since(episode.start) as f64 / 1e6,
            packets: episode.packets,
            detectors,
        });
    }

    /// The report of all captures.
    pub(super) fn finish(mut self, rows: Rows) -> Report {
        let report = &mut self.report;
        let benign: f64 = report.captures.iter().map(|capture| capture.benign_seconds).sum();
        for (detector, times) in report.detectors.iter_mut().zip(&mut self.times) {
            (detector.episodes.median_seconds, detector.episodes.longest_seconds) = middle_and_last(times);
            let alerts = &mut detector.false_alerts;
            alerts.benign_hours = benign / 3600.0;
            alerts.medium = Rate::new(alerts.medium.count, benign);
            alerts.all = Rate::new(alerts.all.count, benign);
        }
        report.attacks = attacks(&report.episodes);
        let row = |(model, schema, matrix)| RowReport { model, schema, matrix };
        report.rows = rows.into_matrices().into_iter().map(row).collect();
        if let Some(first) = report.detectors.first() {
            // What reported it can report it, whatever its list says.
            let watched = |class: &str| {
                first.classes.contains(&class) || first.listed.iter().any(|incident| incident.class == class)
            };
            let unwatched =
                report.episodes.iter().filter(|episode| !watched(&episode.class)).map(|episode| Unwatched {
                    class: episode.class.clone(),
                    is_known: Class::from_name(&episode.class).is_some(),
                });
            report.unwatched = unwatched.collect::<BTreeSet<_>>().into_iter().collect();
        }
        self.report
    }
}

/// What is known of a capture when it has been read.
struct View<'a, 't> {
    capture: usize,
    case: &'a Case,
    least: Severity,
    tally: &'a Tally<'t>,
    start: Timestamp,
    attacks: &'a AttackTime,
}

impl View<'_, '_> {
    fn seconds(&self, ts: Timestamp) -> f64 {
        ts.micros_since(self.start) as f64 / 1e6
    }

    fn is_class(&self, incident: &Incident, episode: &Episode) -> bool {
        self.case.labels.name(episode.label) == incident.class.name()
    }

    /// Counts the incidents of a detector.
    fn incidents(&self, detector: &mut DetectorReport, found: &Incidents, episodes: &[Episode]) {
        let kinds = kinds(
            &found.list,
            episodes,
            |i, e| self.is_class(i, e),
            |e, host| self.tally.labeller.acts(e, host),
        );
        detector.incidents.lost += found.lost;
        for (incident, kind) in found.list.iter().zip(kinds) {
            let (opened, class) = (incident.opened(), incident.class.name());
            let is_medium = incident.reported(Severity::Medium).is_some();
            let count = match kind {
                Kind::Right => &mut detector.incidents.right,
                Kind::Other => &mut detector.incidents.other,
                Kind::Late => &mut detector.incidents.late,
                Kind::False => &mut detector.incidents.wrong,
            };
            *count += 1;
            if kind == Kind::False {
                let alerts = &mut detector.false_alerts;
                *alerts.by_class.entry(class).or_default() += 1;
                if self.attacks.holds(opened) {
                    alerts.all_during_attacks += 1;
                    alerts.medium_during_attacks += u64::from(is_medium);
                } else {
                    alerts.all.count += 1;
                    alerts.medium.count += u64::from(is_medium);
                }
                if incident.reported(self.least).is_some() {
                    detector.episodes.matrix.add(BENIGN, class, 1);
                }
            }
            if detector.listed.len() < MAX_LISTED {
                let severity = Severity::ALL.into_iter().rev().find(|s| incident.reported(*s).is_some());
                detector.listed.push(IncidentReport {
                    capture: self.capture,
                    source: incident.source.to_string(),
                    class,
                    severity: severity.unwrap_or(Severity::Low).name(),
                    kind: match kind {
                        Kind::Right => "right",
                        Kind::Other => "other",
                        Kind::Late => "late",
                        Kind::False => "false",
                    },
                    opened: Rfc3339(opened),
                    last_seen: Rfc3339(incident.last_seen),
                    at: self.seconds(opened),
                    until: self.seconds(incident.last_seen),
                });
            }
        }
    }
}

/// The attacks by class and finer name, as the first detector sees them.
fn attacks(episodes: &[EpisodeReport]) -> Vec<AttackReport> {
    let mut groups: BTreeMap<_, Vec<&EpisodeReport>> = BTreeMap::new();
    for episode in episodes {
        groups.entry((rank(&episode.class), &episode.class, &episode.attack)).or_default().push(episode);
    }
    let report = |((_, class, attack), group): ((usize, &String, &Option<String>), Vec<&EpisodeReport>)| {
        let first: Vec<&FoundReport> = group.iter().filter_map(|episode| episode.detectors.first()).collect();
        let mut times: Vec<f64> = first.iter().filter_map(|found| found.seconds).collect();
        let right = first.iter().filter(|found| found.right_seconds.is_some()).count();
        let found = times.len() as u64;
        let (median_seconds, longest_seconds) = middle_and_last(&mut times);
        AttackReport {
            class: class.clone(),
            attack: attack.clone(),
            episodes: group.len() as u64,
            found,
            right: right as u64,
            median_seconds,
            longest_seconds,
            packets: group.iter().map(|episode| episode.packets).sum(),
        }
    };
    groups.into_iter().map(report).collect()
}

/// The median, the lower one of two, and the greatest.
fn middle_and_last(times: &mut [f64]) -> (Option<f64>, Option<f64>) {
    times.sort_unstable_by(f64::total_cmp);
    (times.get(times.len().saturating_sub(1) / 2).copied(), times.last().copied())
}
