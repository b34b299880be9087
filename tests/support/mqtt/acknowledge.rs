//! What answers: CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK.

use super::{Properties, V5, Version, packet};

/// What a CONNACK says.
#[derive(Clone, Debug)]
pub struct ConnAck {
    pub version: Version,
    /// Acknowledge flags; 1 is Session Present.
    pub flags: u8,
    pub code: u8,
    pub properties: Properties,
}

impl ConnAck {
    pub fn new(version: Version, code: u8) -> Self {
        Self { version, flags: 0, code, properties: Properties::new() }
    }

    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    pub fn session_present(self) -> Self {
        self.flags(1)
    }

    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = properties;
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = vec![self.flags, self.code];
        if self.version.has_properties() {
            body.extend(self.properties.encode());
        }
        packet(0x20, &body)
    }
}

/// What a PUBACK, PUBREC, PUBREL or PUBCOMP says.
#[derive(Clone, Debug)]
pub struct Ack {
    first: u8,
    pub id: u16,
    /// Left out like in the older versions, unless there is one.
    pub code: Option<u8>,
    pub properties: Option<Properties>,
}

impl Ack {
    fn new(first: u8, id: u16) -> Self {
        Self { first, id, code: None, properties: None }
    }

    pub fn puback(id: u16) -> Self {
        Self::new(0x40, id)
    }

    pub fn pubrec(id: u16) -> Self {
        Self::new(0x50, id)
    }

    pub fn pubrel(id: u16) -> Self {
        Self::new(0x62, id)
    }

    pub fn pubcomp(id: u16) -> Self {
        Self::new(0x70, id)
    }

    /// A reason code; for version 5.
    pub fn code(mut self, code: u8) -> Self {
        self.code = Some(code);
        self
    }

    /// Properties; for version 5, behind a reason code.
    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = Some(properties);
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.id.to_be_bytes().to_vec();
        body.extend(self.code);
        body.extend(self.properties.iter().flat_map(Properties::encode));
        packet(self.first, &body)
    }
}

/// What a SUBACK or UNSUBACK says.
#[derive(Clone, Debug)]
pub struct SubAck {
    first: u8,
    pub version: Version,
    pub id: u16,
    pub properties: Properties,
    pub codes: Vec<u8>,
}

impl SubAck {
    /// A SUBACK with one code per filter.
    pub fn new(version: Version, id: u16, codes: &[u8]) -> Self {
        Self { first: 0x90, version, id, properties: Properties::new(), codes: codes.to_vec() }
    }

    /// An UNSUBACK for as many filters; before version 5 it has no codes.
    pub fn unsuback(version: Version, id: u16, codes: &[u8]) -> Self {
        let codes = if version == V5 { codes.to_vec() } else { Vec::new() };
        Self { first: 0xb0, version, id, properties: Properties::new(), codes }
    }

    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = properties;
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = self.id.to_be_bytes().to_vec();
        if self.version.has_properties() {
            body.extend(self.properties.encode());
        }
        body.extend(&self.codes);
        packet(self.first, &body)
    }
}
