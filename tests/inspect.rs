//! `picket inspect` from outside: the summary, the lines, their schemas, and what must never be shown.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a test may panic, wait for the program it runs, and cast figures it made itself"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use support::benign;
use support::capture::{Capture, SECOND, START, datagram, host};
use support::conversation::{Conversation, TLS_PORT, WEBSOCKET_PORT};
use support::mqtt::{Connect, V5, V311, disconnect, packet, publish, publish_qos1, publish_retained, string};
use support::program::{PROGRAM, open_folder, picket};

const BROKER: u16 = 1883;

/// Two clients: one of version 5 that subscribes, one of 3.1.1 with a login that publishes.
fn conversation() -> Capture {
    let broker = (host(1), BROKER);
    let mut reader = Conversation::new((host(8), 50_008), broker, START)
        .open()
        .connect(&Connect::new(V5, "reader"))
        .subscribe(V5, "home/#");
    reader.reply(&publish(V5, "home/door", b"open"));
    let mut sensor = Conversation::new((host(7), 50_007), broker, START + SECOND)
        .open()
        .connect(&Connect::new(V311, "sensor \"7\"").login("anna", "SECRET-PASSWORD").keep_alive(30));
    for id in 1..=3 {
        sensor.send(&publish_qos1(V311, "home/temp", id, b"SECRET-PAYLOAD"));
        sensor.reply(&support::mqtt::puback(id));
    }
    sensor.send(&publish_retained(V311, "home/state", b"on"));
    sensor.send(&disconnect());
    let mut capture = reader.left_open().with(sensor.close());
    capture.push(START + 9 * SECOND, datagram((host(7), 5353), (host(250), 53), b"name?"));
    capture
}

/// A folder with the capture in `a.pcap`.
fn folder(capture: &Capture) -> (TempDir, PathBuf) {
    let folder = open_folder();
    let path = folder.path().join("a.pcap");
    capture.write(&path);
    (folder, path)
}

