//! The table of violations: each with the statements it breaks in either version, the reports of flaws that turn on it, its
//! severity and its scope.
//!
//! The same number is another rule in the other version (`[MQTT-3.1.2-24]` is the keep alive in 3.1.1 and the maximum
//! packet size in 5.0), so a name carries the version. Version 3.1 has no numbered statements; its breaches go by
//! those of 3.1.1. A name that ends in a section number (`mqtt5:1.5.5`) stands for a rule that has no statement.

use super::{Row, Scope};
use crate::alert::Severity;

macro_rules! violations {
    ($($variant:ident: [$($v311:literal)*] [$($v5:literal)*] [$($cve:literal)*] $severity:ident $scope:ident $what:literal;)*) => {
        /// A breach of the standard, a shape known from a flaw in some broker, or the way in which a packet could not be read.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Violation {
            $(#[doc = $what] $variant,)*
        }

        /// One row per violation, in order.
        pub static ROWS: [Row; Violation::COUNT] = [
            $(Row {
                violation: Violation::$variant,
                v311: &[$(concat!("mqtt311:", $v311)),*],
                v5: &[$(concat!("mqtt5:", $v5)),*],
                cves: &[$(concat!("cve:", $cve)),*],
                severity: Severity::$severity,
                scope: Scope::$scope,
                what: $what,
            },)*
        ];

        impl Violation {
            /// Its name in counters.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }

            /// How many there are.
            pub const COUNT: usize = [$(stringify!($variant)),*].len();
        }
    };
}

