//! MQTT in a WebSocket (section 6).

use picket::alert::Severity::{Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::scene::Scene;
use crate::support::mqtt::{Connect, Publish, accepted, disconnect, long_varint, with_length};
use crate::support::websocket::{ANSWER, REQUEST, frame};

const PORT: u16 = 8083;
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// The same without the line that names the subprotocol.
fn without_protocol(head: &[u8]) -> Vec<u8> {
    let lines = head.split_inclusive(|octet| *octet == b'\n');
    lines.filter(|line| !line.starts_with(b"Sec-WebSocket-Protocol")).flatten().copied().collect()
}

/// A WebSocket with this request and answer, and a session in it, its CONNECT in a frame with this first octet.
fn session(scene: Scene, request: impl Into<Vec<u8>>, answer: impl Into<Vec<u8>>, first: u8) -> Scene {
    let (connect, version) = (Connect::new(scene.version, scene.id()), scene.version);
    let scene = scene.at_port(PORT).opens().up(request).down(answer);
    let scene = scene.up(frame(first, Some(MASK), &connect.encode()));
    scene.down(frame(BINARY, None, &accepted(version)))
}

/// The client says goodbye and closes.
fn leaves(scene: Scene) -> Scene {
    scene.up(frame(BINARY, Some(MASK), &disconnect())).client_closes()
}

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::WebSocketText, Medium, ["mqtt311:6.0.0-1", "mqtt5:6.0.0-1"])
        .answered(|s, _| leaves(session(s, REQUEST, ANSWER, TEXT)))
        .legal(|s, _| leaves(session(s, REQUEST, ANSWER, BINARY)))
        // A frame may end anywhere in a control packet.
        .legal(|s, v| {
            let connect = Connect::new(v, s.id()).encode();
            let s = s.at_port(PORT).opens().up(REQUEST).down(ANSWER);
            let s =
                s.up(frame(BINARY, Some(MASK), &connect[..9])).up(frame(BINARY, Some(MASK), &connect[9..]));
            leaves(s.down(frame(BINARY, None, &accepted(v))))
        })
        .into(list);
    Cases::both(V::WebSocketNotOffered, Medium, ["mqtt311:6.0.0-3", "mqtt5:6.0.0-3"])
        .answered(|s, _| leaves(session(s, without_protocol(REQUEST), ANSWER, BINARY)))
        .legal(|s, _| leaves(session(s, REQUEST, ANSWER, BINARY)))
        .into(list);
    Cases::both(V::WebSocketNotAccepted, Medium, ["mqtt311:6.0.0-4", "mqtt5:6.0.0-4"])
        .not_due(|s, _| leaves(session(s, REQUEST, without_protocol(ANSWER), BINARY)))
        .legal(|s, _| leaves(session(s, REQUEST, ANSWER, BINARY)))
        .into(list);
    // 4096 octets are announced and a few sent: a broker copied what was not there.
    Cases::v311(V::WebSocketShortFrame, Low, "cve:CVE-2026-25627")
        .closed(|s, v| {
            let publish = with_length(Publish::new(v, "a").payload("xyz"), &long_varint(4096, 2));
            session(s, REQUEST, ANSWER, BINARY).up(frame(BINARY, Some(MASK), &publish)).server_resets()
        })
        .ignored(|s, v| {
            let publish = with_length(Publish::new(v, "a").payload("xyz"), &long_varint(4096, 2));
            session(s, REQUEST, ANSWER, BINARY).up(frame(BINARY, Some(MASK), &publish)).waits(40)
        })
        // The rest comes in another frame.
        .legal(|s, v| {
            let publish = Publish::new(v, "a").payload([b'x'; 60]).encode();
            let s = session(s, REQUEST, ANSWER, BINARY).up(frame(BINARY, Some(MASK), &publish[..9]));
            leaves(s.waits(1).up(frame(BINARY, Some(MASK), &publish[9..])).waits(20))
        })
        .into(list);
}
