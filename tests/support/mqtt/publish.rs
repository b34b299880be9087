//! PUBLISH.

use super::{Properties, Version, packet, string};

/// What a PUBLISH says.
#[derive(Clone, Debug)]
pub struct Publish {
    pub version: Version,
    pub topic: Vec<u8>,
    pub qos: u8,
    pub dup: bool,
    pub retain: bool,
    /// Packet identifier; written if there is one, whatever the QoS.
    pub id: Option<u16>,
    pub properties: Properties,
    pub payload: Vec<u8>,
}

impl Publish {
    /// QoS 0, with an empty payload.
    pub fn new(version: Version, topic: impl AsRef<[u8]>) -> Self {
        Self {
            version,
            topic: topic.as_ref().to_vec(),
            qos: 0,
            dup: false,
            retain: false,
            id: None,
            properties: Properties::new(),
            payload: Vec::new(),
        }
    }

    /// A QoS (3 is possible) with a packet identifier.
    pub fn qos(mut self, qos: u8, id: u16) -> Self {
        self.qos = qos;
        self.id = Some(id);
        self
    }

    /// Leaves out the packet identifier.
    pub fn without_id(mut self) -> Self {
        self.id = None;
        self
    }

    pub fn dup(mut self) -> Self {
        self.dup = true;
        self
    }

    pub fn retain(mut self) -> Self {
        self.retain = true;
        self
    }

    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = properties;
        self
    }

    pub fn payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.payload = payload.as_ref().to_vec();
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let first = 0x30 | u8::from(self.dup) << 3 | (self.qos & 3) << 1 | u8::from(self.retain);
        let mut body = string(&self.topic);
        body.extend(self.id.map(u16::to_be_bytes).into_iter().flatten());
        if self.version.has_properties() {
            body.extend(self.properties.encode());
        }
        body.extend(&self.payload);
        packet(first, &body)
    }
}
