//! The MQTT cases of suricata-verify, where the corpus is at hand: for each `test.yaml` the same facts of ours.
//!
//! A fact is a line of `picket inspect --packets --user-names` without its time, addresses and size. All control packets of a
//! capture are wanted, in order, so each case says more than the file it follows. What differs is said with the case.
//! Two things differ throughout: a payload or password is never read, its length is told instead; and an
//! acknowledgement stands for itself instead of being told with what it acknowledges.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, print what it found and say why it was skipped"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use picket::capture::{Event, FileSource, FrameSource as _};
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings};
use picket::inspect::line::{Form, Lines};
use picket::memory::OwnedMemory;

use support::corpus::corpus;

/// The name in most captures.
const PASSPORT: &str = "myvoiceismypassport";
/// The properties of the clients and brokers in them.
const RECEIVES_20: &str = "properties=[receive_maximum=20] ";
const ALIASES_10: &str = "properties=[topic_alias_maximum=10";

/// A case: its folder, the capture as seen from there, and the facts.
struct Case {
    folder: &'static str,
    capture: &'static str,
    facts: Vec<String>,
    /// Sizes of control packets by position, where the case is about frames.
    sizes: &'static [(usize, u64)],
}

fn case(folder: &'static str, capture: &'static str, facts: impl IntoIterator<Item = Vec<String>>) -> Case {
    Case { folder, capture, facts: facts.into_iter().flatten().collect(), sizes: &[] }
}

// ---- facts ------------------------------------------------------------------------------------

fn fact(text: impl Into<String>) -> Vec<String> {
    vec![text.into()]
}

/// CONNECT with user name and password, and a CONNACK that accepts.
fn login(version: &str, id: &str) -> Vec<String> {
    let five = version == "5";
    let properties = if five { RECEIVES_20 } else { "" };
    let mut accepted = match version {
        "5" => format!("<- CONNACK v=5 code=0 reason=success {ALIASES_10}]"),
        _ => format!("<- CONNACK v={version} code=0 reason=accepted"),
    };
    if five && !id.starts_with(PASSPORT) {
        // The server assigns a name, which stands last.
        accepted.truncate(accepted.len() - 1);
        accepted += &format!(" assigned_client_identifier=\"{id}\"]");
    }
    let id = if five && id.starts_with("auto-") { "" } else { id };
    let connect = format!(
        "-> CONNECT v={version} client=\"{id}\" clean keep_alive=60 {properties}user_name=\"user\" password_octets=4"
    );
    vec![connect, accepted]
}

/// PUBLISH of `baabaablacksheep` at QoS 0, 1 or 2 with all that follows.
fn published(version: &str, qos: u8) -> Vec<String> {
    let id = if qos > 0 { "packet_id=1 " } else { "" };
    // Mosquitto tells a client of version 5 that nobody listens.
    let (nobody, success) = match version {
        "5" => (" code=16 reason=no_matching_subscribers", " code=0 reason=success"),
        _ => ("", ""),
    };
    let mut facts = fact(format!("-> PUBLISH v={version} topic=\"topicX\" qos={qos} {id}payload_octets=16"));
    match qos {
        1 => facts.push(format!("<- PUBACK v={version} packet_id=1{nobody}")),
        2 => facts.extend([
            format!("<- PUBREC v={version} packet_id=1{success}"),
            format!("-> PUBREL v={version} packet_id=1{success}"),
            format!("<- PUBCOMP v={version} packet_id=1{success}"),
        ]),
        _ => {}
    }
    facts
}

/// SUBSCRIBE to these filters at one QoS, granted.
fn subscribed(version: &str, filters: &[&str], qos: u8) -> Vec<String> {
    let handling = if version == "5" { " retain_handling=0" } else { "" };
    let filters: Vec<String> =
        filters.iter().map(|filter| format!("{{filter=\"{filter}\" qos={qos}{handling}}}")).collect();
    let codes = vec![qos.to_string(); filters.len()].join(" ");
    vec![
        format!("-> SUBSCRIBE v={version} packet_id=1 filters=[{}]", filters.join(" ")),
        format!("<- SUBACK v={version} packet_id=1 codes=[{codes}]"),
    ]
}

