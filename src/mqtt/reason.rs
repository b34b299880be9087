//! Return codes (3.1.1) and reason codes (5, section 2.4): which packet has which, and their names.

use super::packet::PacketType;

/// Whether a packet of version 5 of this type may have this reason code.
#[must_use]
pub const fn is_known(packet_type: PacketType, code: u8) -> bool {
    match packet_type {
        PacketType::ConnAck => {
            matches!(code, 0 | 0x80..=0x8a | 0x8c | 0x90 | 0x95 | 0x97 | 0x99..=0x9d | 0x9f)
        }
        PacketType::PubAck | PacketType::PubRec => {
            matches!(code, 0 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
        }
        PacketType::PubRel | PacketType::PubComp => matches!(code, 0 | 0x92),
        PacketType::SubAck => {
            matches!(code, 0..=2 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91 | 0x97 | 0x9e | 0xa1 | 0xa2)
        }
        PacketType::UnsubAck => matches!(code, 0 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91),
        PacketType::Disconnect => {
            matches!(code, 0 | 0x04 | 0x80..=0x83 | 0x87 | 0x89 | 0x8b | 0x8d..=0x90 | 0x93..=0xa2)
        }
        PacketType::Auth => matches!(code, 0 | 0x18 | 0x19),
        _ => false,
    }
}

/// The name of a reason code of version 5 (table 2-6), without spaces. 0, 1 and 2 depend on the packet.
#[must_use]
pub const fn name(packet_type: PacketType, code: u8) -> &'static str {
    match (packet_type, code) {
        (PacketType::SubAck, 0) => "granted_qos_0",
        (PacketType::SubAck, 1) => "granted_qos_1",
        (PacketType::SubAck, 2) => "granted_qos_2",
        (PacketType::Disconnect, 0) => "normal",
        (_, 0) => "success",
        (_, 0x04) => "disconnect_with_will",
        (_, 0x10) => "no_matching_subscribers",
        (_, 0x11) => "no_subscription_existed",
        (_, 0x18) => "continue_authentication",
        (_, 0x19) => "re_authenticate",
        (_, 0x80) => "unspecified_error",
        (_, 0x81) => "malformed_packet",
        (_, 0x82) => "protocol_error",
        (_, 0x83) => "implementation_specific_error",
        (_, 0x84) => "unsupported_protocol_version",
        (_, 0x85) => "client_identifier_not_valid",
        (_, 0x86) => "bad_user_name_or_password",
        (_, 0x87) => "not_authorized",
        (_, 0x88) => "server_unavailable",
        (_, 0x89) => "server_busy",
        (_, 0x8a) => "banned",
        (_, 0x8b) => "server_shutting_down",
        (_, 0x8c) => "bad_authentication_method",
        (_, 0x8d) => "keep_alive_timeout",
        (_, 0x8e) => "session_taken_over",
        (_, 0x8f) => "topic_filter_invalid",
        (_, 0x90) => "topic_name_invalid",
        (_, 0x91) => "packet_identifier_in_use",
        (_, 0x92) => "packet_identifier_not_found",
        (_, 0x93) => "receive_maximum_exceeded",
        (_, 0x94) => "topic_alias_invalid",
        (_, 0x95) => "packet_too_large",
        (_, 0x96) => "message_rate_too_high",
        (_, 0x97) => "quota_exceeded",
        (_, 0x98) => "administrative_action",
        (_, 0x99) => "payload_format_invalid",
        (_, 0x9a) => "retain_not_supported",
        (_, 0x9b) => "qos_not_supported",
        (_, 0x9c) => "use_another_server",
        (_, 0x9d) => "server_moved",
        (_, 0x9e) => "shared_subscriptions_not_supported",
        (_, 0x9f) => "connection_rate_exceeded",
        (_, 0xa0) => "maximum_connect_time",
        (_, 0xa1) => "subscription_identifiers_not_supported",
        (_, 0xa2) => "wildcard_subscriptions_not_supported",
        _ => "unknown",
    }
}

/// The name of a CONNACK return code before version 5 (3.1.1, table 3.1).
#[must_use]
pub const fn return_name(code: u8) -> &'static str {
    match code {
        0 => "accepted",
        1 => "unacceptable_protocol_version",
        2 => "identifier_rejected",
        3 => "server_unavailable",
        4 => "bad_user_name_or_password",
        5 => "not_authorized",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_code_has_a_name() {
        let mut known = 0;
        for packet_type in PacketType::ALL {
            for code in 0..=u8::MAX {
                if is_known(packet_type, code) {
                    known += 1;
                    let name = name(packet_type, code);
                    assert!(name != "unknown" || code <= 2, "{packet_type:?} {code:#x}");
                }
            }
        }
        // Table 2-6, counted by packet: 22 + 9 + 9 + 2 + 2 + 12 + 7 + 29 + 3.
        assert_eq!(known, 22 + 9 + 9 + 2 + 2 + 12 + 7 + 29 + 3);
        assert!(!is_known(PacketType::ConnAck, 0x8e) && is_known(PacketType::Disconnect, 0x8e));
        assert_eq!((return_name(5), return_name(6)), ("not_authorized", "unknown"));
    }
}
