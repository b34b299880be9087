//! No password and no payload comes out of the program, whatever is asked of it and however broken the traffic is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test may panic, and cast figures it made itself"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::capture::{Capture, SECOND, START, host};
use support::conversation::{Conversation, WEBSOCKET_PORT};
use support::mqtt::{
    Ack, Connect, Properties, Publish, Reasoned, V5, V31, V311, Version, Will, accepted, cut, disconnect, id,
    longer, packet, pingreq, refused, with_flags,
};
use support::program::{Ended, PROGRAM, open_folder, run};
use support::seen::see;

// What must not come out.
const PASSWORD: &str = "Pq7-open-sesame-Pq7";
const PAYLOAD: &str = "Wk3-patient-record-Wk3";
/// Of a will.
const MESSAGE: &str = "Vx9-last-words-Vx9";
/// Of enhanced authentication.
const DATA: &str = "Jd5-challenge-answer-Jd5";
const SECRETS: [&str; 4] = [PASSWORD, PAYLOAD, MESSAGE, DATA];

/// What shall come out, so that it is known that the search finds something.
const TOPIC: &str = "ward/7/bed/3";
const CLIENT: &str = "bedside-monitor";

/// A CONNECT with everything in it.
fn connect(version: Version) -> Connect {
    let connect = Connect::new(version, CLIENT).login("nurse", PASSWORD);
    let connect = connect.will(Will::new("ward/7/status", MESSAGE).qos(1));
    if version != V5 {
        return connect;
    }
    let method = Properties::new().text(id::AUTHENTICATION_METHOD, "M");
    connect.properties(method.text(id::AUTHENTICATION_DATA, DATA))
}

/// A PUBLISH with a payload.
fn publish(version: Version) -> Publish {
    let publish = Publish::new(version, TOPIC).qos(1, 7).payload(format!("{PAYLOAD} {PAYLOAD}"));
    let correlation = Properties::new().text(id::CORRELATION_DATA, PAYLOAD);
    if version == V5 { publish.properties(correlation) } else { publish }
}

/// Everything goes well, with payloads both ways.
fn honest(mut talk: Conversation, version: Version) -> Capture {
    talk.send(&connect(version).encode());
    if version == V5 {
        let data = Properties::new().text(id::AUTHENTICATION_METHOD, "M").text(id::AUTHENTICATION_DATA, DATA);
        talk.reply(&Reasoned::auth(0x18).properties(data.clone()).encode());
        talk.send(&Reasoned::auth(0x18).properties(data).encode());
    }
    talk.reply(&accepted(version));
    for _ in 0..3 {
        talk.send(&publish(version).encode());
        talk.reply(&Ack::puback(7).encode());
        talk.reply(&publish(version).encode());
        talk.send(&Ack::puback(7).encode());
    }
    talk.send(&disconnect());
    talk.close()
}

/// Packets that are wrong in every place, each on a connection of its own.
fn broken(version: Version) -> Vec<Vec<u8>> {
    let whole = connect(version).encode();
    let body = whole.len() - 3;
    let mut packets: Vec<Vec<u8>> = (1..body).map(|octets| cut(whole.clone(), octets)).collect();
    // Each connect flag the wrong way round, so that a field is taken for another.
    packets.extend((0..8).map(|bit| connect(version).flip(1 << bit).encode()));
    packets.extend((0..16).map(|flags| with_flags(publish(version), flags)));
    let message = publish(version).encode();
    packets.extend((1..message.len() - 3).map(|octets| cut(message.clone(), octets)));
    packets.push(longer(whole, PASSWORD.as_bytes()));
    // Bodies that are nothing but payload, for every type but those that are codes (SUBACK and UNSUBACK), which
    // are shown whatever they are. Its first letters are no length of anything.
    let types = (0..16).filter(|number| !matches!(number, 9 | 11));
    packets.extend(types.map(|number| packet(number << 4, PAYLOAD.repeat(3).as_bytes())));
    packets
}

/// All of it, in every version and, what is honest, on every carrier.
fn capture() -> Capture {
    let mut capture = Capture::default();
    let mut port = 20_000_u16;
    let mut talk = |server: u16, at: u64| {
        port += 1;
        Conversation::new((host(7 + port % 50), port), (host(1), server), at)
    };
    for (version, at) in [(V31, 0), (V311, 1), (V5, 2)] {
        let start = START + at * 100 * SECOND;
        for server in [1883, WEBSOCKET_PORT, 4711] {
            capture.frames.extend(honest(talk(server, start).open(), version).frames);
        }
        // Joined in the middle.
        capture.frames.extend(honest(talk(1883, start), version).frames);
        for (packet, place) in broken(version).into_iter().zip(0..) {
            let mut talk = talk(1883, start + place * SECOND / 10).open();
            if packet[0] >> 4 != 1 {
                talk = talk.connect(&Connect::new(version, CLIENT));
            }
            talk.send(&packet);
            talk.send(&pingreq());
            talk.reply(&refused(version));
            capture.frames.extend(talk.closed_by_server().frames);
        }
    }
    capture.sorted().then_quiet(100)
}

/// The forms in which a secret might be written.
fn forms(secret: &str) -> Vec<String> {
    let mut hex = String::new();
    secret.bytes().for_each(|octet| write!(hex, "{octet:02x}").unwrap());
    let decimals: Vec<String> = secret.bytes().map(|octet| octet.to_string()).collect();
    let spaced: Vec<&str> = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]).collect();
    vec![
        secret.to_lowercase(),
        decimals.join(","),
        decimals.join(", "),
        spaced.join(" "),
        spaced.join(":"),
        hex,
    ]
}