/// UNSUBSCRIBE from one topic that was subscribed and one that was not.
fn unsubscribed(version: &str) -> Vec<String> {
    let codes = if version == "5" { [" codes=[0]", " codes=[17]"] } else { ["", ""] };
    vec![
        format!("-> UNSUBSCRIBE v={version} packet_id=2 filters=[\"topicX\"]"),
        format!("-> UNSUBSCRIBE v={version} packet_id=3 filters=[\"topicY\"]"),
        format!("<- UNSUBACK v={version} packet_id=2{}", codes[0]),
        format!("<- UNSUBACK v={version} packet_id=3{}", codes[1]),
    ]
}

/// DISCONNECT.
fn goodbye(version: &str) -> Vec<String> {
    let code = if version == "5" { " code=0 reason=normal" } else { "" };
    fact(format!("-> DISCONNECT v={version}{code}"))
}

/// The DISCONNECT of `mosquitto_sub` in version 5: Remaining Length 1, reason code 4.
///
/// Differs: the files want 0. Suricata takes a DISCONNECT of less than two octets to have no reason code; the standard lets
/// the Property Length be left out alone (section 3.14.2.2.1), and the octet is there.
fn goodbye_with_will() -> Vec<String> {
    fact("-> DISCONNECT v=5 code=4 reason=disconnect_with_will")
}

/// The CONNECT with every property, and its CONNACK.
///
/// Differs: Payload Format Indicator 144 is a value the standard does not allow (section 3.3.2.3.2), which Suricata passes over.
fn login_with_properties() -> Vec<String> {
    vec![
        format!(
            "-> CONNECT v=5 client=\"{PASSPORT}\" clean keep_alive=60 properties=[maximum_packet_size=11111 \
             receive_maximum=222 session_expiry_interval=555 topic_alias_maximum=666 \
             user_property={{name=\"userprop1\" value=\"userval1\"}} \
             user_property={{name=\"userprop2\" value=\"userval2\"}}] will={{topic=\"willtopic\" qos=0 \
             properties=[content_type=\"mywilltype\" correlation_data={{octets=7}} message_expiry_interval=133 \
             payload_format_indicator=144 response_topic=\"response_topic1\" \
             user_property={{name=\"userprop5\" value=\"userval5\"}} will_delay_interval=200] \
             payload_octets=11}} user_name=\"user\" password_octets=4 \
             violations=[cve:CVE-2021-34431 mqtt5:2.2.2.2 mqtt5:4.13.1-1]"
        ),
        format!("<- CONNACK v=5 code=0 reason=success {ALIASES_10}]"),
    ]
}

/// The message of 35,758 octets in `mqtt5_pub_jpeg.pcap` and its like.
fn picture() -> Vec<String> {
    [fact("-> PUBLISH v=5 topic=\"topicX\" qos=0 payload_octets=35758"), goodbye("5")].concat()
}

/// The name that the server assigned in it.
const PICTURE_ID: &str = "auto-1B43E800-08E3-3BA1-2E97-E9A0B4064BF5";

