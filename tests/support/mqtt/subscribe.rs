//! SUBSCRIBE and UNSUBSCRIBE.

use super::{Properties, Version, packet, string};

/// What a SUBSCRIBE says.
#[derive(Clone, Debug)]
pub struct Subscribe {
    pub version: Version,
    pub id: u16,
    pub properties: Properties,
    /// Filters with their subscription options.
    pub filters: Vec<(Vec<u8>, u8)>,
}

impl Subscribe {
    /// Without a filter yet.
    pub fn new(version: Version, id: u16) -> Self {
        Self { version, id, properties: Properties::new(), filters: Vec::new() }
    }

    /// One more filter, with its subscription options; the lowest two bits are the QoS.
    pub fn filter(mut self, filter: impl AsRef<[u8]>, options: u8) -> Self {
        self.filters.push((filter.as_ref().to_vec(), options));
        self
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
        for (filter, options) in &self.filters {
            body.extend(string(filter));
            body.push(*options);
        }
        packet(0x82, &body)
    }
}

/// What an UNSUBSCRIBE says.
#[derive(Clone, Debug)]
pub struct Unsubscribe {
    pub version: Version,
    pub id: u16,
    pub properties: Properties,
    pub filters: Vec<Vec<u8>>,
}

impl Unsubscribe {
    /// Without a filter yet.
    pub fn new(version: Version, id: u16) -> Self {
        Self { version, id, properties: Properties::new(), filters: Vec::new() }
    }

    /// One more filter.
    pub fn filter(mut self, filter: impl AsRef<[u8]>) -> Self {
        self.filters.push(filter.as_ref().to_vec());
        self
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
        body.extend(self.filters.iter().flat_map(string));
        packet(0xa2, &body)
    }
}
