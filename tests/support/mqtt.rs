//! A small MQTT encoder of the tests' own, so that the product's decoder is not tested against itself.

/// The version spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    V311,
    V5,
}

pub use Version::{V5, V311};

/// A control packet: first octet, remaining length, body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.len();
    loop {
        let low = (rest % 128) as u8;
        rest /= 128;
        out.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            break;
        }
    }
    out.extend(body);
    out
}

/// A length in two octets, then the octets.
pub fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend(text);
    out
}

/// No properties, where the version has them.
fn properties(version: Version) -> &'static [u8] {
    if version == V5 { &[0] } else { &[] }
}

/// What a CONNECT says.
#[derive(Clone, Debug)]
pub struct Connect {
    pub version: Version,
    pub client_id: String,
    pub login: Option<(String, String)>,
    pub keep_alive: u16,
}

impl Connect {
    /// A clean session with a keep alive of 60 s and no login.
    pub fn new(version: Version, client_id: impl Into<String>) -> Self {
        Self { version, client_id: client_id.into(), login: None, keep_alive: 60 }
    }

    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = string("MQTT");
        body.push(if self.version == V5 { 5 } else { 4 });
        body.push(if self.login.is_some() { 0xc2 } else { 0x02 });
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(properties(self.version));
        body.extend(string(&self.client_id));
        if let Some((user, password)) = &self.login {
            body.extend(string(user));
            body.extend(string(password));
        }
        packet(0x10, &body)
    }
}

/// CONNACK that accepts.
pub fn accepted(version: Version) -> Vec<u8> {
    let body = [&[0, 0], properties(version)].concat();
    packet(0x20, &body)
}

/// CONNACK for a bad user name or password.
pub fn refused(version: Version) -> Vec<u8> {
    let code = if version == V5 { 0x86 } else { 5 };
    let body = [&[0, code], properties(version)].concat();
    packet(0x20, &body)
}

/// PUBLISH at QoS 0.
pub fn publish(version: Version, topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x30, &[&string(topic), properties(version), payload].concat())
}

/// PUBLISH at QoS 0, to be kept by the broker.
pub fn publish_retained(version: Version, topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x31, &[&string(topic), properties(version), payload].concat())
}

/// PUBLISH at QoS 1.
pub fn publish_qos1(version: Version, topic: &str, id: u16, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&string(topic), &id.to_be_bytes()[..], properties(version), payload].concat())
}

/// PUBACK.
pub fn puback(id: u16) -> Vec<u8> {
    packet(0x40, &id.to_be_bytes())
}

/// SUBSCRIBE to one filter at QoS 0.
pub fn subscribe(version: Version, id: u16, filter: &str) -> Vec<u8> {
    packet(0x82, &[&id.to_be_bytes()[..], properties(version), &string(filter), &[0]].concat())
}

/// SUBACK that grants QoS 0.
pub fn suback(version: Version, id: u16) -> Vec<u8> {
    packet(0x90, &[&id.to_be_bytes()[..], properties(version), &[0]].concat())
}

/// PINGREQ.
pub fn pingreq() -> Vec<u8> {
    packet(0xc0, &[])
}

/// PINGRESP.
pub fn pingresp() -> Vec<u8> {
    packet(0xd0, &[])
}

/// DISCONNECT.
pub fn disconnect() -> Vec<u8> {
    packet(0xe0, &[])
}
