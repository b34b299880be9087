//! What the engine makes of one frame: its innermost packet, and the fields of the MQTT packets that it completes.

use super::ipv4::Ipv4;
use super::mqtt_fields::MqttFields;
use crate::decode::{Packet, SkipReason, Transport};
use crate::detect::scorer::NoModel;
use crate::engine::{Engine, Memory, Observed, Settings, Sink};
use crate::flow::key::{FlowKey, Socket};
use crate::frame::Frame;

/// A TCP segment of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) src: Socket,
    pub(super) key: FlowKey,
    pub(super) seq: u32,
    /// Twelve bits; the upper four are 0 behind a tunnel and in datagrams put together of fragments.
    pub(super) flags: u16,
    /// Octets of payload on the wire.
    pub(super) payload_len: u32,
}

/// What there is in the frame at hand.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) segment: Option<Segment>,
    pub(super) mqtt: MqttFields,
}

impl Sink for Seen {
    const WANTS_FRAMES: bool = true;
    const WANTS_PACKETS: bool = true;

    fn frame(&mut self, frame: &Frame<'_>, decoded: Result<&Packet<'_>, SkipReason>) {
        let Ok(packet) = decoded else { return };
        let Transport::Tcp(tcp) = packet.transport else { return };
        let src = Socket { addr: packet.src, port: tcp.src_port };
        let dst = Socket { addr: packet.dst, port: tcp.dst_port };
        let outer = Ipv4::of(frame).and_then(|ip| ip.tcp());
        let reserved = outer.filter(|outer| (outer.src_port, outer.dst_port) == (src.port, dst.port));
        self.segment = Some(Segment {
            src,
            key: FlowKey::new(src, dst),
            seq: tcp.seq,
            flags: u16::from(tcp.flags.bits()) | reserved.map_or(0, |outer| outer.flags & 0x0f00),
            payload_len: tcp.wire_payload_len,
        });
    }

    fn control_packet(&mut self, seen: &Observed<'_, '_>) {
        self.mqtt.add(seen);
    }
}

/// The engine without rules, whose findings are those of the frame at hand.
pub(super) struct Dissector<'m> {
    engine: Engine<'m, NoModel>,
    seen: Seen,
}

impl<'m> Dissector<'m> {
    pub(super) fn new(settings: Settings, memory: Memory<'m>) -> Self {
        let settings = Settings { rules: false, ..settings };
        Self { engine: Engine::new(settings, memory, NoModel), seen: Seen::default() }
    }

    /// What is in the next frame.
    pub(super) fn dissect(&mut self, frame: &Frame<'_>) -> &Seen {
        self.seen.segment = None;
        self.seen.mqtt.clear();
        self.engine.on_frame(frame, &mut self.seen);
        &self.seen
    }
}
