//! The retained status: whether the sensor lives, what it runs, and how its parts are.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::rfc3339::Rfc3339;
use super::topics::SensorName;
use crate::time::Timestamp;

/// `schema` of the status.
pub const STATUS_SCHEMA: &str = "picket.status/1";

/// How a part of the daemon is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Not yet known.
    Starting,
    /// As it should be.
    Ok,
    /// Works with a limitation, which the reason names.
    Degraded,
    /// Sees nothing: the interface is gone or down.
    Blind,
    /// Out of reach; tried again.
    Away,
    /// The other side says no; tried again, slowly.
    Refused,
    /// Does not work.
    Failed,
    /// Switched off by the configuration.
    Off,
}

/// The state of one part, and why it is not [`Condition::Ok`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// How it is.
    pub state: Condition,
    /// Why, in words; `None` when there is nothing to explain.
    pub reason: Option<String>,
}

impl Part {
    /// As it should be.
    #[must_use]
    pub const fn ok() -> Self {
        Self::plain(Condition::Ok)
    }

    /// A state without a reason.
    #[must_use]
    pub const fn plain(state: Condition) -> Self {
        Self { state, reason: None }
    }

    /// A state with its reason.
    #[must_use]
    pub fn because(state: Condition, reason: impl Into<String>) -> Self {
        Self { state, reason: Some(reason.into()) }
    }
}

impl fmt::Display for Part {
    /// The reason, or the state where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => f.write_str(reason),
            None => write!(f, "{:?}", self.state),
        }
    }
}

/// The health of the parts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Health {
    /// Capturing frames.
    pub capture: Part,
    /// The models.
    pub model: Part,
    /// The alert store.
    pub store: Part,
    /// The management broker.
    pub broker: Part,
    /// The cage the daemon is in.
    pub sandbox: Part,
    /// Updates of the model.
    pub update: Part,
}

impl Default for Health {
    fn default() -> Self {
        let starting = || Part::plain(Condition::Starting);
        Self {
            capture: starting(),
            model: starting(),
            store: starting(),
            broker: starting(),
            sandbox: starting(),
            update: starting(),
        }
    }
}

/// The status document; its shape is `docs/schema/status.schema.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Status {
    schema: &'static str,
    sensor: String,
    online: bool,
    version: &'static str,
    models: Vec<String>,
    since: Rfc3339,
    health: Option<Health>,
}

impl Status {
    /// The document as one line of JSON.
    ///
    /// # Panics
    /// Never: a status has only text keys, and no part of it can fail to serialise.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a status has only text keys and no fallible parts")
    }
}

/// What the board holds; every change makes a new edition.
#[derive(Debug)]
struct Posted {
    models: Vec<String>,
    health: Health,
    edition: u64,
}

/// The board on which every thread posts its part's health and from which the status is read.
#[derive(Clone, Debug)]
pub struct Board {
    sensor: SensorName,
    since: Timestamp,
    posted: Arc<Mutex<Posted>>,
}

impl Board {
    /// A board of a daemon that started at `since` with these models (`<name>@<version>`) loaded.
    #[must_use]
    pub fn new(sensor: SensorName, models: Vec<String>, since: Timestamp) -> Self {
        let posted = Posted { models, health: Health::default(), edition: 1 };
        Self { sensor, since, posted: Arc::new(Mutex::new(posted)) }
    }

    /// Changes the health; nothing happens when `change` changes nothing.
    pub fn post(&self, change: impl FnOnce(&mut Health)) {
        let mut posted = self.lock();
        let before = posted.health.clone();
        change(&mut posted.health);
        if posted.health != before {
            posted.edition += 1;
        }
    }

    /// Other models are loaded, or none.
    pub fn set_models(&self, models: Vec<String>) {
        let mut posted = self.lock();
        if posted.models != models {
            posted.models = models;
            posted.edition += 1;
        }
    }

    /// The health as it stands.
    #[must_use]
    pub fn health(&self) -> Health {
        self.lock().health.clone()
    }

    /// Number of the present edition; it grows with every change.
    #[must_use]
    pub fn edition(&self) -> u64 {
        self.lock().edition
    }

    /// The status of a daemon that lives.
    #[must_use]
    pub fn online(&self) -> Status {
        let posted = self.lock();
        self.status(posted.models.clone(), Some(posted.health.clone()))
    }

    /// The status of a daemon that is gone: the last will, and the last word of an orderly end.
    #[must_use]
    pub fn offline(&self) -> Status {
        let models = self.lock().models.clone();
        self.status(models, None)
    }

    fn status(&self, models: Vec<String>, health: Option<Health>) -> Status {
        Status {
            schema: STATUS_SCHEMA,
            sensor: self.sensor.to_string(),
            online: health.is_some(),
            version: env!("CARGO_PKG_VERSION"),
            models,
            since: Rfc3339(self.since),
            health,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Posted> {
        // Nothing under this lock can leave the board half changed, so a poisoned one is as good.
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_makes_a_new_edition() {
        let board = Board::new("gw-1".parse().unwrap(), Vec::new(), Timestamp::ZERO);
        let first = board.edition();
        board.post(|health| health.store = Part::plain(Condition::Starting));
        board.set_models(Vec::new());
        assert_eq!(board.edition(), first);
        board.post(|health| health.store = Part::ok());
        board.set_models(vec!["default@1".to_owned()]);
        assert_eq!(board.edition(), first + 2);
    }

    #[test]
    fn the_documents_are_these_bytes() {
        let board = Board::new("gw-1".parse().unwrap(), vec!["default@3".to_owned()], Timestamp::ZERO);
        board.post(|health| {
            health.capture = Part::because(Condition::Blind, "lo is down");
            health.model = Part::ok();
        });
        let head = format!(
            r#"{{"schema":"picket.status/1","sensor":"gw-1","online":ONLINE,"version":"{}","models":["default@3"],"since":"1970-01-01T00:00:00.000000Z","health":"#,
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(
            board.online().to_json(),
            head.replace("ONLINE", "true")
                + concat!(
                    r#"{"capture":{"state":"blind","reason":"lo is down"},"model":{"state":"ok","reason":null},"#,
                    r#""store":{"state":"starting","reason":null},"broker":{"state":"starting","reason":null},"sandbox":{"state":"starting","reason":null},"update":{"state":"starting","reason":null}}}"#
                )
        );
        assert_eq!(board.offline().to_json(), head.replace("ONLINE", "false") + "null}");
    }
}
