//! Every control packet and event that the engine shows, kept.

use picket::alert::Alert;
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Observed, Settings, Sink, Stats};
use picket::event::Event;
use picket::flow::key::Direction;
use picket::frame::Frame;
use picket::memory::OwnedMemory;
use picket::mqtt::packet::PacketType;
use picket::mqtt::version::Version;

/// A control packet that was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub packet_type: PacketType,
    pub direction: Direction,
    pub version: Version,
    pub remaining_length: u32,
    pub head: Vec<u8>,
    /// Whether anything is wrong with it.
    pub wrong: bool,
}

/// Keeps everything.
#[derive(Default, Debug)]
pub struct Everything {
    pub packets: Vec<Seen>,
    pub events: Vec<Event>,
    pub alerts: Vec<Alert>,
}

impl Sink for Everything {
    const WANTS_PACKETS: bool = true;

    fn alert(&mut self, alert: &Alert) {
        self.alerts.push(alert.clone());
    }

    fn event(&mut self, event: &Event) {
        self.events.push(*event);
    }

    fn control_packet(&mut self, seen: &Observed<'_, '_>) {
        self.packets.push(Seen {
            packet_type: seen.packet.packet_type,
            direction: seen.direction,
            version: seen.version,
            remaining_length: seen.raw.remaining_length,
            head: seen.raw.head.to_vec(),
            wrong: !seen.packet.violations.is_empty(),
        });
    }
}

impl Everything {
    /// The types of all packets, in order.
    pub fn types(&self) -> Vec<PacketType> {
        self.packets.iter().map(|packet| packet.packet_type).collect()
    }

    /// The types of the packets that went this way, in order.
    pub fn types_of(&self, direction: Direction) -> Vec<PacketType> {
        self.packets.iter().filter(|packet| packet.direction == direction).map(|p| p.packet_type).collect()
    }
}

/// Runs frames through an engine with the default settings.
pub fn see<'f>(frames: impl IntoIterator<Item = Frame<'f>>) -> (Everything, Stats) {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut everything = Everything::default();
    for frame in frames {
        engine.on_frame(&frame, &mut everything);
    }
    engine.finish(&mut everything);
    (everything, engine.stats())
}
