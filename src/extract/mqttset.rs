//! `mqttset`: the 33 columns of MQTTset, as tshark 4.0 gives them.

use super::kept::Kept;
use super::mqtt_fields::MqttFields;
use super::schema::{Column, Definition};
use super::seen::{Dissector, Segment};
use super::{Cell, Extractor, Rows};
use crate::engine::{Memory, Settings};
use crate::flow::key::{FlowKey, Socket};
use crate::frame::Frame;
use crate::label::{LabelId, Labeller};

const CONSTANT: &str = "the same in all rows of the published files";

/// One row per frame.
pub const MQTTSET: Definition = Definition {
    name: "mqttset",
    version: 1,
    origin: "MQTTset (Vaccari and others), by `tshark -T fields -E occurrence=f` of Wireshark 4.0",
    row: "One row per frame, in the order of the capture",
    quirks: &[
        "An empty cell is a 0 in the published files, whose flags have eight digits (`0x00000018`) where tshark 4.0 prints four",
        "A frame without TCP gives a row of empty cells; a frame without MQTT has the first three cells only",
        "A control packet belongs to the frame that completes it, and of each field the *first value in the frame* counts: \
         where an acknowledgement and a PUBLISH share a frame, type and length are those of the one, QoS and payload those of \
         the other",
        "A segment whose octets lie before others seen already, sent again or captured out of order, has no MQTT cells: tshark does not \
         look into such by default",
        "MQTT is recognised on any port and in WebSockets too, where tshark takes port 1883 only; after a loss, boundaries are \
         found again, where tshark reads on from the start of the next segment",
        "Of a packet that is split over segments at most the first 1024 octets are kept: longer ones count for the frame in \
         which these were complete, with `mqtt.msg` and `mqtt.willmsg` cut off; `mqtt.len` tells",
        "`mqtt.msg` and `mqtt.willmsg` are payloads: `--no-payloads` leaves them empty. Passwords are in no column",
        "The published column `target` is here with `--labels`: `legitimate`, `dos`, `flood`, `slowite`, `malformed` and \
         `bruteforce` for `benign`, `mqtt_connect_flood`, `mqtt_publish_flood`, `mqtt_slow_dos`, `mqtt_malformed` and \
         `mqtt_bruteforce`; other labels stand there as they are",
    ],
    columns: &[
        Column::text("tcp.flags", "the twelve bits of the TCP flags in hexadecimal").optional(),
        Column::real(
            "tcp.time_delta",
            "s",
            "time since the frame before in the TCP stream, whichever way it went; 0 for the first",
        )
        .optional()
        .quirk("a SYN with another sequence number than the last begins a new stream"),
        Column::integer("tcp.len", "octets", "TCP payload").optional(),
        Column::text("mqtt.conack.flags", "CONNACK, first octet in hexadecimal")
            .optional()
            .quirk("not in MQTT 3.1"),
        Column::integer("mqtt.conack.flags.reserved", "flag", "its seven reserved bits")
            .optional()
            .quirk(CONSTANT),
        Column::integer("mqtt.conack.flags.sp", "flag", "its bit for a session that is present")
            .optional()
            .quirk(CONSTANT),
        Column::integer("mqtt.conack.val", "", "CONNACK, return code")
            .optional()
            .quirk("not in MQTT 5, and only where the CONNECT was seen"),
        Column::integer("mqtt.conflag.cleansess", "flag", "CONNECT, clean session").optional(),
        Column::integer("mqtt.conflag.passwd", "flag", "CONNECT, a password is there").optional(),
        Column::integer("mqtt.conflag.qos", "", "CONNECT, QoS of the will").optional().quirk(CONSTANT),
        Column::integer("mqtt.conflag.reserved", "flag", "CONNECT, reserved flag").optional().quirk(CONSTANT),
        Column::integer("mqtt.conflag.retain", "flag", "CONNECT, the will is to be retained")
            .optional()
            .quirk(CONSTANT),
        Column::integer("mqtt.conflag.uname", "flag", "CONNECT, a user name is there").optional(),
        Column::integer("mqtt.conflag.willflag", "flag", "CONNECT, a will is there")
            .optional()
            .quirk(CONSTANT),
        Column::text("mqtt.conflags", "CONNECT, all flags in hexadecimal").optional(),
        Column::integer("mqtt.dupflag", "flag", "PUBLISH, DUP")
            .optional()
            .quirk("in MQTT 3.1 also PUBREL, SUBSCRIBE and UNSUBSCRIBE"),
        Column::text("mqtt.hdrflags", "first octet of the fixed header in hexadecimal").optional(),
        Column::integer("mqtt.kalive", "s", "CONNECT, keep alive").optional(),
        Column::integer("mqtt.len", "octets", "Remaining Length").optional(),
        Column::text("mqtt.msg", "PUBLISH, payload, each octet as two hexadecimal digits")
            .optional()
            .quirk("a payload of decimal digits reads like a huge number; empty where the payload is"),
        Column::integer("mqtt.msgid", "", "packet identifier").optional(),
        Column::integer("mqtt.msgtype", "", "packet type").optional(),
        Column::integer("mqtt.proto_len", "octets", "CONNECT, length of the protocol name").optional(),
        Column::text("mqtt.protoname", "CONNECT, protocol name").optional(),
        Column::integer("mqtt.qos", "", "PUBLISH, QoS")
            .optional()
            .quirk("in MQTT 3.1 also PUBREL, SUBSCRIBE and UNSUBSCRIBE"),
        Column::integer("mqtt.retain", "flag", "PUBLISH, RETAIN").optional(),
        Column::integer("mqtt.sub.qos", "", "SUBSCRIBE, QoS of the first filter")
            .optional()
            .quirk("not in MQTT 5"),
        Column::integer("mqtt.suback.qos", "", "SUBACK, first return code")
            .optional()
            .quirk("not in MQTT 5, and only where the CONNECT was seen"),
        Column::integer("mqtt.ver", "", "CONNECT, protocol level").optional(),
        Column::text("mqtt.willmsg", "CONNECT, message of the will, each octet as two hexadecimal digits")
            .optional()
            .quirk(CONSTANT),
        Column::integer("mqtt.willmsg_len", "octets", "its length").optional().quirk(CONSTANT),
        Column::text("mqtt.willtopic", "CONNECT, topic of the will").optional().quirk(CONSTANT),
        Column::integer("mqtt.willtopic_len", "octets", "its length").optional().quirk(CONSTANT),
    ],
};

