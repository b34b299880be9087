//! `docs/violations.md`, made from the table and from the reports of flaws.

use std::fmt::Write as _;

use picket::flow::anomaly::Anomaly;
use picket::mqtt::violation::cve::{REPORTS, Told};
use picket::mqtt::violation::table::ROWS;
use picket::mqtt::violation::{Row, Scope, Violation as V};

/// The parts of the table, each with its first row.
const PARTS: [(V, &str); 11] = [
    (V::ReservedType, "Fixed header"),
    (V::Utf8, "Strings"),
    (V::NotConnectFirst, "CONNECT"),
    (V::ConnAckNotFirst, "CONNACK"),
    (V::KeepAliveExceeded, "Keep alive"),
    (V::Qos3, "PUBLISH, packet identifiers, limits of version 5"),
    (V::Qos2Repeated, "QoS 2"),
    (V::NoFilters, "SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK"),
    (V::AfterDisconnect, "DISCONNECT and AUTH"),
    (V::PropertyLength, "Properties and reason codes"),
    (V::WebSocketText, "WebSocket"),
];

/// How a violation is recognised and when it is not judged, where that is more than its scope says.
#[expect(clippy::too_many_lines, reason = "a list")]
fn details(violation: V) -> &'static str {
    match violation {
        V::FlagsTolerated => {
            "The server answered a packet with wrong flags, or said nothing for 5 s. Version 5 has no such statement."
        }
        V::RemainingLength => {
            "The boundaries of packets are lost with it; they are found again at the start of a segment."
        }
        V::NonMinimalLength => {
            "The packet is read all the same. Versions 3.1 and 3.1.1 do not forbid it. Also for the Property Length, identifiers of properties, and Subscription Identifiers."
        }
        V::Truncated => {
            "Not where the packet itself was not captured as a whole (snaplen, or a packet beyond the 1024 octets that are kept of a split one)."
        }
        V::WrongDirection => {
            "CONNECT, SUBSCRIBE, UNSUBSCRIBE and PINGREQ of the server; SUBACK, UNSUBACK and PINGRESP of the client; before version 5 also DISCONNECT of the server."
        }
        V::NotConnectFirst => "Only on a connection that was seen from its SYN, to a port known as MQTT.",
        V::NotConnectLarge => "More than 4096 octets. Comes with the statement on the first packet.",
        V::ProtocolLevel => "Mosquitto's bridge bit (0x80) is taken off first.",
        V::UserNameUnannounced | V::PasswordUnannounced => {
            "What is left over behind the announced fields is one string, or two, that ends with the packet."
        }
        V::PayloadOrder => {
            "What is left over behind the announced fields is not a user name or password either."
        }
        V::EmptyClientIdLeftOpen => "5 s after the refusal; comes with the statement on refusals.",
        V::MalformedConnect => {
            "Any CONNECT with a violation that counts; the first report before version 5, the second in version 5."
        }
        V::HugeBeforeAccept => {
            "More than 65,536 octets on a connection seen from its SYN without a gap. What is announced counts, not what comes."
        }
        V::EndlessKeepAlive => "Harmless alone; many such sessions are what the rule looks at.",
        V::AfterRefusal => {
            "Later than 200 ms after the refusal, since more may have been on the way. Of the server: anything but DISCONNECT."
        }
        V::TakeoverNotClosed => {
            "5 s after another connection with the same client identifier was accepted by the same server. Not over TLS."
        }
        V::PacketDuringAuth => "The CONNECT named a method, and no CONNACK came yet.",
        V::ConnAckNotFirst => {
            "Both directions seen from their start without a gap. AUTH and, in version 5, DISCONNECT have rows of their own."
        }
        V::SessionLost => {
            "The client's previous session with the same server was seen to its end, and the time for which it is kept has not passed."
        }
        V::SessionInvented => {
            "The client's previous session with the same server was clean, or not to be kept."
        }
        V::RefusedLeftOpen => "5 s after the CONNACK.",
        V::KeepAliveExceeded => {
            "Told by the client's next packet, with 1 s allowed for the way; the Server Keep Alive of version 5 takes precedence."
        }
        V::KeepAliveTolerated => "Told by the client's next packet, as before.",
        V::RedeliveryWithoutDup => {
            "Same packet identifier and topic as a PUBLISH that is not acknowledged, without DUP."
        }
        V::ResentWithinConnection => "The same with DUP. Versions 3.1 and 3.1.1 allow it.",
        V::DollarTopic => {
            "By a client. `$SYS`, `$share` and the trees that clouds and bridges are known to offer are left out; `$CONTROL` is not."
        }
        V::RetainStorm => "A single such message cannot be told from an honest one.",
        V::PacketIdInUse | V::ServerPacketIdInUse => {
            "The identifier of an exchange that is open, for another message. Each side has identifiers of its own."
        }
        V::AckUnknown | V::SubAckUnknown => {
            "Not for 60 s after a gap or a start in the middle, nor while more exchanges are open than are kept (10 on each side)."
        }
        V::ReceiveMaximum | V::ServerReceiveMaximum => {
            "Only where the CONNECT or CONNACK that sets the limit was seen, and nothing was missed."
        }
        V::PacketTooLarge | V::ServerPacketTooLarge | V::QosAboveMaximum | V::RetainNotAvailable => {
            "Only where the CONNECT or CONNACK that sets the limit was seen."
        }
        V::AliasTooHigh | V::AliasNotAllowed | V::ServerAliasTooHigh | V::ServerAliasNotAllowed => {
            "Only where the CONNECT or CONNACK that sets the maximum was seen."
        }
        V::AliasUnknown => {
            "Only on a connection seen from its start without a gap, while all its aliases could be kept."
        }
        V::Qos2Repeated => "The same packet identifier again although its PUBREC was sent.",
        V::PubRecMissing | V::PubRelMissing | V::PubCompMissing => {
            "60 s after the step before, on a connection that is open."
        }
        V::TopicLevels => "More than 200, as Mosquitto allows since.",
        V::SubscriptionChurn => {
            "More than four changes between SUBSCRIBE and UNSUBSCRIBE within a second, with a shared filter among them."
        }
        V::SubAckCount => "Only where all filters of the request were read.",
        V::SubAckOrder => "Of the first 16 filters: a QoS above the one asked for.",
        V::AuthMethodMismatch => "Also a CONNACK that does not repeat the method.",
        V::PropertyMisplaced => {
            "What follows an unknown property in the same packet is not read, since its length is unknown."
        }
        V::ReasonCode => {
            "One statement per type of packet: PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK, DISCONNECT, AUTH."
        }
        V::WebSocketNotOffered | V::WebSocketNotAccepted => {
            "Told with the first control packet, and only of connections that carry MQTT."
        }
        V::WebSocketShortFrame => {
            "The message has ended, the packet has not, and the server closes or 5 s pass. That a frame ends within a packet is no violation."
        }
        _ => "",
    }
}

