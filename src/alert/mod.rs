//! An alert as the core makes it: fixed size, no text but names known at build time and the client id.
//!
//! The shell adds what only it knows (sensor name, sequence number, model name) and writes JSON.

use core::net::IpAddr;

use heapless::Vec;

use crate::detect::class::Class;
use crate::limits::{ALERT_VIOLATIONS, CLIENT_ID_BYTES, EVIDENCE_ITEMS};
use crate::time::Timestamp;

/// How much it matters to the operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Worth knowing; no action.
    Low,
    /// To be looked at today.
    Medium,
    /// An attack is going on.
    High,
    /// An attack is going on and seems to succeed.
    Critical,
}

impl Severity {
    /// Every severity, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name used in alerts and topics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Where an incident is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// The first alert of the incident.
    Open,
    /// It goes on; `count` has grown.
    Update,
    /// It has been quiet for the closing time.
    Closed,
}

impl State {
    /// The name used in alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Update => "update",
            Self::Closed => "closed",
        }
    }
}

/// Who raised it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Detector {
    /// A deterministic rule, by name.
    Rule(&'static str),
    /// The model at this place; the shell knows its name and version.
    Model(u8),
}

/// One end of the traffic an alert speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// Its address.
    pub ip: IpAddr,
    /// The port, where one port is meant.
    pub port: Option<u16>,
    /// The link address it was last seen with, where the link has one.
    pub mac: Option<[u8; 6]>,
}

/// One named figure that the alert rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// What was counted, such as `connack_refused`.
    pub name: &'static str,
    /// Its unit, such as `packets/60s`.
    pub unit: &'static str,
    /// The figure.
    pub value: u64,
}

/// The evidence of one alert.
pub type EvidenceList = Vec<Evidence, EVIDENCE_ITEMS>;

/// Names of events such as `mqtt311:3.3.1-4`; see `docs/violations.md`.
pub type ViolationNames = Vec<&'static str, ALERT_VIOLATIONS>;

/// An MQTT client identifier, cut at [`CLIENT_ID_BYTES`]; raw bytes of the wire, escaped only when written.
pub type ClientId = Vec<u8, CLIENT_ID_BYTES>;

/// One message about one incident.
#[derive(Clone, PartialEq, Debug)]
pub struct Alert {
    /// The incident's ULID as bits: 48 bits of milliseconds, 80 bits that tell incidents apart.
    pub incident: u128,
    /// When this message was made, on the capture's clock.
    pub ts: Timestamp,
    /// The first evidence of the incident.
    pub first_seen: Timestamp,
    /// The latest evidence of the incident.
    pub last_seen: Timestamp,
    /// What it is.
    pub class: Class,
    /// How much it matters.
    pub severity: Severity,
    /// 0 to 1. A rule states how far its threshold was passed, a model its probability.
    pub confidence: f32,
    /// Who says so.
    pub detector: Detector,
    /// Who does it.
    pub source: Endpoint,
    /// To whom, where there is one victim.
    pub destination: Option<Endpoint>,
    /// The MQTT client it was done as, where it is one client.
    pub client_id: Option<ClientId>,
    /// What it rests on.
    pub evidence: EvidenceList,
    /// Where it is about breaches of the standard: the statements broken, at most [`ALERT_VIOLATIONS`].
    pub violations: ViolationNames,
    /// How often the detector fired within this incident.
    pub count: u64,
    /// Open, update or closed.
    pub state: State,
}