/// The session of `mqtt-limit-2`, with messages of 100,000, 1,000 and 100 octets.
fn limits() -> Vec<String> {
    [
        fact("-> CONNECT v=3.1.1 client=\"P1\" clean keep_alive=60"),
        fact("<- CONNACK v=3.1.1 code=0 reason=accepted"),
        subscribed("3.1.1", &["foo"], 0),
        fact("-> PUBLISH v=3.1.1 topic=\"foo\" qos=1 packet_id=2 payload_octets=100000"),
        fact("<- PUBACK v=3.1.1 packet_id=2"),
        fact("<- PUBLISH v=3.1.1 topic=\"foo\" qos=0 payload_octets=100000"),
        fact("-> PUBLISH v=3.1.1 topic=\"bar\" qos=1 packet_id=3 payload_octets=1000"),
        fact("<- PUBACK v=3.1.1 packet_id=3"),
        fact("-> PUBLISH v=3.1.1 topic=\"baz\" qos=1 packet_id=4 payload_octets=100"),
        fact("<- PUBACK v=3.1.1 packet_id=4"),
        goodbye("3.1.1"),
    ]
    .concat()
}

/// Every octet of a message counts, whatever Suricata is told to cut: its `skipped_length` is our size.
const LIMIT_SIZES: &[(usize, u64)] = &[(4, 100_011), (6, 100_009), (7, 1010), (9, 109)];

// ---- the table --------------------------------------------------------------------------------

