//! `hindy-packet`: one row per packet.

use super::ORIGIN;
use crate::engine::{Memory, Settings};
use crate::extract::ipv4::{Ipv4, TCP, UDP};
use crate::extract::schema::{Column, Definition};
use crate::extract::seen::Dissector;
use crate::extract::{Cell, Extractor, Rows};
use crate::frame::Frame;
use crate::label::{LabelId, Labeller};

/// One row per packet.
pub const PACKET: Definition = Definition {
    name: "hindy-packet",
    version: 1,
    origin: ORIGIN,
    row: "One row per TCP or UDP packet over IPv4, in the order of the capture",
    quirks: &[
        "What a packet does not have is an empty cell, which the classifiers of the publication read as -1",
        "The MQTT cells are the first values in the frame, as in `mqttset`",
        "The published column `is_attack` is here with `--labels`, after `class_id`: see `hindy-uniflow`",
    ],
    columns: &[
        Column::real("timestamp", "s", "time of capture since 1970"),
        Column::text("src_ip", "source address"),
        Column::text("dst_ip", "destination address"),
        Column::text("protocol", "name of the highest protocol layer")
            .quirk("`MQTT` where a control packet ends in the frame; else by a well-known port, `DATA` for unknown payload, `TCP` or \
                    `UDP` without payload; tshark knows more protocols"),
        Column::integer("ttl", "", "time to live"),
        Column::integer("ip_len", "octets", "IP total length"),
        Column::integer("ip_flag_df", "flag", "do not fragment"),
        Column::integer("ip_flag_mf", "flag", "more fragments"),
        Column::integer("ip_flag_rb", "flag", "reserved bit"),
        Column::integer("src_port", "", "source port"),
        Column::integer("dst_port", "", "destination port"),
        Column::integer("tcp_flag_res", "", "the three reserved bits").optional(),
        Column::integer("tcp_flag_ns", "flag", "NS").optional(),
        Column::integer("tcp_flag_cwr", "flag", "CWR").optional(),
        Column::integer("tcp_flag_ecn", "flag", "ECE").optional(),
        Column::integer("tcp_flag_urg", "flag", "URG").optional(),
        Column::integer("tcp_flag_ack", "flag", "ACK").optional(),
        Column::integer("tcp_flag_push", "flag", "PSH").optional(),
        Column::integer("tcp_flag_reset", "flag", "RST").optional(),
        Column::integer("tcp_flag_syn", "flag", "SYN").optional(),
        Column::integer("tcp_flag_fin", "flag", "FIN").optional(),
        Column::integer("mqtt_messagetype", "", "packet type").optional(),
        Column::integer("mqtt_messagelength", "octets", "Remaining Length").optional(),
        Column::integer("mqtt_flag_uname", "flag", "CONNECT, a user name is there").optional(),
        Column::integer("mqtt_flag_passwd", "flag", "CONNECT, a password is there").optional(),
        Column::integer("mqtt_flag_retain", "flag", "CONNECT, the will is to be retained").optional(),
        Column::integer("mqtt_flag_qos", "", "CONNECT, QoS of the will").optional(),
        Column::integer("mqtt_flag_willflag", "flag", "CONNECT, a will is there").optional(),
        Column::integer("mqtt_flag_clean", "flag", "CONNECT, clean session").optional(),
        Column::integer("mqtt_flag_reserved", "flag", "CONNECT, reserved flag").optional(),
    ],
};

/// The highest layer by a well-known port; those of both protocols first.
const BY_PORT: [(u16, &str); 23] = [
    (53, "DNS"),
    (5353, "MDNS"),
    (123, "NTP"),
    (20, "FTP-DATA"),
    (21, "FTP"),
    (22, "SSH"),
    (23, "TELNET"),
    (25, "SMTP"),
    (67, "DHCP"),
    (68, "DHCP"),
    (69, "TFTP"),
    (80, "HTTP"),
    (8080, "HTTP"),
    (137, "NBNS"),
    (138, "NBDGM"),
    (161, "SNMP"),
    (443, "TLS"),
    (8883, "TLS"),
    (514, "SYSLOG"),
    (1900, "SSDP"),
    (5355, "LLMNR"),
    (5683, "COAP"),
    // A part of a control packet: tshark names the layer where the packet ends.
    (1883, "TCP"),
];

/// Makes [`PACKET`] rows.
pub struct Packets<'m> {
    dissector: Dissector<'m>,
}

impl<'m> Packets<'m> {
    /// With an engine of these settings.
    #[must_use]
    pub fn new(settings: Settings, memory: Memory<'m>) -> Self {
        Self { dissector: Dissector::new(settings, memory) }
    }
}

fn highest_layer(ports: (u16, u16), payload: u32, bare: &'static str) -> &'static str {
    if payload == 0 {
        return bare;
    }
    // As tshark does: the lower port first.
    let ports = [ports.0.min(ports.1), ports.0.max(ports.1)];
    let name = |port: u16| BY_PORT.iter().find(|(known, _)| *known == port).map(|(_, name)| *name);
    ports.into_iter().find_map(name).unwrap_or("DATA")
}

impl Extractor for Packets<'_> {
    fn frame(&mut self, frame: &Frame<'_>, label: LabelId, _: Option<&Labeller>, rows: &mut dyn Rows) {
        let seen = self.dissector.dissect(frame);
        let Some(ip) = Ipv4::of(frame) else { return };
        let (ports, header_len, flags, bare) = match ip.protocol {
            TCP => match ip.tcp() {
                Some(tcp) => ((tcp.src_port, tcp.dst_port), tcp.header_len, Some(tcp.flags), "TCP"),
                None => return,
            },
            UDP => match ip.udp() {
                Some(ports) => (ports, 8, None, "UDP"),
                None => return,
            },
            _ => return,
        };
        let mqtt = &seen.mqtt;
        let payload = ip.data_len().saturating_sub(header_len);
        let protocol = if mqtt.is_seen() { "MQTT" } else { highest_layer(ports, payload, bare) };
        let now_ns =
            frame.ts.as_micros().cast_signed().saturating_mul(1000).saturating_add(frame.nanos.into());
        let flag = |bit: u8| flags.map(|flags| flags >> bit & 1).into();
        let connect = |bit: u8| mqtt.connect_flags.map(|flags| flags >> bit & 1).into();
        let cells = [
            Cell::Nanoseconds(now_ns),
            Cell::Address(ip.src),
            Cell::Address(ip.dst),
            protocol.into(),
            ip.ttl.into(),
            ip.total_len.into(),
            (ip.flags >> 1 & 1).into(),
            (ip.flags & 1).into(),
            (ip.flags >> 2).into(),
            ports.0.into(),
            ports.1.into(),
            flags.map(|flags| flags >> 9).into(),
            flag(8),
            flag(7),
            flag(6),
            flag(5),
            flag(4),
            flag(3),
            flag(2),
            flag(1),
            flag(0),
            mqtt.first_octet.map(|octet| octet >> 4).into(),
            mqtt.remaining_length.into(),
            connect(7),
            connect(6),
            connect(5),
            mqtt.connect_flags.map(|flags| flags >> 3 & 3).into(),
            connect(2),
            connect(1),
            connect(0),
        ];
        rows.row(&cells, Some(label));
    }
}
