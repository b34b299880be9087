//! What is written down about the traffic that was made: episodes, labels, summaries.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::benign::fleet::DeviceReport;
use crate::error::LabError;

/// One attack that took place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Episode {
    /// Class, as in the product's vocabulary.
    pub class: String,
    /// Number in the catalogue of attacks, such as A3.
    pub attack: String,
    /// Source address.
    pub attacker: IpAddr,
    /// Other addresses that its packets seem to come from.
    pub disguises: Vec<IpAddr>,
    /// Attacked address and port.
    pub victim: SocketAddr,
    /// Just before the first packet, in seconds since 1970 UTC, with microseconds.
    pub start: f64,
    /// Just after the last packet was handed to the system.
    pub end: f64,
    /// Actions done: guesses, connections, messages, ports, packets.
    pub count: u64,
    /// Of these, accepted by the broker, or written to it.
    pub accepted: u64,
    /// Refused by the broker, or by a closed port.
    pub refused: u64,
    /// Failed on the way.
    pub failed: u64,
    /// The options it was run with.
    pub style: Attack,
}

/// What a command did, for machines to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Name and version of the program.
    pub tool: String,
    /// The seed.
    pub seed: u64,
    /// The broker.
    pub broker: SocketAddr,
    /// The attacks, in the order in which they ended.
    pub episodes: Vec<Episode>,
    /// The benign devices.
    pub benign: Vec<DeviceReport>,
}

impl Summary {
    /// An empty summary.
    #[must_use]
    pub fn new(seed: u64, broker: SocketAddr) -> Self {
        Self { tool: TOOL.into(), seed, broker, episodes: Vec::new(), benign: Vec::new() }
    }

    /// Writes it as JSON to a file, or to stdout.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, file: Option<&Path>) -> Result<(), LabError> {
        write_json(self, file)
    }
}

/// Name and version of this program.
pub const TOOL: &str = concat!("picket-lab ", env!("CARGO_PKG_VERSION"));

/// Writes a value as indented JSON to a file, or to stdout.
///
/// # Errors
/// If it cannot be written.
pub fn write_json<T: Serialize>(value: &T, file: Option<&Path>) -> Result<(), LabError> {
    let mut text = serde_json::to_string_pretty(value).expect("no map with keys that are not strings");
    text.push('\n');
    if let Some(path) = file {
        return fs::write(path, text).map_err(LabError::io(path.display().to_string()));
    }
    io::stdout().write_all(text.as_bytes()).map_err(LabError::io("stdout"))
}

/// The labels of a capture, `labels.toml`. A packet belongs to an episode if its source or destination is the
/// attacker and its time lies within; everything else is benign.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Labels {
    /// The attacks.
    #[serde(default, rename = "episode")]
    pub episodes: Vec<Label>,
}

/// The label of one attack.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// Class, as in the product's vocabulary.
    pub class: String,
    /// Number in the catalogue of attacks, such as A3.
    pub attack: String,
    /// Source address.
    pub source: IpAddr,
    /// Attacked address.
    pub victim: IpAddr,
    /// Attacked port; for a scan, the port of the broker among those tried.
    pub port: u16,
    /// Seconds since 1970 UTC, with microseconds.
    pub start: f64,
    /// Seconds since 1970 UTC, with microseconds.
    pub end: f64,
    /// Actions done.
    pub count: u64,
}

impl Labels {
    /// The labels of these episodes, in order of time: one for each address that an attack seems to come from.
    #[must_use]
    pub fn of(episodes: &[Episode]) -> Self {
        let mut labels: Vec<_> = episodes
            .iter()
            .flat_map(|episode| {
                std::iter::once(&episode.attacker).chain(&episode.disguises).map(|source| Label {
                    class: episode.class.clone(),
                    attack: episode.attack.clone(),
                    source: *source,
                    victim: episode.victim.ip(),
                    port: episode.victim.port(),
                    start: episode.start,
                    end: episode.end,
                    count: episode.count,
                })
            })
            .collect();
        labels.sort_by(|a, b| a.start.total_cmp(&b.start));
        Self { episodes: labels }
    }

    /// The file's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let body = toml::to_string(self).expect("labels are plain values");
        format!(
            "# Attacks in capture.pcap; what is not listed is benign. Times: seconds since 1970 UTC.\n{body}"
        )
    }
}

/// Seconds since 1970 UTC, to the microsecond.
#[must_use]
pub fn unix(time: SystemTime) -> f64 {
    let micros = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    #[expect(clippy::cast_precision_loss, reason = "exact: 2^53 microseconds reach to the year 2255")]
    let micros = micros as f64;
    micros / 1e6
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn episode(class: &str, start: f64) -> Episode {
        Episode {
            class: class.into(),
            attack: "N1".into(),
            disguises: vec!["198.18.0.9".parse().unwrap()],
            attacker: "10.77.1.66".parse().unwrap(),
            victim: "10.77.1.1:1883".parse().unwrap(),
            start,
            end: start + 5.25,
            count: 3,
            accepted: 1,
            refused: 2,
            failed: 0,
            style: toml::from_str("name = \"tcp_scan\"").unwrap(),
        }
    }

    #[test]
    fn labels_are_in_order_and_read_back() {
        let labels = Labels::of(&[
            episode("tcp_scan", 1_763_690_020.5),
            episode("mqtt_slow_dos", 1_763_690_000.123_456),
        ]);
        let text = labels.to_toml();
        assert!(
            text.contains("[[episode]]\nclass = \"mqtt_slow_dos\"\nattack = \"N1\"\nsource = \"10.77.1.66\""),
            "{text}"
        );
        assert!(text.contains("start = 1763690000.123456\n"), "{text}");
        assert_eq!(toml::from_str::<Labels>(&text).unwrap(), labels);
        assert_eq!(labels.episodes[2].class, "tcp_scan");
        assert_eq!(labels.episodes[3].source.to_string(), "198.18.0.9");
    }

    #[test]
    fn no_attack_no_label() {
        let text = Labels::of(&[]).to_toml();
        assert_eq!(toml::from_str::<Labels>(&text).unwrap().episodes, []);
    }

    #[test]
    fn time_to_the_microsecond() {
        let time = UNIX_EPOCH + Duration::from_micros(1_763_690_000_123_456);
        assert_eq!(unix(time).to_string(), "1763690000.123456");
    }

    #[test]
    fn a_summary_reads_back() {
        let mut summary = Summary::new(7, "127.0.0.1:1883".parse().unwrap());
        summary.episodes.push(episode("tcp_scan", 10.0));
        let file = tempfile::NamedTempFile::new().unwrap();
        summary.write(Some(file.path())).unwrap();
        let back: Summary = serde_json::from_str(&fs::read_to_string(file.path()).unwrap()).unwrap();
        assert_eq!(back.episodes, summary.episodes);
        assert_eq!((back.seed, back.tool.as_str()), (7, TOOL));
    }
}
