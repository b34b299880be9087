//! Control packets that break the standard, and odd but legal ones (ATT&CK for ICS T0866). Only the attacker's
//! side: what a case breaks is named after the OASIS statement that it breaks.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Deed, Meter, Place, defaults};
use crate::mqtt::packet::{Connect, Publish, Version, field, packet, subscribe};
use crate::mqtt::session::is_timeout;
use crate::random::Random;
use crate::stop::{Pacer, Stop};

/// Which cases are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Everything.
    All,
    /// What a conforming broker has to refuse.
    Violations,
    /// What is legal and that no honest device does.
    Odd,
    /// Ordinary packets with some bytes changed by chance, as fuzzers send them.
    Fuzz,
}

/// Options of the malformed traffic.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Malformed {
    /// Which cases
    #[arg(long, value_enum, default_value = "all")]
    pub kind: Kind,
    /// Only cases whose name contains this text, such as 3.3.1-4 or "wildcard"
    #[arg(long)]
    pub only: Option<String>,
    /// Cases to play, each on a connection of its own
    #[arg(long, default_value_t = 150)]
    pub count: u32,
    /// Cases a second; 0 is as fast as possible
    #[arg(long, default_value_t = 25.0)]
    pub rate: f64,
    /// Protocol version
    #[arg(long, value_enum, default_value = "3.1.1")]
    pub protocol: Version,
    /// Stop after so many seconds
    #[arg(long, default_value_t = 8)]
    pub secs: u32,
}

impl Default for Malformed {
    fn default() -> Self {
        defaults()
    }
}

/// One thing to send on one connection.
struct Case {
    /// The statement that it breaks, with a few words.
    name: &'static str,
    kind: Kind,
    bytes: Vec<u8>,
}

impl Deed for Malformed {
    fn label(&self) -> (&'static str, &'static str) {
        ("mqtt_malformed", "A6")
    }

    fn secs(&self) -> u32 {
        self.secs
    }

    fn run(&self, place: &Place, stop: &Stop, meter: &Meter) {
        let mut random = place.random(0);
        let mut pacer = Pacer::new(self.rate);
        let mut queue = Vec::new();
        while pacer.turn(stop) && meter.take(u64::from(self.count)) {
            if queue.is_empty() {
                queue = if self.kind == Kind::Fuzz {
                    (0..32).map(|_| mutant(self.protocol, place, &mut random)).collect()
                } else {
                    cases(self.protocol, place, &mut random)
                };
                queue.retain(|case| self.wants(case));
                random.shuffle(&mut queue);
            }
            let Some(case) = queue.pop() else {
                return; // no case has such a name
            };
            match play(&case, place) {
                Ok(true) => Meter::count(&meter.refused),
                Ok(false) => Meter::count(&meter.accepted),
                Err(_) => Meter::count(&meter.failed),
            }
        }
    }
}

impl Malformed {
    fn wants(&self, case: &Case) -> bool {
        (self.kind == Kind::All || case.kind == self.kind)
            && self.only.as_ref().is_none_or(|text| case.name.contains(text))
    }
}

