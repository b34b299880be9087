//! DISCONNECT and AUTH of version 5: a reason code with properties.

use super::{Properties, packet};

/// What a DISCONNECT or AUTH says.
#[derive(Clone, Debug)]
pub struct Reasoned {
    first: u8,
    /// Left out, unless there is one.
    pub code: Option<u8>,
    pub properties: Option<Properties>,
}

impl Reasoned {
    pub fn disconnect(code: u8) -> Self {
        Self { first: 0xe0, code: Some(code), properties: None }
    }

    pub fn auth(code: u8) -> Self {
        Self { first: 0xf0, code: Some(code), properties: None }
    }

    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = Some(properties);
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::from_iter(self.code);
        body.extend(self.properties.iter().flat_map(Properties::encode));
        packet(self.first, &body)
    }
}
