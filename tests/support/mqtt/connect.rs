//! CONNECT.

use super::{Properties, V31, Version, packet, string};

/// What a CONNECT says. The connect flags follow from the fields, unless some are flipped.
#[derive(Clone, Debug)]
pub struct Connect {
    pub version: Version,
    pub protocol_name: Vec<u8>,
    pub level: u8,
    pub clean: bool,
    /// Connect flags that are the wrong way round.
    pub flipped: u8,
    pub keep_alive: u16,
    pub properties: Properties,
    /// `None`: left out altogether, with all that follows.
    pub client_id: Option<Vec<u8>>,
    pub will: Option<Will>,
    pub user_name: Option<Vec<u8>>,
    pub password: Option<Vec<u8>>,
}

/// A will.
#[derive(Clone, Debug)]
pub struct Will {
    pub qos: u8,
    pub retain: bool,
    pub properties: Properties,
    pub topic: Vec<u8>,
    /// `None`: left out.
    pub message: Option<Vec<u8>>,
}

impl Will {
    /// A will at QoS 0.
    pub fn new(topic: impl AsRef<[u8]>, message: impl AsRef<[u8]>) -> Self {
        Self {
            qos: 0,
            retain: false,
            properties: Properties::new(),
            topic: topic.as_ref().to_vec(),
            message: Some(message.as_ref().to_vec()),
        }
    }

    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = qos;
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

    pub fn without_message(mut self) -> Self {
        self.message = None;
        self
    }
}

impl Connect {
    /// A clean session with a keep alive of 60 s and no login.
    pub fn new(version: Version, client_id: impl AsRef<[u8]>) -> Self {
        Self {
            version,
            protocol_name: if version == V31 { b"MQIsdp".to_vec() } else { b"MQTT".to_vec() },
            level: version.level(),
            clean: true,
            flipped: 0,
            keep_alive: 60,
            properties: Properties::new(),
            client_id: Some(client_id.as_ref().to_vec()),
            will: None,
            user_name: None,
            password: None,
        }
    }

    pub fn login(self, user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Self {
        self.user_name(user).password(password)
    }

    pub fn user_name(mut self, name: impl AsRef<[u8]>) -> Self {
        self.user_name = Some(name.as_ref().to_vec());
        self
    }

    pub fn password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.password = Some(password.as_ref().to_vec());
        self
    }

    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    /// Not a clean session (clean start in version 5).
    pub fn kept(mut self) -> Self {
        self.clean = false;
        self
    }

    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = properties;
        self
    }

    pub fn protocol(mut self, name: &str, level: u8) -> Self {
        self.protocol_name = name.into();
        self.level = level;
        self
    }

    /// Flips connect flags, whatever the fields are.
    pub fn flip(mut self, flags: u8) -> Self {
        self.flipped = flags;
        self
    }

    /// Leaves out the client identifier.
    pub fn without_client_id(mut self) -> Self {
        self.client_id = None;
        self
    }

    /// The connect flags.
    fn flags(&self) -> u8 {
        let will =
            self.will.as_ref().map_or(0, |will| 0x04 | (will.qos & 3) << 3 | u8::from(will.retain) << 5);
        let login = u8::from(self.user_name.is_some()) << 7 | u8::from(self.password.is_some()) << 6;
        (u8::from(self.clean) << 1 | will | login) ^ self.flipped
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = string(&self.protocol_name);
        body.extend([self.level, self.flags()]);
        body.extend(self.keep_alive.to_be_bytes());
        let properties = |properties: &Properties| {
            if self.version.has_properties() { properties.encode() } else { Vec::new() }
        };
        body.extend(properties(&self.properties));
        if let Some(id) = &self.client_id {
            body.extend(string(id));
        }
        if let Some(will) = &self.will {
            body.extend([properties(&will.properties), string(&will.topic)].concat());
            body.extend(will.message.as_ref().map(string).unwrap_or_default());
        }
        for field in [&self.user_name, &self.password].into_iter().flatten() {
            body.extend(string(field));
        }
        packet(0x10, &body)
    }
}