/// Sends a case. True if the broker closed the connection, which is its refusal.
fn play(case: &Case, place: &Place) -> io::Result<bool> {
    let mut stream = place.dial().open()?;
    stream.write_all(&case.bytes)?;
    stream.set_read_timeout(Some(Duration::from_millis(40)))?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if is_timeout(&error) => {
                stream.shutdown(Shutdown::Both)?;
                return Ok(false);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

/// All cases for a version, with fresh client identifiers.
fn cases(version: Version, place: &Place, random: &mut Random) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |name, kind, bytes| all.push(Case { name, kind, bytes });
    let id = random.text(10);
    let ordinary = place.connect(version, &id, 60);
    for (name, bytes) in first_packets(version, &ordinary) {
        add(name, Kind::Violations, bytes);
    }
    for (name, bytes) in later_packets(version, random) {
        let mut stream = ordinary.encode();
        stream.extend(bytes);
        add(name, Kind::Violations, stream);
    }
    let long = "x".repeat(680);
    for (name, client_id, keep_alive) in [
        ("client id $", "$", 60),
        ("client id #", "#", 60),
        ("client id +/+", "+/+", 60),
        ("client id of 680 bytes", long.as_str(), 60),
        ("client id with a path", "/../../etc", 60),
        ("keep alive 1", id.as_str(), 1),
        ("keep alive 2", id.as_str(), 2),
        ("keep alive 3", id.as_str(), 3),
        ("keep alive 234 and no client id", "", 234),
    ] {
        let connect = Connect { client_id, keep_alive, ..ordinary.clone() };
        add(name, Kind::Odd, connect.encode());
    }
    for topic in
        ["$SYS/x", "$SYS/broker/version", "$", "///////", "/../../../../", "$CONTROL/x/v1", "%s%n%x", "a//b"]
    {
        let mut bytes = ordinary.encode();
        Publish { topic, payload: b"x", qos: 0, retain: false, id: 0 }.encode_into(version, &mut bytes);
        add("odd topic", Kind::Odd, bytes);
    }
    all
}

/// An ordinary conversation with one to six changed bytes, perhaps cut short.
fn mutant(version: Version, place: &Place, random: &mut Random) -> Case {
    let id = random.text(10);
    let mut bytes = place.connect(version, &id, 60).encode();
    if random.chance(0.7) {
        bytes.extend(subscribe(version, 1, &[("site/+/state", 1)]));
        Publish { topic: "site/a/state", payload: b"21.5", qos: 1, retain: false, id: 2 }
            .encode_into(version, &mut bytes);
    }
    for _ in 0..random.between((1, 6)) {
        let at = random.between((0, u32::try_from(bytes.len() - 1).expect("short"))) as usize;
        bytes[at] = u8::try_from(random.between((0, 255))).expect("a byte");
    }
    if random.chance(0.2) {
        bytes.truncate(bytes.len() / 2);
    }
    Case { name: "changed bytes", kind: Kind::Fuzz, bytes }
}

/// A CONNECT with its variable header and payload given by hand.
fn raw_connect(name: &[u8], level: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    field(&mut body, name);
    body.extend([level, flags, 0, 60]);
    if level == 5 {
        body.push(0);
    }
    body.extend(payload);
    packet(0x10, &body)
}

/// What must not be the first packet of a connection.
fn first_packets(version: Version, ordinary: &Connect<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let level = version.level();
    let name: &[u8] = if version == Version::V31 { b"MQIsdp" } else { b"MQTT" };
    let id = b"\x00\x03abc";
    let mut twice = ordinary.encode();
    twice.extend(ordinary.encode());
    let mut truncated = ordinary.encode();
    truncated.truncate(truncated.len() / 2);
    let mut publish = Vec::new();
    Publish { topic: "a", payload: b"x", qos: 0, retain: false, id: 0 }.encode_into(version, &mut publish);
    vec![
        ("3.1.0-1 first packet is not CONNECT", publish),
        ("3.1.0-2 CONNECT twice", twice),
        ("3.1.2-1 protocol name", raw_connect(b"MQTZ", level, 2, id)),
        ("3.1.2-2 protocol level", raw_connect(name, 99, 2, id)),
        ("3.1.2-3 reserved connect flag", raw_connect(name, level, 3, id)),
        ("3.1.2-14 will QoS 3", raw_connect(name, level, 0x1E, b"\x00\x03abc\x00\x01w\x00\x01m")),
        ("3.1.2-13 will QoS without will", raw_connect(name, level, 0x0A, id)),
        ("3.1.2-22 password flag without user name", raw_connect(name, level, 0x42, b"\x00\x03abc\x00\x01p")),
        ("3.1.2-19 user name missing", raw_connect(name, level, 0x82, id)),
        ("3.1.3-3 client id missing", raw_connect(name, level, 2, b"")),
        ("3.1.3-1 client id longer than the packet", raw_connect(name, level, 2, b"\x00\x40ab")),
        ("1.5.3-1 client id is not UTF-8", raw_connect(name, level, 2, b"\x00\x03\xff\xfe\xc0")),
        ("1.5.3-2 client id with U+0000", raw_connect(name, level, 2, b"\x00\x03a\x00b")),
        ("2.2.3 Remaining Length of five bytes", b"\x10\xff\xff\xff\xff\x01\x00\x04MQTT".to_vec()),
        ("2.2.1 packet type 0", b"\x00\x00".to_vec()),
        ("2.2.1 CONNACK from a client", b"\x20\x02\x00\x00".to_vec()),
        ("truncated CONNECT, then closed", truncated),
    ]
}

/// What must not follow an accepted CONNECT.
fn later_packets(version: Version, random: &mut Random) -> Vec<(&'static str, Vec<u8>)> {
    let five = version == Version::V5;
    // A body that starts with a topic: in version 5 an empty property list follows.
    let topic = |name: &[u8], id: &[u8], rest: &[u8]| {
        let mut body = Vec::new();
        field(&mut body, name);
        body.extend(id);
        if five {
            body.push(0);
        }
        body.extend(rest);
        body
    };
    let id: &[u8] = if five { b"\x00\x07\x00" } else { b"\x00\x07" };
    let with_id = |rest: &[u8]| [id, rest].concat();
    let deep = "/".repeat(random.between((210, 600)) as usize);
    let mut truncated = packet(0x30, &topic(b"a/b", b"", &[b'x'; 200]));
    truncated.truncate(40);
    let mut after_disconnect = b"\xe0\x00".to_vec();
    after_disconnect.extend(packet(0x30, &topic(b"a/b", b"", b"x")));
    let mut all = vec![
        ("3.3.1-4 PUBLISH QoS 3", packet(0x36, &topic(b"a/b", b"\x00\x07", b"x"))),
        ("3.3.1-2 DUP with QoS 0", packet(0x38, &topic(b"a/b", b"", b"x"))),
        ("3.3.2-2 wildcard in a topic name", packet(0x30, &topic(b"a/#", b"", b"x"))),
        ("3.3.2-2 plus in a topic name", packet(0x30, &topic(b"a/+/b", b"", b"x"))),
        ("4.7.3-1 empty topic", packet(0x30, &topic(b"", b"", b"x"))),
        ("3.3.2-1 topic is not UTF-8", packet(0x30, &topic(b"\xff\xfe\xc0", b"", b"x"))),
        ("2.3.1-1 packet identifier 0", packet(0x32, &topic(b"a/b", b"\x00\x00", b"x"))),
        ("2.3.1-1 no room for the identifier", packet(0x32, b"\x00\x01a\x00")),
        ("3.6.1-1 PUBREL flags", packet(0x60, b"\x00\x07")),
        ("3.8.1-1 SUBSCRIBE flags", packet(0x80, &with_id(b"\x00\x01a\x00"))),
        ("3.8.3-3 SUBSCRIBE without filter", packet(0x82, id)),
        ("3.8.3-4 SUBSCRIBE QoS 3", packet(0x82, &with_id(b"\x00\x01a\x03"))),
        ("4.7.1-2 misplaced #", subscribe(version, 7, &[("a#/b", 0)])),
        ("more than 200 topic levels", subscribe(version, 7, &[(&deep, 0)])),
        ("3.10.3-2 UNSUBSCRIBE without filter", packet(0xA2, id)),
        ("2.2.2-2 PINGREQ flags", b"\xc5\x00".to_vec()),
        ("3.14.1-1 DISCONNECT flags", b"\xe7\x00".to_vec()),
        ("2.2.1 SUBACK from a client", packet(0x90, &with_id(b"\x00"))),
        ("2.2.1 packet type 15 in 3.1.1", b"\xf0\x00".to_vec()),
        ("3.14.4-2 PUBLISH after DISCONNECT", after_disconnect),
        ("truncated PUBLISH, then closed", truncated),
    ];
    if five {
        let properties = |bytes: &[u8]| {
            let mut body = b"\x00\x03a/b".to_vec();
            body.push(u8::try_from(bytes.len()).expect("short lists"));
            body.extend(bytes);
            packet(0x30, &body)
        };
        all.extend([
            ("3.3.2-8 topic alias 0", properties(b"\x23\x00\x00")),
            ("2.2.2-2 property twice", properties(b"\x01\x01\x01\x01")),
            ("2.2.2 unknown property", properties(b"\x7e\x00")),
            ("2.2.2 property of another packet", properties(b"\x21\x00\x0a")),
            ("3.3.2-14 response topic with a wildcard", properties(b"\x08\x00\x03a/#")),
        ]);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::target::Target;

    fn place() -> Place {
        Place {
            target: Target::check("127.0.0.1:1".parse().unwrap()).unwrap(),
            from: None,
            credentials: None,
            known: super::super::Known::default(),
            seed: 1,
        }
    }

    fn bytes_of(name: &str, version: Version) -> Vec<u8> {
        let all = cases(version, &place(), &mut Random::new(1));
        let connect = Connect {
            version,
            client_id: &Random::new(1).text(10),
            keep_alive: 60,
            clean: true,
            ..Connect::default()
        };
        let bytes =
            all.into_iter().find(|case| case.name.starts_with(name)).expect("a case of that name").bytes;
        bytes.strip_prefix(connect.encode().as_slice()).unwrap_or(&bytes).to_vec()
    }

    #[test]
    fn violations_byte_by_byte() {
        assert_eq!(bytes_of("3.3.1-4", Version::V311), b"\x36\x08\x00\x03a/b\x00\x07x");
        assert_eq!(bytes_of("3.3.2-2 wild", Version::V5), b"\x30\x07\x00\x03a/#\x00x");
        assert_eq!(bytes_of("3.1.2-3", Version::V311), b"\x10\x0f\x00\x04MQTT\x04\x03\x00\x3c\x00\x03abc");
        assert_eq!(bytes_of("3.8.3-3", Version::V311), b"\x82\x02\x00\x07");
        assert_eq!(bytes_of("3.3.2-8", Version::V5), b"\x30\x09\x00\x03a/b\x03\x23\x00\x00");
    }

    #[test]
    fn names_differ_and_every_version_has_both_kinds() {
        for version in [Version::V31, Version::V311, Version::V5] {
            let all = cases(version, &place(), &mut Random::new(3));
            let violations: Vec<_> = all.iter().filter(|case| case.kind == Kind::Violations).collect();
            assert_eq!(
                violations.iter().map(|case| case.name).collect::<HashSet<_>>().len(),
                violations.len()
            );
            assert!(violations.len() >= 38, "{}", violations.len());
            assert!(all.len() - violations.len() >= 17);
        }
    }
}