/// The published name of a label.
#[must_use]
pub fn target(label: &str) -> &str {
    match label {
        "benign" => "legitimate",
        "mqtt_connect_flood" => "dos",
        "mqtt_publish_flood" => "flood",
        "mqtt_slow_dos" => "slowite",
        "mqtt_malformed" => "malformed",
        "mqtt_bruteforce" => "bruteforce",
        other => other,
    }
}

const FIN: u16 = 0x01;
const SYN: u16 = 0x02;
const ACK: u16 = 0x10;

/// A TCP stream.
#[derive(Clone, Copy)]
struct Stream {
    last_ns: i64,
    /// Who sent its first segment.
    first: Socket,
    /// The first sequence number each way: of `first`, and of the other.
    bases: [Option<u32>; 2],
    /// The sequence number after the furthest octet each way.
    next: [Option<u32>; 2],
}

/// Makes [`MQTTSET`] rows.
pub struct Mqttset<'m> {
    dissector: Dissector<'m>,
    streams: Kept<FlowKey, Stream>,
    payloads: bool,
    /// For frames whose MQTT does not count.
    nothing: MqttFields,
}

impl<'m> Mqttset<'m> {
    /// Keeps the times of so many TCP streams at once; one that was given up begins anew. Payloads are written only
    /// where they are wanted.
    #[must_use]
    pub fn new(settings: Settings, memory: Memory<'m>, capacity: usize, payloads: bool) -> Self {
        Self {
            dissector: Dissector::new(settings, memory),
            streams: Kept::new(capacity),
            payloads,
            nothing: MqttFields::default(),
        }
    }
}

/// What a stream says of a segment.
struct InStream {
    /// Nanoseconds since the frame before.
    delta_ns: i64,
    /// Its octets lie before others that were seen already: sent again, or captured out of order.
    is_late: bool,
}

