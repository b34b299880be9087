use super::frame::tests::frame;
use super::*;
use proptest::prelude::*;

const KEY: Option<[u8; 4]> = Some([1, 2, 3, 4]);
const CONNECT: &[u8] = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
const CONNACK: &[u8] = b"\x20\x02\0\0";

fn request(fields: &str) -> Vec<u8> {
    format!("GET /mqtt HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: upgrade\r\n{fields}\r\n")
        .into()
}

fn answer(fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{fields}\r\n").into()
}

const MQTT: &str = "Sec-WebSocket-Protocol: mqtt\r\n";

#[derive(Default, Debug, PartialEq, Clone)]
struct Seen {
    up: Vec<u8>,
    down: Vec<u8>,
    opened: u32,
    foreign: bool,
    rest: Vec<String>,
}

enum Step {
    Up(Vec<u8>),
    Down(Vec<u8>),
    UpGap(u32),
    DownGap(u32),
}
use Step::{Down, DownGap, Up, UpGap};

fn run(steps: &[Step]) -> Seen {
    let (mut socket, mut seen) = (WebSocket::NEW, Seen::default());
    for step in steps {
        let (direction, delivery) = match step {
            Up(octets) => (Direction::ToServer, Delivery::Octets(octets)),
            Down(octets) => (Direction::ToClient, Delivery::Octets(octets)),
            UpGap(len) => (Direction::ToServer, Delivery::Gap(*len)),
            DownGap(len) => (Direction::ToClient, Delivery::Gap(*len)),
        };
        if seen.foreign || !socket.wants(direction) {
            continue;
        }
        socket.take(direction, delivery, &mut |found| match (found, direction) {
            (Found::Octets(octets), Direction::ToServer) => seen.up.extend(octets),
            (Found::Octets(octets), Direction::ToClient) => seen.down.extend(octets),
            (Found::Opened { .. }, _) => seen.opened += 1,
            (Found::Foreign, _) => seen.foreign = true,
            (other, _) => seen.rest.push(format!("{other:?}")),
        });
    }
    seen
}

fn conversation(asks: &str, answers: &str) -> Vec<Step> {
    vec![
        Up(request(asks)),
        Down(answer(answers)),
        Up(frame(0x82, KEY, CONNECT)),
        Down(frame(0x82, None, CONNACK)),
    ]
}

fn both() -> Seen {
    Seen { up: CONNECT.to_vec(), down: CONNACK.to_vec(), opened: 1, ..Seen::default() }
}

#[test]
fn an_upgrade_and_then_control_packets() {
    assert_eq!(run(&conversation(MQTT, MQTT)), both());
    let old = "sec-websocket-protocol: mqttv3.1\r\n";
    assert_eq!(run(&conversation(old, old)), both());
}

#[test]
fn mqtt_without_its_subprotocol_is_found_and_named() {
    let expected =
        |faults: &[&str]| Seen { rest: faults.iter().map(ToString::to_string).collect(), ..both() };
    assert_eq!(run(&conversation("", "")), expected(&["Fault(NotOffered)", "Fault(NotAccepted)"]));
    assert_eq!(run(&conversation(MQTT, "")), expected(&["Fault(NotAccepted)"]));
    let text = [
        Up(request(MQTT)),
        Down(answer(MQTT)),
        Up(frame(0x81, KEY, CONNECT)),
        Down(frame(0x81, None, CONNACK)),
    ];
    assert_eq!(run(&text), expected(&["Fault(Text)", "Fault(Text)"]));
}

#[test]
fn what_is_not_mqtt_is_left_alone() {
    let chat = "Sec-WebSocket-Protocol: chat\r\n";
    assert!(run(&conversation(chat, chat)).foreign);
    let other = [Up(request("")), Down(answer("")), Up(frame(0x81, KEY, b"{\"hello\":1}"))];
    assert_eq!(run(&other), Seen { foreign: true, ..Seen::default() });
    // Also where a CONNECT follows in the same segment.
    let late = [frame(0x82, KEY, b"hello"), frame(0x82, KEY, CONNECT)].concat();
    let late = [Up(request("")), Down(answer("")), Up(late)];
    assert_eq!(run(&late), Seen { foreign: true, ..Seen::default() });
    assert!(run(&[Up(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec())]).foreign);
    let many = b"GET / HTTP/1.1\r\n\r\n".repeat(16);
    assert!(run(&[Up(many)]).foreign);
}

#[test]
fn an_upgrade_behind_other_requests_and_refusals() {
    let mut steps = vec![
        Up(b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /a HTTP/1.1\r\n\r\n".to_vec()),
        Down(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        Up(request(MQTT)),
        Down(b"HTTP/1.1 401 Unauthorized\r\n\r\n".to_vec()),
    ];
    steps.extend(conversation(MQTT, MQTT));
    assert_eq!(run(&steps), both());
}

#[test]
fn a_missed_answer_does_not_hide_what_follows() {
    let mut steps = conversation(MQTT, MQTT);
    steps[1] = DownGap(100);
    assert_eq!(run(&steps), both());
    steps[1] = UpGap(5);
    steps[3] = Up(frame(0x82, KEY, b"\xc0\0"));
    let seen = run(&steps);
    assert_eq!((seen.opened, seen.rest), (1, vec!["Unknown".to_string()]));
}

#[test]
fn a_compressed_stream_is_declared_so() {
    let deflate = "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let steps = [Up(request(deflate)), Down(answer(deflate)), Up(frame(0xc2, KEY, b"opaque"))];
    let seen = run(&steps);
    assert_eq!((seen.opened, seen.rest), (1, vec!["Unknown".to_string(), "Compressed(6)".to_string()]));
}

proptest! {
    /// However either direction is cut, and whatever the fragments of the frames: the same is found.
    #[test]
    fn any_split_gives_the_same(
        cuts in prop::collection::vec(1usize..60, 1..20),
        asks in prop::sample::select(vec!["", MQTT]),
        answers in prop::sample::select(vec!["", MQTT]),
    ) {
        let whole = run(&conversation(asks, answers));
        let mut cuts = cuts.iter().cycle();
        let mut pieces = Vec::new();
        for step in conversation(asks, answers) {
            let (Up(octets) | Down(octets)) = &step else { continue };
            let mut rest = octets.as_slice();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                pieces.push(if matches!(step, Up(_)) { Up(piece.to_vec()) } else { Down(piece.to_vec()) });
                rest = after;
            }
        }
        prop_assert_eq!(run(&pieces), whole);
    }

    #[test]
    fn no_octets_panic(
        steps in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..30),
        opened in any::<bool>(),
    ) {
        let mut all = if opened { conversation(MQTT, MQTT) } else { Vec::new() };
        all.extend(steps.into_iter().map(|(up, octets)| match (up, octets.len()) {
            (true, 7) => UpGap(9),
            (false, 7) => DownGap(9),
            (true, _) => Up(octets),
            (false, _) => Down(octets),
        }));
        run(&all);
    }
}
