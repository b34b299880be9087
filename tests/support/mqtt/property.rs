//! Properties (section 2.2.2 of version 5).

use super::{string, varint};

/// The identifiers.
pub mod id {
    pub const PAYLOAD_FORMAT_INDICATOR: u8 = 0x01;
    pub const MESSAGE_EXPIRY_INTERVAL: u8 = 0x02;
    pub const CONTENT_TYPE: u8 = 0x03;
    pub const RESPONSE_TOPIC: u8 = 0x08;
    pub const CORRELATION_DATA: u8 = 0x09;
    pub const SUBSCRIPTION_IDENTIFIER: u8 = 0x0b;
    pub const SESSION_EXPIRY_INTERVAL: u8 = 0x11;
    pub const ASSIGNED_CLIENT_IDENTIFIER: u8 = 0x12;
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub const AUTHENTICATION_METHOD: u8 = 0x15;
    pub const AUTHENTICATION_DATA: u8 = 0x16;
    pub const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
    pub const WILL_DELAY_INTERVAL: u8 = 0x18;
    pub const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
    pub const RESPONSE_INFORMATION: u8 = 0x1a;
    pub const SERVER_REFERENCE: u8 = 0x1c;
    pub const REASON_STRING: u8 = 0x1f;
    pub const RECEIVE_MAXIMUM: u8 = 0x21;
    pub const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
    pub const TOPIC_ALIAS: u8 = 0x23;
    pub const MAXIMUM_QOS: u8 = 0x24;
    pub const RETAIN_AVAILABLE: u8 = 0x25;
    pub const USER_PROPERTY: u8 = 0x26;
    pub const MAXIMUM_PACKET_SIZE: u8 = 0x27;
    pub const WILDCARD_SUBSCRIPTION_AVAILABLE: u8 = 0x28;
    pub const SUBSCRIPTION_IDENTIFIER_AVAILABLE: u8 = 0x29;
    pub const SHARED_SUBSCRIPTION_AVAILABLE: u8 = 0x2a;
}

/// The properties of one packet.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Properties {
    octets: Vec<u8>,
    /// Instead of the Property Length.
    length: Option<Vec<u8>>,
}

impl Properties {
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, id: u8, value: &[u8]) -> Self {
        self.octets.push(id);
        self.octets.extend(value);
        self
    }

    /// A property of one octet.
    pub fn octet(self, id: u8, value: u8) -> Self {
        self.with(id, &[value])
    }

    /// A two-octet integer.
    pub fn two(self, id: u8, value: u16) -> Self {
        self.with(id, &value.to_be_bytes())
    }

    /// A four-octet integer.
    pub fn four(self, id: u8, value: u32) -> Self {
        self.with(id, &value.to_be_bytes())
    }

    /// A variable byte integer.
    pub fn varint(self, id: u8, value: usize) -> Self {
        self.with(id, &varint(value))
    }

    /// A string, or binary data.
    pub fn text(self, id: u8, text: impl AsRef<[u8]>) -> Self {
        self.with(id, &string(text))
    }

    /// A user property.
    pub fn user(self, name: &str, value: &str) -> Self {
        self.with(id::USER_PROPERTY, &[string(name), string(value)].concat())
    }

    /// Says these octets instead of the Property Length.
    pub fn length(mut self, octets: impl Into<Vec<u8>>) -> Self {
        self.length = Some(octets.into());
        self
    }

    /// Property Length and properties.
    pub fn encode(&self) -> Vec<u8> {
        let length = self.length.clone().unwrap_or_else(|| varint(self.octets.len()));
        [length, self.octets.clone()].concat()
    }
}
