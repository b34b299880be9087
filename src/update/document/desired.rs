//! What the operator wants of one sensor, or of all that follow a channel.

use serde::{Deserialize, Serialize};

use super::{Moment, is_line, read, rule};
use crate::update::reason::Refusal;
use crate::update::trust::Envelope;

/// New roots in one document, at most.
const MAX_ROOTS: usize = 4;
const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// How the model is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// By HTTPS where the manifest names an address, else by MQTT.
    #[default]
    Any,
    /// By HTTPS only.
    Https,
    /// By MQTT only.
    Mqtt,
}

/// The part of the day, in UTC, in which something may be installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First minute of the day.
    pub from_minute: u16,
    /// The minute at which it ends; below `from_minute` when it reaches over midnight.
    pub to_minute: u16,
}

impl Window {
    /// Whether `now` lies in it.
    #[must_use]
    pub const fn holds(self, now: Moment) -> bool {
        let minute = now.0 / 60 % 1440;
        let (from, to) = (self.from_minute as u64, self.to_minute as u64);
        if from <= to { from <= minute && minute < to } else { from <= minute || minute < to }
    }
}

/// When and how. It is not signed: it can put an update off, never let one through.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Only at this time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How it is fetched.
    #[serde(default)]
    pub transport: Transport,
}

/// The document on `update/desired` and on `_fleet/update/<channel>`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desired {
    /// [`Desired::SCHEMA`].
    pub schema: String,
    /// Chosen by the operator's side; comes back in what is reported.
    pub request: String,
    /// Roots that follow one another, for sensors that have not seen them.
    pub roots: Vec<Envelope>,
    /// Which release is the newest.
    pub timestamp: Envelope,
    /// The release.
    pub manifest: Envelope,
    /// When and how.
    #[serde(default)]
    pub policy: Policy,
}

impl Desired {
    /// The value of `schema`.
    pub const SCHEMA: &'static str = "picket.update.desired/1";
    /// Largest message read, in octets.
    pub const MAX_BYTES: usize = 128 << 10;

    /// Reads what is desired. Nothing in it is verified yet.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let desired: Self = read("desired", octets, Self::MAX_BYTES)?;
        rule(desired.schema == Self::SCHEMA, "desired: schema is not picket.update.desired/1")?;
        rule(is_line(&desired.request, 64), "desired: request is not 1 to 64 printable octets")?;
        rule(desired.roots.len() <= MAX_ROOTS, "desired: more than 4 roots")?;
        if let Some(Window { from_minute, to_minute }) = desired.policy.window {
            let fits = from_minute < MINUTES_OF_A_DAY && to_minute < MINUTES_OF_A_DAY;
            rule(fits, "desired: policy.window is not within a day")?;
        }
        Ok(desired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_reach_over_midnight() {
        let at = |hour: u64, minute: u64| Moment(20_000 * 86_400 + hour * 3600 + minute * 60);
        let day = Window { from_minute: 120, to_minute: 240 };
        assert_eq!(
            [at(1, 59), at(2, 0), at(3, 59), at(4, 0)].map(|t| day.holds(t)),
            [false, true, true, false]
        );
        let night = Window { from_minute: 1380, to_minute: 60 };
        assert_eq!(
            [at(22, 59), at(23, 0), at(0, 59), at(1, 0)].map(|t| night.holds(t)),
            [false, true, true, false]
        );
    }
}