fn cases() -> Vec<Case> {
    let mut cases = vec![
        // A binary message is known by its length; it is never decoded, so it cannot be shown wrongly. The rules on
        // protocol string, reason codes, flags, user name and topic are the facts themselves.
        case(
            "mqtt-binary-message",
            "../mqtt-pub-rules/mqtt5_pub_jpeg.pcap",
            [login("5", PICTURE_ID), picture()],
        ),
        case("mqtt-connect-rules", "mqtt5_pub_jpeg.pcap", [login("5", PICTURE_ID), picture()]),
        case("mqtt-pub-rules", "mqtt5_pub_jpeg.pcap", [login("5", PICTURE_ID), picture()]),
        // Reason code 134 in the CONNACK. Differs: Suricata says no more; what the client sends after it was refused is a
        // violation only where the server processes it.
        case(
            "mqtt-connect-rules-2",
            "mqtt5_pub_jpeg_connack134.pcap",
            [
                login("5", PICTURE_ID)
                    .iter()
                    .map(|fact| {
                        fact.replace("code=0 reason=success", "code=134 reason=bad_user_name_or_password")
                    })
                    .collect(),
                picture(),
            ],
        ),
        case(
            "mqtt-connect-rules-3",
            "../mqtt-connect-rules/mqtt5_pub_jpeg.pcap",
            [login("5", PICTURE_ID), picture()],
        ),
        // Invalid QoS level.
        case(
            "mqtt-events-invalid-qos",
            "input.pcap",
            [
                login("3.1.1", PASSPORT),
                fact(
                    "-> PUBLISH v=3.1.1 topic=\"topicX\" qos=3 packet_id=1 payload_octets=16 \
                     violations=[mqtt311:3.3.1-4]",
                ),
                goodbye("3.1.1"),
            ],
        ),
        // Missing CONNECT. Differs: the capture lacks the first 16 octets of the client, which the server acknowledges:
        // that is a gap, and no proof that there was no CONNECT. What follows is read all the same, with the version told
        // by the packets themselves.
        case(
            "mqtt-events-missing-connect",
            "input.pcap",
            [
                fact("<- CONNACK v=3.1.1 code=0 reason=accepted"),
                fact("-> SUBSCRIBE v=3.1.1 packet_id=1 filters=[{filter=\"house/bulbs/bulb1\" qos=1}]"),
                fact("<- SUBACK v=3.1.1 packet_id=1 codes=[1]"),
                fact("-> SUBSCRIBE v=3.1.1 packet_id=2 filters=[{filter=\"house/bulbs/bar\" qos=2}]"),
                fact("<- SUBACK v=3.1.1 packet_id=2 codes=[2]"),
                fact("-> PUBLISH v=3.1.1 topic=\"house/bulbs/bulb1\" qos=2 packet_id=3 payload_octets=3"),
                fact("<- PUBREC v=3.1.1 packet_id=3"),
                fact("-> PUBLISH v=3.1.1 topic=\"house/bulbs/foo2\" qos=2 packet_id=4 payload_octets=2"),
                fact("<- PUBREC v=3.1.1 packet_id=4"),
                fact("-> PUBREL v=3.1.1 packet_id=3"),
                fact("<- PUBCOMP v=3.1.1 packet_id=3"),
                fact("-> PUBREL v=3.1.1 packet_id=4"),
                fact("<- PUBLISH v=3.1.1 topic=\"house/bulbs/bulb1\" qos=1 packet_id=1 payload_octets=3"),
                fact("-> PUBACK v=3.1.1 packet_id=1"),
                fact("<- PUBCOMP v=3.1.1 packet_id=4"),
                goodbye("3.1.1"),
                fact("-> CONNECT v=3.1.1 client=\"P1\" clean keep_alive=60"),
                fact("<- CONNACK v=3.1.1 code=0 reason=accepted"),
                fact("-> SUBSCRIBE v=3.1.1 packet_id=1 filters=[{filter=\"house/bulbs/bulb2\" qos=1}]"),
                fact("<- SUBACK v=3.1.1 packet_id=1 codes=[1]"),
                goodbye("3.1.1"),
            ],
        ),
        // Unassigned message type.
        case(
            "mqtt-events-unassigned-msgtype",
            "input.pcap",
            [
                login("3.1.1", PASSPORT),
                fact("-> RESERVED v=3.1.1 violations=[mqtt311:4.8.0-1]"),
                goodbye("3.1.1"),
            ],
        ),
        // Unintroduced message: a PUBLISH before the CONNACK. Differs: a client need not wait for the CONNACK (3.1.1 and 5,
        // section 3.1.4), so there is nothing wrong.
        case(
            "mqtt-events-unintroduced",
            "input.pcap",
            [login("3.1", PASSPORT).into_iter().take(1).collect(), published("3.1", 0)],
        ),
        // Frames are control packets, headers and what follows; here, types and sizes.
        Case {
            sizes: &[(0, 49), (2, 27), (3, 2)],
            ..case(
                "mqtt-frames",
                "../mqtt5-pub-userpass/input.pcap",
                [login("5", PASSPORT), published("5", 0), goodbye("5")],
            )
        },
        // Differs: nothing is cut at a maximum message length of 60, since nothing is buffered.
        Case {
            sizes: &[(0, 30), (1, 55)],
            ..case(
                "mqtt-frames-truncated",
                "input.pcap",
                [login("5", "auto-17236393-B532-03F2-6526-F71115B8A4BE")
                    .iter()
                    .map(|fact| fact.replace("A4BE\"]", "A4BE\" receive_maximum=20]"))
                    .collect()],
            )
        },
        // Two packets of 13 octets in one segment.
        Case {
            sizes: &[(4, 13), (5, 13)],
            ..case(
                "mqtt-frames-xpdu",
                "../mqtt5-unsub-userpass/input.pcap",
                [
                    login("5", PASSPORT),
                    subscribed("5", &["topicX"], 0),
                    unsubscribed("5"),
                    goodbye_with_will(),
                ],
            )
        },
        // Differs: no message is truncated at any limit; each has its topic, packet identifier and length.
        Case { sizes: LIMIT_SIZES, ..case("mqtt-limit-1", "../mqtt-limit-2/input.pcap", [limits()]) },
        Case { sizes: LIMIT_SIZES, ..case("mqtt-limit-2", "input.pcap", [limits()]) },
        Case { sizes: LIMIT_SIZES, ..case("mqtt-limit-3", "../mqtt-limit-2/input.pcap", [limits()]) },
        // These are about how much of a message or topic Suricata logs. Ours: no message, the whole filter.
        case("mqtt-limit-log-1", "../mqtt-limit-2/input.pcap", [limits()]),
        case("mqtt-limit-log-2", "../mqtt-limit-2/input.pcap", [limits()]),
        case(
            "mqtt-limit-log-3",
            "../mqtt5-sub-userpass/input.pcap",
            [login("5", PASSPORT), subscribed("5", &["topicX", "topicY"], 0), goodbye_with_will()],
        ),
        // Wants an error of Suricata about its own configuration; ours has no such key.
        case("mqtt-limit-log-fail", "../mqtt-limit-2/input.pcap", [limits()]),
        // Joined in the middle, behind the CONNECT, where the first octet of the CONNACK has a segment of its own and the
        // PUBLISH spans three. The version is told by the packets.
        case(
            "mqtt-midstream-split",
            "mqtt-midstream-split.pcap",
            [login("5", PICTURE_ID).into_iter().skip(1).collect(), picture()],
        ),
        // Two packets of a session whose beginning was not captured. Differs: `unintroduced_message` is no event, since it
        // is not known what came before.
        case("mqtt-ping", "input.pcap", [fact("-> PINGREQ v=unknown"), fact("<- PINGRESP v=unknown")]),
        case(
            "mqtt-sub-rules",
            "../mqtt5-sub-userpass/input.pcap",
            [login("5", PASSPORT), subscribed("5", &["topicX", "topicY"], 0), goodbye_with_will()],
        ),
        case(
            "mqtt-unsub-rules",
            "../mqtt5-unsub-userpass/input.pcap",
            [login("5", PASSPORT), subscribed("5", &["topicX"], 0), unsubscribed("5"), goodbye_with_will()],
        ),
        // The Property Length of the CONNECT runs past its end. Differs: for Suricata that is the end of MQTT on this connection;
        // here the rest is read.
        case(
            "mqtt5-excessiveproplen",
            "input.pcap",
            [
                fact("-> CONNECT v=5 clean keep_alive=60 violations=[cve:CVE-2021-34431 mqtt5:2.2.2-1]"),
                login("5", PASSPORT).into_iter().skip(1).collect(),
                published("5", 0),
                goodbye("5"),
            ],
        ),
        case(
            "mqtt5-pub-mosquittoprops",
            "input.pcap",
            [
                login_with_properties(),
                fact(
                    "-> PUBLISH v=5 topic=\"topicX\" qos=1 packet_id=1 properties=[content_type=\"mytype\" \
                     correlation_data={octets=5} message_expiry_interval=77 payload_format_indicator=88 \
                     response_topic=\"response_topic1\" topic_alias=5 \
                     user_property={name=\"userprop3\" value=\"userval3\"}] payload_octets=16 \
                     violations=[mqtt5:2.2.2.2 mqtt5:4.13.1-1]",
                ),
                fact("<- PUBACK v=5 packet_id=1 code=16 reason=no_matching_subscribers"),
                fact(
                    "-> DISCONNECT v=5 code=0 reason=normal properties=[session_expiry_interval=122 \
                     user_property={name=\"userprop4\" value=\"userval4\"}]",
                ),
            ],
        ),
        case(
            "mqtt5-sub-mosquittoprops",
            "input.pcap",
            [
                login_with_properties(),
                subscribed("5", &["topicX", "topicY"], 0),
                fact(
                    "-> DISCONNECT v=5 code=4 reason=disconnect_with_will properties=[session_expiry_interval=122 \
                     user_property={name=\"userprop4\" value=\"userval4\"}]",
                ),
            ],
        ),
        // Authentication data, and correlation data elsewhere, may be a secret: their lengths only.
        case(
            "mqtt5-sub-customauth",
            "input.pcap",
            [
                fact(format!(
                    "-> CONNECT v=5 client=\"{PASSPORT}\" clean keep_alive=60 properties=[authentication_method=\"foo\" \
                     authentication_data={{octets=4}} receive_maximum=20]"
                )),
                fact("<- CONNACK v=5 code=140 reason=bad_authentication_method"),
            ],
        ),
    ];
    for (prefix, version, auto) in [
        ("mqtt31", "3.1", "mosq-dRkAMvJQvimi16jz72"),
        ("mqtt311", "3.1.1", "mosq-aGMiV6nelbCb00tvAY"),
        ("mqtt5", "5", "auto-6F78CADB-9176-19F4-B5F5-101745377C35"),
    ] {
        let folder = |name: &str| -> &'static str { format!("{prefix}-{name}").leak() };
        let login = |id| login(version, id);
        let leave = || if version == "5" { goodbye_with_will() } else { goodbye(version) };
        for (name, id, qos) in [
            ("pub-userpass", PASSPORT, 0),
            ("pub-userpass-auto-clientid", auto, 0),
            ("pub-qos1", PASSPORT, 1),
            ("pub-qos2", PASSPORT, 2),
        ] {
            let facts = [login(id), published(version, qos), goodbye(version)];
            cases.push(case(folder(name), "input.pcap", facts));
        }
        let both = subscribed(version, &["topicX", "topicY"], 0);
        cases.push(case(folder("sub-userpass"), "input.pcap", [login(PASSPORT), both, leave()]));
        for (name, qos) in [("unsub-userpass", 0), ("unsub-qos1", 1), ("unsub-qos2", 2)] {
            let facts =
                [login(PASSPORT), subscribed(version, &["topicX"], qos), unsubscribed(version), leave()];
            cases.push(case(folder(name), "input.pcap", facts));
        }
    }
    cases
}