violations! {
    // Fixed header (3.1.1: 2.2; 5: 2.1).
    ReservedType: ["4.8.0-1"] ["4.13.1-1"] [] Medium Packet "packet type 0, or AUTH before version 5";
    ReservedFlags: ["2.2.2-1"] ["2.1.3-1"] [] Medium Packet "reserved flags of the fixed header are wrong";
    PubRelFlags: ["3.6.1-1"] ["3.6.1-1"] [] Medium Packet "PUBREL with flags other than 0010";
    SubscribeFlags: ["3.8.1-1"] ["3.8.1-1"] [] Medium Packet "SUBSCRIBE with flags other than 0010";
    UnsubscribeFlags: ["3.10.1-1"] ["3.10.1-1"] [] Medium Packet "UNSUBSCRIBE with flags other than 0010";
    DisconnectFlags: ["3.14.1-1"] ["3.14.1-1"] [] Medium Packet "DISCONNECT with flags other than 0000";
    AuthFlags: [] ["3.15.1-1"] [] Medium Packet "AUTH with flags other than 0000";
    FlagsTolerated: ["2.2.2-2"] [] [] Low Session "the receiver did not close on wrong flags of the fixed header";
    RemainingLength: ["2.2.3"] ["1.5.5"] [] High Packet "Remaining Length of more than four octets";
    NonMinimalLength: [] ["1.5.5-1"] [] Low Packet "variable byte integer longer than it need be";
    Truncated: ["4.8"] ["4.13"] [] Medium Packet "a field runs past the end of its packet";
    Trailing: ["4.8"] ["4.13"] [] Medium Packet "octets are left over behind the last field";
    WrongDirection: ["2.2.1"] ["2.1.2"] [] Medium Packet "a packet that only the other side may send";
    ConnAckFromClient: ["2.2.1"] ["2.1.2"] ["CVE-2021-28166"] High Packet "CONNACK sent by the client";

    // Strings (3.1.1: 1.5.3; 5: 1.5.4).
    Utf8: ["1.5.3-1"] ["1.5.4-1"] [] Medium Packet "a string is not UTF-8";
    NulInString: ["1.5.3-2"] ["1.5.4-2"] [] Medium Packet "a string holds U+0000";
    NulInTopic: ["4.7.3-2"] ["4.7.3-2"] [] Medium Note "a topic name or filter holds U+0000";

    // CONNECT.
    NotConnectFirst: ["3.1.0-1"] ["3.1.0-1"] [] Medium Packet "the client's first packet is not CONNECT";
    NotConnectLarge: [] [] ["CVE-2023-0809"] High Note "the client's first packet is large and not CONNECT";
    SecondConnect: ["3.1.0-2"] ["3.1.0-2"] [] Medium Packet "a second CONNECT on one connection";
    ProtocolName: ["3.1.2-1"] ["3.1.2-1"] [] Low Packet "protocol name neither MQTT nor MQIsdp";
    ProtocolLevel: ["3.1.2-2"] ["3.1.2-2"] [] Low Packet "protocol level unknown or not that of the name";
    ConnectReserved: ["3.1.2-3"] ["3.1.2-3"] [] Medium Packet "reserved connect flag set";
    WillFieldsMissing: ["3.1.2-9"] ["3.1.2-9"] [] Medium Packet "Will Flag set, but will topic or message missing";
    WillFlagsWithoutWill: ["3.1.2-11"] [] [] Medium Note "Will QoS or Will Retain set without Will Flag";
    WillQosWithoutWill: ["3.1.2-13"] ["3.1.2-11"] [] Medium Packet "Will QoS set without Will Flag";
    WillRetainWithoutWill: ["3.1.2-15"] ["3.1.2-13"] [] Medium Packet "Will Retain set without Will Flag";
    WillQos3: ["3.1.2-14"] ["3.1.2-12"] [] Medium Packet "Will QoS 3";
    UserNameUnannounced: ["3.1.2-18"] ["3.1.2-16"] [] Medium Packet "a user name without its flag";
    UserNameMissing: ["3.1.2-19"] ["3.1.2-17"] [] Medium Packet "user name flag set, but no user name";
    PasswordUnannounced: ["3.1.2-20"] ["3.1.2-18"] [] Medium Packet "a password without its flag";
    PasswordMissing: ["3.1.2-21"] ["3.1.2-19"] [] Medium Packet "password flag set, but no password";
    PasswordWithoutUser: ["3.1.2-22"] [] [] Medium Packet "password without user name";
    PayloadOrder: ["3.1.3-1"] ["3.1.3-1"] [] Medium Packet "the payload of CONNECT is not the fields its flags say";
    ClientIdMissing: ["3.1.3-3"] ["3.1.3-3"] [] Medium Packet "CONNECT without client identifier";
    ClientIdUtf8: ["3.1.3-4"] ["3.1.3-4"] [] Medium Note "client identifier not UTF-8";
    EmptyClientIdKept: ["3.1.3-7"] [] [] Medium Packet "empty client identifier without clean session";
    EmptyClientIdAccepted: ["3.1.3-8"] [] [] Low Session "the server accepted an empty client identifier without clean session";
    EmptyClientIdLeftOpen: ["3.1.3-8"] [] ["CVE-2025-56352"] Medium Session "the server left the connection of an empty client identifier open";
    AssignedIdMissing: [] ["3.1.3-6" "3.2.2-16"] [] Low Session "the server assigned no client identifier for an empty one";
    WillTopicUtf8: ["3.1.3-10"] ["3.1.3-11"] [] Medium Note "will topic not UTF-8";
    UserNameUtf8: ["3.1.3-11"] ["3.1.3-12"] [] Medium Note "user name not UTF-8";
    IdentityWildcard: [] [] ["CVE-2017-7650"] Medium Note "wildcard in client identifier or user name";
    MalformedConnect: [] [] ["CVE-2017-7654" "CVE-2021-34431"] Medium Note "malformed CONNECT";
    HugeBeforeAccept: [] [] ["CVE-2017-7651" "CVE-2021-33175"] High Packet "Remaining Length over 64 KiB before the session is accepted";
    ManyUserProperties: [] [] ["CVE-2021-41039"] Medium Packet "32 user properties or more";
    WillProperties: [] [] ["CVE-2023-3592"] Medium Note "will properties that a will cannot have";
    EndlessKeepAlive: [] [] ["CVE-2020-13849"] Low Note "keep alive of 0 or of 65,535 s";
    AfterRefusal: ["3.1.4-5"] ["3.1.4-6"] [] Medium Session "packets after the CONNECT was refused";
    TakeoverNotClosed: ["3.1.4-2"] ["3.1.4-3"] [] High Session "a client identifier taken over, the older connection left open";
    PacketDuringAuth: [] ["3.1.2-30"] [] Medium Session "a packet other than AUTH or DISCONNECT during enhanced authentication";

    // CONNACK.
    ConnAckNotFirst: ["3.2.0-1"] ["3.2.0-1"] [] Medium Session "the server's first packet is not CONNACK";
    SecondConnAck: ["3.2"] ["3.2.0-2"] [] Medium Session "a second CONNACK on one connection";
    ConnAckFlags: ["3.2.2.1"] ["3.2.2-1"] [] Low Packet "reserved acknowledge flags set";
    SessionPresentClean: ["3.2.2-1"] ["3.2.2-2"] [] Low Session "session present although a clean one was asked for";
    SessionLost: ["3.2.2-2"] ["3.2.2-3"] [] Low Note "session present not set although a session was kept";
    SessionInvented: ["3.2.2-3"] ["3.2.2-3"] [] Low Note "session present set although none was kept";
    SessionPresentRefused: ["3.2.2-4"] ["3.2.2-6"] [] Low Packet "session present set in a refusal";
    RefusedLeftOpen: ["3.2.2-5"] ["3.2.2-7"] [] Medium Note "the server refused and left the connection open";
    ConnAckCode: ["3.2.2.3"] ["3.2.2-8"] [] Low Packet "CONNACK code that the version does not have";

    // Keep alive.
    KeepAliveExceeded: ["3.1.2-23"] ["3.1.2-20"] [] Low Note "the client was silent for longer than its keep alive";
    KeepAliveTolerated: ["3.1.2-24"] ["3.1.2-22"] [] Low Note "the server kept a client silent for over 1.5 keep alives";

    // PUBLISH.
    Qos3: ["3.3.1-4"] ["3.3.1-4"] [] Medium Packet "QoS 3";
    DupQos0: ["3.3.1-2"] ["3.3.1-2"] [] Low Packet "DUP with QoS 0";
    RedeliveryWithoutDup: ["3.3.1-1"] ["3.3.1-1"] [] Low Session "sent again without DUP";
    ResentWithinConnection: [] ["4.4.0-1"] [] Low Session "sent again without a reconnect";
    WildcardTopic: ["3.3.2-2" "4.7.1-1"] ["3.3.2-2" "4.7.0-1"] [] Medium Packet "wildcard in a topic name";
    TopicUtf8: ["3.3.2-1"] ["3.3.2-1"] [] Medium Note "topic name not UTF-8";
    EmptyTopic: ["4.7.3-1"] ["4.7.3-1"] ["CVE-2021-34432"] Medium Packet "empty topic name or filter";
    DollarTopic: [] [] ["CVE-2018-12543"] Medium Note "PUBLISH to a topic with $ that no broker is known to offer";
    RetainStorm: [] [] ["CVE-2026-42209"] Low Note "over 100 retained messages within a second on one connection";
    PublishIdMissing: ["2.3.1-1"] ["2.2.1-3"] [] High Packet "QoS above 0, but the packet ends before its packet identifier";
    PacketIdZero: ["2.3.1-1"] ["2.2.1-3"] [] Medium Packet "packet identifier 0 from the client";
    ServerPacketIdZero: ["2.3.1-1"] ["2.2.1-4"] [] Medium Packet "packet identifier 0 from the server";
    PacketIdInUse: ["2.3.1-2"] ["2.2.1-3"] [] Low Session "the client uses a packet identifier that is in use";
    ServerPacketIdInUse: ["2.3.1-4"] ["2.2.1-4"] [] Low Session "the server uses a packet identifier that is in use";
    AckUnknown: ["2.3.1-6"] ["2.2.1-5"] [] Low Session "PUBACK, PUBREC, PUBREL or PUBCOMP for no known PUBLISH";
    SubAckUnknown: ["2.3.1-7"] ["2.2.1-6"] [] Low Session "SUBACK or UNSUBACK for no known request";
    ReceiveMaximum: [] ["3.3.4-7" "4.9.0-2"] [] Low Session "the client sends beyond the server's Receive Maximum";
    ServerReceiveMaximum: [] ["3.3.4-9" "4.9.0-2"] [] Low Session "the server sends beyond the client's Receive Maximum";
    PacketTooLarge: [] ["3.2.2-15"] [] Medium Session "the client sends a packet beyond the server's Maximum Packet Size";
    ServerPacketTooLarge: [] ["3.1.2-24"] [] Medium Session "the server sends a packet beyond the client's Maximum Packet Size";
    QosAboveMaximum: [] ["3.2.2-11"] [] Low Session "QoS above the server's Maximum QoS";
    RetainNotAvailable: [] ["3.2.2-14"] [] Low Session "RETAIN although the server offers none";
    AliasZero: [] ["3.3.2-8"] [] Medium Packet "topic alias 0";
    AliasTooHigh: [] ["3.2.2-17" "3.3.2-9"] [] Medium Session "topic alias above what the server allows";
    AliasNotAllowed: [] ["3.2.2-18"] [] Medium Session "topic alias although the server allows none";
    ServerAliasTooHigh: [] ["3.1.2-26" "3.3.2-11"] [] Medium Session "topic alias above what the client allows";
    ServerAliasNotAllowed: [] ["3.1.2-27"] [] Medium Session "topic alias although the client allows none";
    AliasUnknown: [] ["3.3.2.3.4"] [] Medium Session "topic alias that was never set";
    SubscriptionIdFromClient: [] ["3.3.4-6"] [] Medium Packet "Subscription Identifier in a PUBLISH of the client";
    ResponseTopicWildcard: [] ["3.3.2-14"] [] Medium Packet "wildcard in a Response Topic";
    ResponseTopicUtf8: [] ["3.3.2-13"] [] Medium Packet "Response Topic not UTF-8";

    // QoS 2 (3.1.1: 4.3.3; 5: 4.3.3).
    Qos2Repeated: ["4.3.3-1"] ["4.3.3-4"] ["CVE-2023-28366"] Low Session "PUBLISH of QoS 2 again after its PUBREC";
    Qos2AfterRelease: ["4.3.3-1"] ["4.3.3-6"] [] Medium Session "PUBLISH of QoS 2 again after its PUBREL";
    PubRecMissing: ["4.3.3-2"] ["4.3.3-8"] [] Low Note "no PUBREC for a PUBLISH of QoS 2 within a minute";
    PubRelMissing: ["4.3.3-1"] ["4.3.3-5"] [] Low Note "no PUBREL for a PUBREC within a minute";
    PubCompMissing: ["4.3.3-2"] ["4.3.3-11"] [] Low Note "no PUBCOMP for a PUBREL within a minute";

    // SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.
    NoFilters: ["3.8.3-3"] ["3.8.3-2"] [] Medium Packet "SUBSCRIBE without a filter";
    SubscribeOptions: ["3-8.3-4"] ["3.8.3-5"] [] Medium Packet "reserved subscription options, or QoS 3";
    SharedNoLocal: [] ["3.8.3-4"] [] Medium Packet "No Local on a shared subscription";
    MisplacedHash: ["4.7.1-2"] ["4.7.1-1"] [] Medium Packet "# not alone in the last level of a filter";
    MisplacedPlus: ["4.7.1-3"] ["4.7.1-2"] [] Medium Packet "+ not alone in a level of a filter";
    ShareNameMissing: [] ["4.8.2-1"] [] Medium Packet "$share without a share name";
    ShareNameWrong: [] ["4.8.2-2"] [] Medium Packet "wildcard in a share name, or no filter behind it";
    TopicLevels: [] [] ["CVE-2019-11779" "CVE-2021-33176"] High Packet "more than 200 levels in a topic name or filter";
    SubscriptionChurn: [] [] ["CVE-2024-8376" "CVE-2025-59946"] Medium Note "shared and plain subscriptions made and dropped in quick succession";
    SubAckCount: ["3.8.4-5"] ["3.8.4-6"] [] Low Session "SUBACK with more or fewer codes than filters";
    SubAckOrder: ["3.9.3-1"] ["3.9.3-1"] [] Low Session "SUBACK grants more than was asked for in that place";
    SubAckCode: ["3.9.3-2"] ["3.9.3-2"] [] Low Packet "SUBACK code that the version does not have";
    SubAckEmpty: ["3.8.4-5"] ["3.8.4-6"] ["CVE-2024-10525"] High Packet "SUBACK without a code";
    NoUnsubscribeFilters: ["3.10.3-2"] ["3.10.3-2"] [] Medium Packet "UNSUBSCRIBE without a filter";

    // DISCONNECT and AUTH.
    AfterDisconnect: ["3.14.4-2"] ["3.14.4-1"] [] Medium Session "packets after DISCONNECT";
    ServerDisconnectEarly: [] ["3.14.0-1"] [] Low Session "the server disconnects before it accepted";
    ServerDisconnectExpiry: [] ["3.14.2-2"] [] Low Packet "Session Expiry Interval in a DISCONNECT of the server";
    AuthWithoutMethod: [] ["4.12.0-7"] [] Medium Session "AUTH by a client whose CONNECT named no method";
    ServerAuthUnsolicited: [] ["4.12.0-6"] [] Medium Session "AUTH by the server although the CONNECT named no method";
    AuthMethodMismatch: [] ["4.12.0-5" "4.12.1-1"] [] Medium Session "an authentication method other than that of the CONNECT";

    // Properties and reason codes (5: 2.2.2, 2.4).
    PropertyLength: [] ["2.2.2-1"] [] Medium Packet "Property Length missing or past the end of the packet";
    PropertyVarint: [] ["1.5.5"] ["CVE-2026-21888"] High Packet "Property Length of more than four octets";
    PropertyMisplaced: [] ["2.2.2.2" "4.13.1-1"] [] Medium Packet "a property that is unknown or not of this packet";
    PropertyDuplicate: [] ["2.2.2.2" "4.13.1-1"] [] Medium Packet "a property twice that may come once";
    PropertyValue: [] ["2.2.2.2" "4.13.1-1"] [] Medium Packet "a property with a value it cannot have";
    ReasonCode: [] ["3.4.2-1" "3.5.2-1" "3.6.2-1" "3.7.2-1" "3.11.3-2" "3.14.2-1" "3.15.2-1"] [] Low Packet "a reason code that this packet does not have";

    // WebSocket (section 6 of both).
    WebSocketText: ["6.0.0-1"] ["6.0.0-1"] [] Medium Packet "MQTT in a WebSocket text frame";
    WebSocketNotOffered: ["6.0.0-3"] ["6.0.0-3"] [] Medium Packet "the client did not offer the subprotocol mqtt";
    WebSocketNotAccepted: ["6.0.0-4"] ["6.0.0-4"] [] Medium Packet "the server did not accept the subprotocol mqtt";
    WebSocketShortFrame: [] [] ["CVE-2026-25627"] Low Note "a WebSocket frame ends within a control packet and nothing follows";
}
