//! Violations by what they are about, for counting: who tries a broker's parser breaks other rules than who abuses its memory.

use super::rare::Rare;
use crate::mqtt::violation::{Violation, Violations};

/// What the violations of a client are about, with the counter of each. Those of servers and those that time alone shows are in none.
pub const FAMILIES: [(Rare, Violations); 5] = [
    (Rare::BadFormat, FORMAT),
    (Rare::BadOrder, ORDER),
    (Rare::BadIdentifier, IDENTIFIER),
    (Rare::BadText, TEXT),
    (Rare::BadProperty, PROPERTY),
];

/// The packet cannot be read as what it says it is.
const FORMAT: Violations = Violations::of(&[
    Violation::ReservedType,
    Violation::ReservedFlags,
    Violation::PubRelFlags,
    Violation::SubscribeFlags,
    Violation::UnsubscribeFlags,
    Violation::DisconnectFlags,
    Violation::AuthFlags,
    Violation::RemainingLength,
    Violation::NonMinimalLength,
    Violation::Truncated,
    Violation::Trailing,
    Violation::ProtocolName,
    Violation::ProtocolLevel,
    Violation::ConnectReserved,
    Violation::WillFieldsMissing,
    Violation::WillFlagsWithoutWill,
    Violation::WillQosWithoutWill,
    Violation::WillRetainWithoutWill,
    Violation::WillQos3,
    Violation::UserNameUnannounced,
    Violation::UserNameMissing,
    Violation::PasswordUnannounced,
    Violation::PasswordMissing,
    Violation::PasswordWithoutUser,
    Violation::PayloadOrder,
    Violation::ClientIdMissing,
    Violation::EmptyClientIdKept,
    Violation::MalformedConnect,
    Violation::Qos3,
    Violation::DupQos0,
    Violation::PublishIdMissing,
    Violation::NoFilters,
    Violation::SubscribeOptions,
    Violation::SharedNoLocal,
    Violation::NoUnsubscribeFilters,
    Violation::ReasonCode,
    Violation::WebSocketText,
    Violation::WebSocketShortFrame,
]);

/// The packet comes when it must not, or from who must not send it.
const ORDER: Violations = Violations::of(&[
    Violation::WrongDirection,
    Violation::ConnAckFromClient,
    Violation::NotConnectFirst,
    Violation::NotConnectLarge,
    Violation::SecondConnect,
    Violation::HugeBeforeAccept,
    Violation::AfterRefusal,
    Violation::PacketDuringAuth,
    Violation::PacketTooLarge,
    Violation::SubscriptionChurn,
    Violation::AfterDisconnect,
    Violation::AuthWithoutMethod,
    Violation::AuthMethodMismatch,
]);

/// Packet identifiers, QoS and acknowledgements.
const IDENTIFIER: Violations = Violations::of(&[
    Violation::PacketIdZero,
    Violation::PacketIdInUse,
    Violation::AckUnknown,
    Violation::ReceiveMaximum,
    Violation::RedeliveryWithoutDup,
    Violation::ResentWithinConnection,
    Violation::QosAboveMaximum,
    Violation::RetainNotAvailable,
    Violation::Qos2Repeated,
    Violation::Qos2AfterRelease,
]);

/// Strings, topics and filters.
const TEXT: Violations = Violations::of(&[
    Violation::Utf8,
    Violation::NulInString,
    Violation::NulInTopic,
    Violation::ClientIdUtf8,
    Violation::WillTopicUtf8,
    Violation::UserNameUtf8,
    Violation::IdentityWildcard,
    Violation::WildcardTopic,
    Violation::TopicUtf8,
    Violation::EmptyTopic,
    Violation::DollarTopic,
    Violation::MisplacedHash,
    Violation::MisplacedPlus,
    Violation::ShareNameMissing,
    Violation::ShareNameWrong,
    Violation::TopicLevels,
    Violation::ResponseTopicWildcard,
    Violation::ResponseTopicUtf8,
]);

/// Properties and topic aliases.
const PROPERTY: Violations = Violations::of(&[
    Violation::ManyUserProperties,
    Violation::WillProperties,
    Violation::AliasZero,
    Violation::AliasTooHigh,
    Violation::AliasNotAllowed,
    Violation::AliasUnknown,
    Violation::SubscriptionIdFromClient,
    Violation::PropertyLength,
    Violation::PropertyVarint,
    Violation::PropertyMisplaced,
    Violation::PropertyDuplicate,
    Violation::PropertyValue,
]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::violation::Scope;
    use crate::mqtt::violation::table::ROWS;

    #[test]
    fn no_violation_is_in_two_families_and_every_one_of_a_packet_is_in_one() {
        // Of servers alone, or told by time.
        let of_servers = [
            Violation::ConnAckFlags,
            Violation::SessionPresentRefused,
            Violation::ConnAckCode,
            Violation::ServerPacketIdZero,
            Violation::SubAckCode,
            Violation::SubAckEmpty,
            Violation::ServerDisconnectExpiry,
            Violation::WebSocketNotOffered,
            Violation::WebSocketNotAccepted,
        ];
        for row in &ROWS {
            let families = FAMILIES.iter().filter(|(_, family)| family.has(row.violation)).count();
            let expected = match row.scope {
                Scope::Packet => usize::from(!of_servers.contains(&row.violation)),
                _ => families.min(1),
            };
            assert_eq!(families, expected, "{:?}", row.violation);
        }
    }
}
