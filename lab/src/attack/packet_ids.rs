//! Packet identifiers that are 0, still in use, or of an exchange that does not exist (2.3.1).

use clap::Args;
use serde::{Deserialize, Serialize};

use super::manner::Manner;
use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::{self, Publish, acknowledge};
use crate::mqtt::session::Session;
use crate::random::Random;
use crate::stop::Stop;

/// What is wrong with the identifiers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Misuse {
    /// They are 0.
    Zero,
    /// They belong to an exchange that is not over.
    InUse,
    /// Acknowledgements of what was never sent.
    Unknown,
    /// Any of these.
    Mixed,
}

/// Options of the misuse.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct PacketIds {
    /// Packets in all
    #[arg(long, default_value_t = 120)]
    pub count: u32,
    /// What is wrong with the identifiers
    #[arg(long, value_enum, default_value = "mixed")]
    pub misuse: Misuse,
    /// How it goes about it
    #[command(flatten)]
    pub manner: Manner,
}

impl Default for PacketIds {
    fn default() -> Self {
        defaults()
    }
}

impl Deed for PacketIds {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_malformed", "A16")
    }

    fn secs(&self) -> u32 {
        self.manner.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        self.manner.work(place, stop, meter, self.count, |mut worker| {
            let mut session: Option<Session> = None;
            while let Some(index) = worker.turn() {
                let Some(open) = worker.session(&mut session, index) else { continue };
                let bytes = self.packet(open, &mut worker.random);
                // A broker that closes has refused.
                match open.send_cut(&bytes, worker.cut()).and_then(|()| open.swallow()) {
                    Ok(()) => Meter::count(&meter.accepted),
                    Err(_) => {
                        Meter::count(&meter.refused);
                        session = None;
                    }
                }
            }
        });
    }
}

impl PacketIds {
    fn packet(&self, session: &Session, random: &mut Random) -> Vec<u8> {
        let misuse = match self.misuse {
            Misuse::Mixed => *random.pick(&[Misuse::Zero, Misuse::InUse, Misuse::Unknown]),
            one => one,
        };
        let (qos, id) = match misuse {
            Misuse::Zero => (*random.pick(&[1, 2]), 0),
            Misuse::InUse => (2, 7),
            Misuse::Unknown | Misuse::Mixed => {
                let first = *random.pick(&[packet::PUBACK, packet::PUBREC, packet::PUBREL, packet::PUBCOMP]);
                let id = u16::try_from(random.between((1000, 65_535))).expect("at most 65,535");
                return acknowledge(first, id).to_vec();
            }
        };
        let mut bytes = Vec::new();
        Publish { topic: "site/ids/state", payload: b"1", qos, retain: false, id }
            .encode_into(session.version(), &mut bytes);
        bytes
    }
}