fn in_stream(streams: &mut Kept<FlowKey, Stream>, segment: &Segment, frame: &Frame<'_>) -> InStream {
    let now_ns = frame.ts.as_micros().cast_signed().saturating_mul(1000).saturating_add(frame.nanos.into());
    let new = || Stream { last_ns: now_ns, first: segment.src, bases: [None; 2], next: [None; 2] };
    let stream = streams.get_or_forget(segment.key, frame.ts, new);
    let way = usize::from(segment.src != stream.first);
    let opens = segment.flags & (SYN | ACK) == SYN;
    if opens && stream.bases[way].is_some_and(|base| base != segment.seq) {
        *stream = new();
    }
    let way = usize::from(segment.src != stream.first);
    stream.bases[way].get_or_insert(segment.seq);
    let delta_ns = now_ns - stream.last_ns;
    stream.last_ns = now_ns;
    // Sequence numbers are compared modulo 2^32 (RFC 9293, section 3.4).
    let is_before = |a: u32, b: u32| a.wrapping_sub(b).cast_signed() < 0;
    let takes_one = u32::from(segment.flags & (SYN | FIN) != 0);
    let end = segment.seq.wrapping_add(segment.payload_len).wrapping_add(takes_one);
    let is_late =
        segment.payload_len > 0 && stream.next[way].is_some_and(|next| is_before(segment.seq, next));
    if stream.next[way].is_none_or(|next| is_before(next, end)) {
        stream.next[way] = Some(end);
    }
    InStream { delta_ns, is_late }
}

fn text(octets: Option<&[u8]>) -> Cell<'_> {
    octets.map_or(Cell::Empty, Cell::Text)
}

fn payload(octets: Option<&[u8]>, wanted: bool) -> Cell<'_> {
    octets.filter(|octets| wanted && !octets.is_empty()).map_or(Cell::Empty, Cell::Octets)
}

impl Extractor for Mqttset<'_> {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let seen = self.dissector.dissect(frame);
        let segment = seen.segment;
        let in_stream = segment.map(|segment| in_stream(&mut self.streams, &segment, frame));
        let is_late = in_stream.as_ref().is_some_and(|in_stream| in_stream.is_late);
        let mqtt = if is_late { &self.nothing } else { &seen.mqtt };
        let connect = |bit: u8| mqtt.connect_flags.map(|flags| flags >> bit & 1).into();
        let hex = |octet: Option<u8>| octet.map_or(Cell::Empty, |octet| Cell::Hex(octet.into(), 2));
        let payloads = self.payloads;
        let cells = [
            segment.map_or(Cell::Empty, |segment| Cell::Hex(segment.flags.into(), 4)),
            in_stream.map_or(Cell::Empty, |in_stream| Cell::Nanoseconds(in_stream.delta_ns)),
            segment.map(|segment| segment.payload_len).into(),
            hex(mqtt.connack_flags),
            mqtt.connack_reserved.into(),
            mqtt.connack_flags.map(|flags| flags & 1).into(),
            mqtt.connack_code.into(),
            connect(1),
            connect(6),
            mqtt.connect_flags.map(|flags| flags >> 3 & 3).into(),
            connect(0),
            connect(5),
            connect(7),
            connect(2),
            hex(mqtt.connect_flags),
            mqtt.dup.into(),
            hex(mqtt.first_octet),
            mqtt.keep_alive.into(),
            mqtt.remaining_length.into(),
            payload(mqtt.payload.get(), payloads),
            mqtt.packet_id.into(),
            mqtt.first_octet.map(|octet| octet >> 4).into(),
            mqtt.protocol_name.len.into(),
            text(mqtt.protocol_name.get()),
            mqtt.qos.into(),
            mqtt.retain.into(),
            mqtt.subscribe_qos.into(),
            mqtt.granted_qos.into(),
            mqtt.protocol_level.into(),
            payload(mqtt.will_message.get(), payloads),
            mqtt.will_message.len.into(),
            text(mqtt.will_topic.get()),
            mqtt.will_topic.len.into(),
        ];
        rows.row(&cells, Some(label));
    }

    fn evicted(&self) -> u64 {
        self.streams.evicted
    }
}