/// Wants a document to be valid by a schema of `docs/schema`.
#[track_caller]
fn expect_valid(schema: &str, documents: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(schema);
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let documents = serde_json::Deserializer::from_str(documents).into_iter::<Value>();
    documents
        .map(|document| {
            let document = document.unwrap();
            let faults: Vec<String> = schema.iter_errors(&document).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{faults:?}\n{document:#}");
            document
        })
        .collect()
}

#[test]
fn the_document_has_the_facts_of_the_capture() {
    let capture = conversation();
    let (_folder, path) = folder(&capture);
    let text = picket(args!["inspect", "--output", "json", &path]).ok();
    let document = expect_valid("inspect.schema.json", &text).remove(0);
    assert_eq!(document["packets"], capture.frames.len());
    assert_eq!(document["link_types"], json!({"ethernet": capture.frames.len()}));
    assert_eq!(document["udp_datagrams"], 1);
    assert_eq!(document["span"]["seconds"], 9.0);
    assert_eq!(document["span"]["start"], "2025-06-15T15:06:40.000000Z");
    let expected = json!({
        "CONNECT": 2, "CONNACK": 2, "PUBLISH": 5, "PUBACK": 3, "PUBREC": 0, "PUBREL": 0, "PUBCOMP": 0,
        "SUBSCRIBE": 1, "SUBACK": 1, "UNSUBSCRIBE": 0, "UNSUBACK": 0, "PINGREQ": 0, "PINGRESP": 0,
        "DISCONNECT": 1, "AUTH": 0,
    });
    assert_eq!(document["control_packets"], expected);
    assert_eq!(
        document["versions"],
        json!({"3.1.1": {"connects": 1, "packets": 10}, "5": {"connects": 1, "packets": 5}})
    );
    let broker = &document["brokers"]["top"][0];
    assert_eq!((&broker["address"], &broker["port"]), (&json!("10.0.0.1"), &json!(BROKER)));
    assert_eq!((&broker["clients"], &broker["packets"]), (&json!(2), &json!(15)));
    let client = &document["clients"]["top"][0];
    assert_eq!(client["client_id"], "sensor \"7\"");
    assert_eq!(client["addresses"], json!(["10.0.0.7"]));
    assert_eq!((&client["keep_alive"], &client["published"]), (&json!(30), &json!(4)));
    assert_eq!((&client["user"], &client["password"]), (&json!(true), &json!(true)));
    let topic = &document["topics"]["top"][0];
    assert_eq!((&topic["topic"], &topic["messages"]), (&json!("home/temp"), &json!(3)));
    assert_eq!((&topic["qos"], &topic["rate"]), (&json!([0, 3, 0, 0]), &json!(3.0 / 9.0)));
    assert_eq!(document["topics"]["count"], 3);
    assert_eq!(document["hosts"]["top"][0]["address"], "10.0.0.1");
    assert_eq!(document["hosts"]["top"][0]["mac"], "02:00:0a:00:00:01");
    assert_eq!(document["violations"], 0);
    let skipped: u64 =
        document["frames_skipped"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(skipped, 0);
}

#[test]
fn the_text_names_what_the_document_has() {
    let (_folder, path) = folder(&conversation());
    let text = picket(args!["inspect", "--top", "2", &path]).ok();
    for part in [
        "2025-06-15T15:06:40.000000Z to 2025-06-15T15:06:49.000000Z (9.000 s)",
        "Control packets (15)",
        "versions     3.1.1 10 (1 connect), 5 5 (1 connect)",
        "10.0.0.1:1883",
        "sensor \"7\"",
        "Topics (3; the 2 most frequent)",
        "home/temp",
        "Hosts (4; the 2 most frequent)",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let row = |name: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("PUBLISH"), ["PUBLISH", "5"]);
    assert_eq!(row("home/temp")[1..4], ["3", "0.333", "3"]);

    let empty = Capture::default();
    let (_folder, path) = folder(&empty);
    assert!(picket(args!["inspect", &path]).ok().contains("No MQTT."));
}

#[test]
fn a_line_for_each_control_packet() {
    let (_folder, path) = folder(&conversation());
    let text = picket(args!["inspect", "--packets", &path]).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 15, "{text}");
    assert_eq!(
        lines[0],
        "2025-06-15T15:06:40.000750Z 10.0.0.8:50008 -> 10.0.0.1:1883 CONNECT v=5 octets=21 \
         client=\"reader\" clean keep_alive=60"
    );
    assert_eq!(
        lines[3],
        "2025-06-15T15:06:40.001500Z 10.0.0.8:50008 <- 10.0.0.1:1883 SUBACK v=5 octets=6 client=\"reader\" \
         packet_id=1 codes=[0]"
    );
    let found = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!(found(" PUBLISH "), 5);
    assert_eq!(found("filters=[{filter=\"home/#\" qos=0 retain_handling=0}]"), 1);
    assert_eq!(
        found("client=\"sensor \\\"7\\\"\" topic=\"home/temp\" qos=1 packet_id=2 payload_octets=14"),
        1
    );
    assert_eq!(found("topic=\"home/state\" qos=0 retain payload_octets=2"), 1);

    let json = picket(args!["inspect", "--packets", "--output", "json", &path]).ok();
    assert_eq!(json.lines().count(), 15);
    let packets = expect_valid("inspect-packet.schema.json", &json);
    let types: Vec<&str> = packets.iter().map(|packet| packet["type"].as_str().unwrap()).collect();
    assert_eq!(types.iter().filter(|name| **name == "PUBACK").count(), 3);
    assert_eq!(packets[5]["fields"]["password_octets"], 15);
}

#[test]
fn secrets_are_never_shown_and_user_names_only_when_asked_for() {
    let (_folder, path) = folder(&conversation());
    for more in [&[][..], &["--output", "json"], &["--packets"], &["--packets", "--output", "json"]] {
        for names in [false, true] {
            let mut line = args!["inspect", &path];
            line.extend(more.iter().map(Into::into));
            line.extend(names.then(|| "--user-names".into()));
            let text = picket(&line).ok();
            assert!(!text.contains("SECRET"), "{text}");
            assert_eq!(text.contains("anna"), names, "{line:?}\n{text}");
        }
    }
}

/// Suricata #4404 (its log writer crashed) and #6984 (it logged binary): whatever is in a string is one line of text.
#[test]
fn hostile_octets_are_escaped_wherever_they_stand() {
    let hostile = b"\x1b[2J\r\n\"x\"\\ \xff\xfe\0\xe2\x80\xaeend";
    let connect = [
        &string("MQTT")[..],
        &[5, 0xc6, 0, 60],
        &[3 + hostile.len() as u8 + 2, 0x26, 0, 0],
        &string(hostile),
        &string(hostile),
        &[0],
        &string(hostile),
        &string(b"\x00\x01SECRET"),
        &string(hostile),
        &string(b"SECRET"),
    ]
    .concat();
    let mut talk = Conversation::new((host(7), 50_007), (host(1), BROKER), START).open();
    talk.send(&packet(0x10, &connect));
    talk.send(&publish(V5, "plain", b"\x89PNG\r\n\x1a\n\0SECRET"));
    talk.send(&packet(0x30, &[&string(hostile)[..], &[0], b"SECRET"].concat()));
    talk.send(&packet(0x82, &[&[0, 1, 0][..], &string(hostile), &[0]].concat()));
    let (_folder, path) = folder(&talk.close());
    let escaped = r#"\u{1b}[2J\r\n"x"\\ \xff\xfe\0\u{202e}end"#;
    for (more, shown) in [
        (&["--user-names"][..], escaped.to_owned()),
        (&["--output", "json", "--user-names"], serde_json::to_string(escaped).unwrap()),
        (&["--packets", "--user-names"], escaped.replace('"', "\\\"")),
        (&["--packets", "--output", "json", "--user-names"], serde_json::to_string(escaped).unwrap()),
    ] {
        let mut line = args!["inspect", &path];
        line.extend(more.iter().map(Into::into));
        let text = picket(&line).ok();
        assert!(text.contains(&shown) && !text.contains("SECRET"), "{shown}\n{text}");
        assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{text:?}");
        assert!(!more.contains(&"--packets") || text.lines().count() == 4, "{text}");
    }
}

#[test]
fn tables_are_bounded_and_say_so() {
    let broker = (host(1), BROKER);
    let mut talk =
        Conversation::new((host(7), 50_007), broker, START).open().connect(&Connect::new(V311, "walker"));
    for n in 0..20_000_u32 {
        talk.send(&[publish(V311, &format!("walk/{n}"), b"x"), publish(V311, "steady", b"x")].concat());
    }
    let (_folder, path) = folder(&talk.close());
    let text = picket(args!["inspect", "--output", "json", "--top", "3", &path]).ok();
    let document = expect_valid("inspect.schema.json", &text).remove(0);
    let topics = &document["topics"];
    assert_eq!((&topics["complete"], &topics["count"]), (&json!(false), &json!(16_384)));
    assert_eq!(topics["top"][0]["topic"], "steady");
    assert_eq!(
        (&topics["top"][0]["messages"], &topics["top"][0]["at_least"]),
        (&json!(20_000), &json!(false))
    );
    assert_eq!(document["control_packets"]["PUBLISH"], 40_000);
    assert!(picket(args!["inspect", &path]).ok().contains("Topics (more than 16384; the 10 most frequent)"));
}

#[test]
fn brokers_are_shown_with_what_carries_mqtt_to_them() {
    let client = |last, port| benign::sensor(V311, host(last), (host(1), port), START + u64::from(last), 5);
    let capture = client(7, BROKER)
        .with(client(8, WEBSOCKET_PORT))
        .with(client(9, TLS_PORT))
        .with(client(10, TLS_PORT))
        .sorted();
    let (_folder, path) = folder(&capture);
    let text = picket(args!["inspect", "--output", "json", &path]).ok();
    let document = expect_valid("inspect.schema.json", &text).remove(0);
    let carriers = &document["carriers"];
    assert_eq!(
        (&carriers["tcp"], &carriers["websocket"], &carriers["tls"]),
        (&json!(1), &json!(1), &json!(2))
    );
    assert_eq!(carriers["encrypted_share"], 0.5);
    let brokers: Vec<(u64, Value, Value)> = document["brokers"]["top"]
        .as_array()
        .unwrap()
        .iter()
        .map(|broker| {
            (broker["port"].as_u64().unwrap(), broker["carriers"].clone(), broker["clients"].clone())
        })
        .collect();
    for wanted in [
        (u64::from(BROKER), json!(["tcp"]), json!(1)),
        (u64::from(WEBSOCKET_PORT), json!(["websocket"]), json!(1)),
        (u64::from(TLS_PORT), json!(["tls"]), json!(2)),
    ] {
        assert!(brokers.contains(&wanted), "{wanted:?} is not in {brokers:?}");
    }
    let text = picket(args!["inspect", &path]).ok();
    assert!(text.contains("connections  tcp 1, websocket 1, tls 2 (50.0 % encrypted)"), "{text}");
}

#[test]
fn violations_are_shown_by_name() {
    let mut talk = Conversation::new((host(7), 50_007), (host(1), BROKER), START)
        .open()
        .connect(&Connect::new(V311, "wrong"));
    talk.send(&packet(0x36, &[&string("a")[..], &[0, 1]].concat()));
    let (_folder, path) = folder(&talk.closed_by_server());
    let text = picket(args!["inspect", "--packets", &path]).ok();
    assert!(text.contains("violations=[mqtt311:3.3.1-4]"), "{text}");
    let text = picket(args!["inspect", "--output", "json", &path]).ok();
    let document = expect_valid("inspect.schema.json", &text).remove(0);
    assert_eq!(document["violations"], 1);
    let event = &document["events"]["top"][0];
    assert_eq!((&event["name"], &event["count"]), (&json!("mqtt311:3.3.1-4"), &json!(1)));
    assert_eq!((&event["closed"], &event["who"]), (&json!(1), &json!(["10.0.0.7"])));
    let text = picket(args!["inspect", &path]).ok();
    assert!(text.contains("mqtt311:3.3.1-4  medium        1  10.0.0.7  "), "{text}");
}

#[test]
fn filters_and_several_files() {
    let (folder, path) = folder(&conversation());
    let text = picket(args!["inspect", "--output", "json", "--filter", "port 50007", &path]).ok();
    let document = expect_valid("inspect.schema.json", &text).remove(0);
    assert_eq!(document["clients"]["count"], 1);
    assert_eq!(document["control_packets"]["SUBSCRIBE"], 0);
    picket(args!["inspect", "--filter", "port port", &path]).fails(64, &["port port"]);

    let second = folder.path().join("b.pcap");
    let mut later = Conversation::new((host(9), 50_009), (host(1), BROKER), START + 3600 * SECOND)
        .open()
        .connect(&Connect::new(V311, "later"));
    later.send(&publish(V311, "home/temp", b"1"));
    later.close().write(&second);
    let text = picket(args!["inspect", "--output", "json", &path, &second]).ok();
    let document = expect_valid("inspect.schema.json", &text).remove(0);
    assert_eq!(document["files"].as_array().unwrap().len(), 2);
    assert_eq!(document["control_packets"]["CONNECT"], 3);
    assert!(document["span"]["seconds"].as_f64().unwrap() > 3600.0);
}

/// The page shows true output: of the conversation above, in two forms.
#[test]
fn the_documentation_shows_true_output() {
    let (_folder, path) = folder(&conversation());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/inspect.md");
    let page = fs::read_to_string(page).unwrap();
    let here = path.display().to_string();
    for more in [&[][..], &["--packets"]] {
        let mut line = args!["inspect", &path];
        line.extend(more.iter().map(Into::into));
        let text = picket(&line).ok().replace(&here, "home.pcap");
        assert!(page.contains(&text), "docs/inspect.md should hold\n{text}");
    }
}

#[test]
fn it_ends_as_the_other_commands_do() {
    let capture = conversation();
    let (folder, path) = folder(&capture);
    picket(args!["inspect", folder.path().join("none.pcap")]).fails(66, &["none.pcap: no such capture"]);
    picket(args!["inspect", folder.path()]).fails(66, &["is a directory"]);
    assert_eq!(picket(args!["inspect"]).status.code(), Some(64));
    assert_eq!(picket(args!["inspect", "--packets", "--top", "3", &path]).status.code(), Some(64));
    let text = folder.path().join("notes.pcap");
    fs::write(&text, "hello").unwrap();
    let refused = picket(args!["inspect", &text]);
    refused.fails(65, &["notes.pcap: not a usable"]);
    assert_eq!(refused.stdout, "");

    // A reader that has had enough is no error.
    let mut child = Command::new(PROGRAM)
        .args(["inspect", "--packets"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());

    // What is whole of a truncated capture is shown.
    let mut octets = capture.to_pcap();
    octets.truncate(octets.len() - 5);
    fs::write(&path, octets).unwrap();
    let cut = picket(args!["inspect", "--output", "json", &path]);
    assert!(!cut.stderr.is_empty(), "{cut:?}");
    let document = expect_valid("inspect.schema.json", &cut.stdout).remove(0);
    assert_eq!(document["packets"], capture.frames.len() - 1);
}