// ---- the test ---------------------------------------------------------------------------------

/// The lines of a capture: direction, type, version and fields, and the sizes.
fn read(path: &Path) -> (Vec<String>, Vec<u64>) {
    let mut source = FileSource::open(path, None).unwrap();
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out, Form::Text, true);
    loop {
        match source.next_frame().unwrap() {
            Event::Frame(frame) => engine.on_frame(&frame, &mut lines),
            Event::End => break,
            _ => {}
        }
    }
    engine.finish(&mut lines);
    lines.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, _, arrow, _, packet_type, version, octets, rest @ ..] = &words[..] else {
                panic!("{line}")
            };
            // The client's name is the CONNECT's; behind it, it is repeated only for those who search.
            let rest: Vec<&str> = rest
                .iter()
                .filter(|word| *packet_type == "CONNECT" || !word.starts_with("client="))
                .copied()
                .collect();
            let fact = [&[*arrow, *packet_type, *version][..], &rest].concat().join(" ");
            (fact, octets.strip_prefix("octets=").unwrap().parse::<u64>().unwrap())
        })
        .unzip()
}

#[test]
fn the_facts_of_every_mqtt_case_of_suricata_verify() {
    let Some(corpus) = corpus("the_facts_of_every_mqtt_case_of_suricata_verify") else { return };
    let tests = corpus.join("suricata-verify/tests");
    let cases = cases();
    let there: BTreeSet<String> = fs::read_dir(&tests)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("mqtt"))
        .collect();
    let named: BTreeSet<String> = cases.iter().map(|case| case.folder.to_owned()).collect();
    assert_eq!(named, there, "a case for each folder, and a folder for each case");
    let mut wrong = Vec::new();
    for case in &cases {
        let (facts, sizes) = read(&tests.join(case.folder).join(case.capture));
        for (at, (ours, wanted)) in facts.iter().zip(&case.facts).enumerate() {
            if ours != wanted {
                wrong.push(format!("{} {at}:\n  is     {ours}\n  wanted {wanted}", case.folder));
            }
        }
        if facts.len() != case.facts.len() {
            wrong.push(format!("{}: {} packets, wanted {}", case.folder, facts.len(), case.facts.len()));
        }
        for (at, size) in case.sizes {
            if sizes.get(*at) != Some(size) {
                wrong.push(format!("{} {at}: size {:?}, wanted {size}", case.folder, sizes.get(*at)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("suricata-verify: {} cases", cases.len());
}
