//! `[update]`: how models are updated from afar.

use std::path::PathBuf;
use std::time::Duration;

use super::Transport;
use super::check::Check;
use super::raw::RawUpdate;
use crate::update::MAX_MODEL_BYTES;

/// One day, in seconds.
const DAY: u64 = 86_400;

/// Files that exist once the clock is set: systemd-timesyncd's, and that of the OpenWrt package's hotplug script of ntpd.
pub const CLOCK_MARKS: [&str; 2] = ["/run/systemd/timesync/synchronized", "/var/run/picket/clock"];

/// How models are updated from afar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    /// Whether releases are taken at all.
    pub enabled: bool,
    /// The operator's root.
    pub trust_root: PathBuf,
    /// Folder of releases and state.
    pub path: PathBuf,
    /// Folder in which releases are put by hand.
    pub inbox: Option<PathBuf>,
    /// A file that exists once the clock is set, besides [`CLOCK_MARKS`].
    pub time_mark: Option<PathBuf>,
    /// The channel followed besides the sensor's own topic.
    pub channel: Option<String>,
    /// How models may be fetched.
    pub transport: Transport,
    /// PEM certificates of the authorities trusted for HTTPS; without them there is none.
    pub ca_file: Option<PathBuf>,
    /// Largest model, in bytes.
    pub max_model: u64,
    /// Memory that the self-test may take, in bytes.
    pub max_memory: u64,
    /// Time for one row at the 99th percentile.
    pub max_row_time: Duration,
    /// Age of the newest timestamp from which the health warns.
    pub stale_after: Duration,
}

impl Check<'_> {
    /// `[update]`
    pub(super) fn update(&mut self, raw: RawUpdate) -> Update {
        let mut folder = |key, setting, default: &str| {
            self.optional(key, setting, default).unwrap_or_else(|| {
                self.fault(key, "must not be empty");
                default.to_owned()
            })
        };
        let trust_root = folder("update.trust-root", raw.trust_root, "/etc/picket/trust/root.json").into();
        let path = folder("update.path", raw.path, "/var/lib/picket/models").into();
        let update = Update {
            enabled: self.switch("update.enabled", raw.enabled, false),
            trust_root,
            path,
            inbox: self.optional("update.inbox", raw.inbox, "").map(PathBuf::from),
            time_mark: self
                .optional("update.time-mark", raw.time_mark, "/run/picket/time-synchronised")
                .map(PathBuf::from),
            channel: self.level("update.channel", raw.channel),
            transport: self.choice(
                "update.transport",
                raw.transport,
                &[("any", Transport::Any), ("https", Transport::Https), ("mqtt", Transport::Mqtt)],
            ),
            ca_file: self.optional("update.ca-file", raw.ca_file, "").map(PathBuf::from),
            max_model: self.size("update.max-model", raw.max_model, 1 << 20, 4 << 10, MAX_MODEL_BYTES),
            max_memory: self.size("update.max-memory", raw.max_memory, 128 << 20, 16 << 20, 1 << 30),
            max_row_time: self.time("update.max-row-time", raw.max_row_time),
            stale_after: self.duration(
                "update.stale-after",
                raw.stale_after,
                14 * DAY,
                Duration::from_secs(3600),
                Duration::from_secs(365 * DAY),
            ),
        };
        if update.enabled && !cfg!(feature = "tls") {
            if update.ca_file.is_some() {
                self.fault("update.ca-file", "needs a Picket built with the feature `tls`");
            }
            if update.transport == Transport::Https {
                self.fault("update.transport", "https needs a Picket built with the feature `tls`");
            }
        }
        update
    }

    fn time(&mut self, key: &str, setting: super::raw::Setting<String>) -> Duration {
        let (least, most) = (Duration::from_micros(10), Duration::from_secs(1));
        let default = Duration::from_millis(2);
        self.value(key, setting, "2ms".to_owned(), |text| {
            humantime::parse_duration(&text)
                .ok()
                .filter(|time| (least..=most).contains(time))
                .ok_or_else(|| "must be a time from \"10us\" to \"1s\"".to_owned())
        })
        .unwrap_or(default)
    }
}