/// Which side breaks it.
pub const fn culprit(violation: V) -> &'static str {
    match violation {
        V::FlagsTolerated
        | V::EmptyClientIdAccepted
        | V::EmptyClientIdLeftOpen
        | V::AssignedIdMissing
        | V::TakeoverNotClosed
        | V::ConnAckNotFirst
        | V::SecondConnAck
        | V::ConnAckFlags
        | V::SessionPresentClean
        | V::SessionLost
        | V::SessionInvented
        | V::SessionPresentRefused
        | V::RefusedLeftOpen
        | V::ConnAckCode
        | V::KeepAliveTolerated
        | V::ServerPacketIdZero
        | V::ServerPacketIdInUse
        | V::SubAckUnknown
        | V::ServerReceiveMaximum
        | V::ServerPacketTooLarge
        | V::ServerAliasTooHigh
        | V::ServerAliasNotAllowed
        | V::SubAckCount
        | V::SubAckOrder
        | V::SubAckCode
        | V::SubAckEmpty
        | V::ServerDisconnectEarly
        | V::ServerDisconnectExpiry
        | V::ServerAuthUnsolicited
        | V::WebSocketNotAccepted => "server",
        V::ReservedType
        | V::ReservedFlags
        | V::PubRelFlags
        | V::DisconnectFlags
        | V::AuthFlags
        | V::RemainingLength
        | V::NonMinimalLength
        | V::Truncated
        | V::Trailing
        | V::WrongDirection
        | V::Utf8
        | V::NulInString
        | V::NulInTopic
        | V::AfterRefusal
        | V::Qos3
        | V::DupQos0
        | V::RedeliveryWithoutDup
        | V::ResentWithinConnection
        | V::WildcardTopic
        | V::TopicUtf8
        | V::EmptyTopic
        | V::PublishIdMissing
        | V::AckUnknown
        | V::AliasZero
        | V::AliasUnknown
        | V::ResponseTopicWildcard
        | V::ResponseTopicUtf8
        | V::Qos2Repeated
        | V::Qos2AfterRelease
        | V::PubRecMissing
        | V::PubRelMissing
        | V::PubCompMissing
        | V::TopicLevels
        | V::AfterDisconnect
        | V::AuthMethodMismatch
        | V::PropertyLength
        | V::PropertyVarint
        | V::PropertyMisplaced
        | V::PropertyDuplicate
        | V::PropertyValue
        | V::ReasonCode
        | V::ManyUserProperties
        | V::WebSocketText => "either",
        _ => "client",
    }
}

/// Which rule a violation feeds.
fn rule(row: &Row) -> &'static str {
    let high = row.severity >= picket::alert::Severity::High;
    let counts = row.counts() && culprit(row.violation) != "server";
    match (row.violation, counts) {
        (V::EndlessKeepAlive, _) => "`mqtt_slow_dos`",
        (V::RetainStorm, _) => "`mqtt_publish_flood`",
        (V::IdentityWildcard, _) => "`mqtt_malformed`",
        (_, true) if high => "`mqtt_malformed`, `mqtt_exploit`",
        (_, true) => "`mqtt_malformed`",
        (_, false) => "-",
    }
}

const fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Packet => "packet",
        Scope::Session => "session",
        Scope::Note => "note",
    }
}

const HEAD: &str = "\
# Violations of the MQTT standard

This page is made from `src/mqtt/violation/table.rs` and `src/mqtt/violation/cve.rs` by
`cargo test --test violations -- --ignored regenerate`; a test compares it.

A violation is a fact about traffic, told as an event: by `picket replay --events`, in `picket inspect`, and as a count in the
metrics. Its name carries the version, since the same number is another rule in the other one: `mqtt311:3.1.2-24` is
the keep alive, `mqtt5:3.1.2-24` the Maximum Packet Size.

- `mqtt311:` is [MQTT-x] of OASIS MQTT 3.1.1 (2014). Version 3.1 has no numbered statements; its breaches go by those of 3.1.1.
- `mqtt5:` is [MQTT-x] of OASIS MQTT 5.0 (2019).
- A number without a hyphen is a section: a rule that has no statement. `3-8.3-4` is spelled as in the standard.
- `cve:` is traffic of a shape that some broker or client is known to fail on. It proves an attempt, not a flaw.

A row gives all its names at once, so one packet may give several events. On one connection each violation is told once for
each side; how often it came is counted.

**Reaction.** What the server did about a violation of the client: `closed` when it closes, refuses or sends DISCONNECT;
`answered` when it sends another packet that can be an answer (not a PUBLISH, nor a PINGRESP but to a PINGREQ);
`ignored` when it says nothing for 5 s, or the connection ends otherwise. `none`: no reaction is due, as to what the
server did, or what time alone tells.

**Scope.** *packet*: told by the packet alone, so no loss and no late start can make it up. *session*: told by what came before;
not judged where octets are missing or the start was not seen. *note*: an event, but no ground for an alert, since honest
software shows it too or because it comes with another that counts.

**Rule.** Violations of a client feed `mqtt_malformed` when they come often (all of scope *packet*, of *session* from
medium severity on). One of high severity on a connection that was seen as a whole is reported at once by `mqtt_exploit`.
What a server does wrong is counted and told, but no alert names a server.
";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (at, (first, title)) in PARTS.iter().enumerate() {
        let from = *first as usize;
        let to = PARTS.get(at + 1).map_or(ROWS.len(), |(next, _)| *next as usize);
        write!(page, "\n## {title}\n\n").unwrap();
        page += "| what | by | 3.1, 3.1.1 | 5 | reports | severity | scope | rule |\n|---|---|---|---|---|---|---|---|\n";
        for row in &ROWS[from..to] {
            page += &line(row);
        }
        let detailed = ROWS[from..to].iter().filter(|row| !details(row.violation).is_empty());
        let mut list = detailed.peekable();
        if list.peek().is_some() {
            page.push('\n');
        }
        for row in list {
            let [first, rest @ ..] = row.what.as_bytes() else { continue };
            let what = format!("{}{}", char::from(first.to_ascii_uppercase()), String::from_utf8_lossy(rest));
            writeln!(page, "- *{what}.* {}", details(row.violation)).unwrap();
        }
    }
    page += "\n## Reports of flaws\n\n";
    page += "| report | affected | shape | told by |\n|---|---|---|---|\n";
    for report in &REPORTS {
        let told: Vec<String> = report.told_by.iter().map(told).collect();
        let told = if told.is_empty() { "-".to_owned() } else { told.join(", ") };
        let ids = report.ids.join(", ");
        writeln!(page, "| {ids} | {} | {} | {told} |", report.affected, report.shape).unwrap();
    }
    page += OTHERS;
    for anomaly in Anomaly::ALL {
        let severity = anomaly.severity().name();
        writeln!(page, "| `{}` | {severity} | {} |", anomaly.name(), anomaly.what()).unwrap();
    }
    page
}

/// Events that are no breach of the standard.
const OTHERS: &str = "
## Other events

What is no breach of the standard, but an event as well.

| event | severity | what |
|---|---|---|
| `mqtt:unexpected-port` | low | MQTT on a port where none is expected: once for each server |
| `mqtt:shared-credential` | low | eight clients or more with one user name and password at one broker within ten minutes, told by a \
keyed hash: at most once an hour for each login |
";

fn told(told: &Told) -> String {
    match told {
        Told::Event(name) => format!("`{name}`"),
        Told::Alert(class) => format!("alert `{}`", class.name()),
    }
}

/// A row of the table.
fn line(row: &Row) -> String {
    let names = |names: &[&str]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        if quoted.is_empty() { "-".to_owned() } else { quoted.join(" ") }
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
        row.what,
        culprit(row.violation),
        names(row.v311),
        names(row.v5),
        names(row.cves),
        row.severity.name(),
        scope(row.scope),
        rule(row),
    )
}
