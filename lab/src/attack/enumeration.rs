//! Reading what is not one's own: wildcard and `$SYS` subscriptions (MQTT-PWN, MQTTSA), shared subscriptions.

use std::io;
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::{Manner, Worker};
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::incoming::Incoming;
use crate::mqtt::session::Session;
use crate::stop::Stop;

/// Which topics are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// `#`, once for each session.
    All,
    /// `$SYS/#`.
    Sys,
    /// Both.
    Both,
    /// The topics under `$SYS` one by one.
    SysList,
    /// Wildcards at every depth and under every usual prefix.
    Walk,
}

const SYS: [&str; 20] = [
    "$SYS/broker/version",
    "$SYS/broker/timestamp",
    "$SYS/broker/uptime",
    "$SYS/broker/subscriptions/count",
    "$SYS/broker/clients/total",
    "$SYS/broker/clients/connected",
    "$SYS/broker/clients/expired",
    "$SYS/broker/clients/disconnected",
    "$SYS/broker/clients/maximum",
    "$SYS/broker/heap/current",
    "$SYS/broker/heap/maximum",
    "$SYS/broker/messages/received",
    "$SYS/broker/messages/sent",
    "$SYS/broker/messages/stored",
    "$SYS/broker/publish/messages/received",
    "$SYS/broker/publish/bytes/received",
    "$SYS/broker/retained messages/count",
    "$SYS/broker/load/messages/received/1min",
    "$SYS/broker/load/connections/1min",
    "$SYS/broker/bytes/received",
];

const WALK: [&str; 24] = [
    "+/#",
    "+/+/#",
    "+/+/+/#",
    "/#",
    "+",
    "+/+",
    "site/#",
    "home/#",
    "homeassistant/#",
    "zigbee2mqtt/#",
    "tele/#",
    "stat/#",
    "cmnd/#",
    "shellies/#",
    "owntracks/#",
    "devices/#",
    "sensors/#",
    "factory/#",
    "spBv1.0/#",
    "iot/#",
    "$aws/#",
    "$CONTROL/#",
    "application/#",
    "v1/devices/#",
];

/// Options of the enumeration.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Enumeration {
    /// SUBSCRIBE packets in all
    #[arg(long, default_value_t = 40)]
    pub count: u32,
    /// Which topics
    #[arg(long, value_enum, default_value = "both")]
    pub search: Search,
    /// Filters in one SUBSCRIBE
    #[arg(long, default_value_t = 1)]
    pub together: u32,
    /// SUBSCRIBE packets in one session; 0 uses one session for all
    #[arg(long, default_value_t = 0)]
    pub per_session: u32,
    /// Seconds for which each session listens at its end
    #[arg(long, default_value_t = 1.0)]
    pub listen: f64,
    /// Quality of service
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for Enumeration {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for Enumeration {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_recon", "A9")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut filters: Vec<&str> = match self.search {
            Search::All => vec!["#"],
            Search::Sys => vec!["$SYS/#"],
            Search::Both => vec!["#", "$SYS/#"],
            Search::SysList => SYS.to_vec(),
            Search::Walk => WALK.to_vec(),
        };
        place.random(u32::MAX).shuffle(&mut filters);
        let together = self.together.clamp(1, 40) as usize;
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let mut session: Option<Session> = None;
            let mut used = 0;
            while let Some(index) = worker.turn() {
                if session.is_none() {
                    used = 0;
                }
                let Some(open) = worker.session(&mut session, index) else { continue };
                let first = usize::try_from(index).unwrap_or(0) * together;
                let asked: Vec<_> = (first..first + together)
                    .map(|index| (filters[index % filters.len()], self.qos))
                    .take(filters.len())
                    .collect();
                used += 1;
                let asked = ask(open, &asked, &worker);
                let used_up = self.per_session > 0 && used >= self.per_session;
                if (asked.is_err() || used_up)
                    && let Some(open) = session.take().filter(|_| asked.is_ok())
                {
                    listen(open, self.listen, stop);
                }
            }
            if let Some(open) = session {
                listen(open, self.listen, stop);
            }
        });
    }
}

/// Subscribes and counts what the broker says to it.
fn ask(session: &mut Session, filters: &[(&str, u8)], worker: &Worker<'_>) -> io::Result<()> {
    let asked = session.subscribe(filters).and_then(|()| suback(session, worker.stop));
    match &asked {
        Ok(codes) if codes.iter().all(|code| *code >= 0x80) => Meter::count(&worker.meter.refused),
        other => worker.tell(other),
    }
    asked.map(drop)
}

/// Waits a little for the next SUBACK; messages before it are read and not answered.
pub(super) fn suback(session: &mut Session, stop: &Stop) -> io::Result<Vec<u8>> {
    let late = Instant::now() + Duration::from_millis(500);
    while !stop.is_set() {
        match session.receive(late)? {
            Some(Incoming::Suback(codes)) => return Ok(codes),
            Some(_) => {}
            None => break,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Takes what comes for a while, and leaves.
fn listen(mut session: Session, secs: f64, stop: &Stop) {
    let until = Instant::now() + Duration::from_secs_f64(secs.clamp(0.0, 60.0));
    while Instant::now() < until && !stop.is_set() {
        if session.pump(until, stop).is_err() {
            return; // the broker has had enough
        }
    }
    session.leave();
}

/// Options of the shared subscriptions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct SharedSubscription {
    /// Members in all: each has a session of its own
    #[arg(long, default_value_t = 12)]
    pub count: u32,
    /// Different groups
    #[arg(long, default_value_t = 2)]
    pub groups: u32,
    /// Take everything instead of the topics of the site
    #[arg(long)]
    pub everything: bool,
    /// Quality of service
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: u8,
    /// Seconds for which the last member stays
    #[arg(long, default_value_t = 2.0)]
    pub listen: f64,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for SharedSubscription {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for SharedSubscription {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_recon", "A19")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        const GROUPS: [&str; 6] = ["workers", "backend", "group1", "ingest", "consumers", "g"];
        const TOPICS: [&str; 4] = ["site/#", "site/+/state", "site/+/temperature", "+/+/set"];
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let mut members = Vec::new();
            while let Some(index) = worker.turn() {
                let name = worker.client_id(index);
                let Some(mut session) = worker.connect(&name) else { continue };
                let index = usize::try_from(index).unwrap_or(0);
                let group = GROUPS[index % (self.groups.max(1) as usize).min(GROUPS.len())];
                let topic = if self.everything { "#" } else { TOPICS[index % TOPICS.len()] };
                let filter = format!("$share/{group}/{topic}");
                if ask(&mut session, &[(&filter, self.qos)], &worker).is_ok() {
                    members.push(session);
                }
                // A member that is gone has nothing to drain.
                members.retain_mut(|member| member.drain().is_ok());
            }
            let until = Instant::now() + Duration::from_secs_f64(self.listen.clamp(0.0, 60.0));
            while Instant::now() < until && stop.sleep(Duration::from_millis(20)) {
                members.retain_mut(|member| member.drain().is_ok());
            }
            members.into_iter().for_each(Session::leave);
        });
    }
}