/// Wants no secret, nor a good part of one, in what a command said.
#[track_caller]
fn expect_none(what: &str, ended: &Ended) {
    let said = format!("{}{}", ended.stdout, ended.stderr).to_lowercase();
    for secret in SECRETS {
        // A field that was cut, or taken for another, may hold a part.
        for part in [secret, &secret[..8], &secret[secret.len() - 8..]] {
            for form in forms(part) {
                let at = said.find(&form);
                let around = at.map(|at| said[at.saturating_sub(200)..at].to_owned());
                assert!(at.is_none(), "{what}: {part} as {form} behind {around:?}");
            }
        }
    }
}

fn write(folder: &Path) {
    fs::write(folder.join("picket.toml"), "[model]\npath = \"\"\n[log]\nlevel = \"trace\"\n").unwrap();
    capture().write(&folder.join("secrets.pcap"));
}

#[test]
fn no_output_holds_a_secret() {
    let folder = open_folder();
    write(folder.path());
    let config = folder.path().join("picket.toml").into_os_string().into_string().unwrap();
    let file = folder.path().join("secrets.pcap").into_os_string().into_string().unwrap();
    for (command, shows) in [
        (&["replay", "--events", "--stats", "-c", &config][..], "mqtt5:"),
        (&["replay", "-o", "csv", "-c", &config], "mqtt_malformed"),
        (&["replay", "-o", "table", "-c", &config], "mqtt_malformed"),
        (&["inspect"], TOPIC),
        (&["inspect", "-o", "json", "--top", "1000"], TOPIC),
        (&["inspect", "--packets"], TOPIC),
        (&["inspect", "--packets", "--user-names"], "nurse"),
        (&["inspect", "--packets", "-o", "json"], CLIENT),
        (&["extract", "-o", "csv", "-c", &config], ","),
        (&["extract", "-o", "jsonl", "--schema", "picket-connection", "-c", &config], "{"),
        (&["extract", "--schema", "hindy-packet", "-c", &config], "MQTT"),
        (&["extract", "--schema", "mqttset", "--no-payloads", "-c", &config], ",0x10,"),
    ] {
        let ended = run(Command::new(PROGRAM).args(command).arg(&file));
        let what = command.join(" ");
        assert!(ended.status.success(), "{what}: {ended:?}");
        assert!(ended.stdout.contains(shows), "{what} shows no {shows}");
        expect_none(&what, &ended);
    }
}

/// `mqttset` has payloads among its columns; no password is in it all the same.
#[test]
fn mqttset_holds_payloads_but_no_password() {
    let folder = open_folder();
    write(folder.path());
    let file = folder.path().join("secrets.pcap");
    let ended = run(Command::new(PROGRAM).args(["extract", "--schema", "mqttset"]).arg(&file));
    assert!(ended.status.success(), "{}", ended.stderr);
    let hex = |secret: &str| secret.bytes().fold(String::new(), |hex, octet| format!("{hex}{octet:02x}"));
    assert!(ended.stdout.contains(&hex(PAYLOAD)));
    assert!(!ended.stdout.contains(&hex(PASSWORD)) && !ended.stdout.contains(PASSWORD));
}

/// The captures of every violation, with the passwords in them.
#[test]
fn no_violation_brings_a_password_out() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/violations/captures");
    let mut files: Vec<_> = fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for command in [&["replay", "--no-model", "--events"][..], &["inspect"], &["inspect", "--packets"]] {
        let ended = run(Command::new(PROGRAM).args(command).args(&files));
        assert!(ended.status.success(), "{command:?}: {}", ended.stderr);
        let said = ended.stdout + &ended.stderr;
        assert!(said.len() > 10_000, "{command:?}: {said}");
        assert!(!said.contains("sesame") && !said.contains("guess"), "{command:?}");
    }
}

/// That many clients share a login is seen all the same, by a keyed hash.
#[test]
fn a_login_that_many_clients_share_is_told() {
    let sessions = |login: fn(u16) -> (String, String), client: fn(u16) -> String| {
        let mut capture = Capture::default();
        for n in 0..20 {
            let start = START + u64::from(n) * SECOND;
            let talk = Conversation::new((host(7 + n), 40_000 + n), (host(1), 1883), start).open();
            let (user, password) = login(n);
            let mut talk = talk.connect(&Connect::new(V311, client(n)).login(user, password));
            talk.send(&disconnect());
            capture.frames.extend(talk.close().frames);
        }
        let (seen, _) = see(capture.sorted().iter());
        seen.events.iter().filter(|event| event.name == "mqtt:shared-credential").count()
    };
    let each_its_own = |n: u16| format!("sensor-{n}");
    assert_eq!(sessions(|_| ("plant".into(), PASSWORD.into()), each_its_own), 1);
    assert_eq!(sessions(|n| (format!("plant-{n}"), PASSWORD.into()), each_its_own), 0);
    assert_eq!(sessions(|n| ("plant".into(), format!("{n}{PASSWORD}")), each_its_own), 0);
    assert_eq!(sessions(|_| ("plant".into(), PASSWORD.into()), |_| CLIENT.into()), 0);
}
