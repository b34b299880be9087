//! Reads a ClientHello or a ServerHello (RFC 8446, sections 4.1.2 and 4.1.3) octet by octet, so that it may span any number of
//! records and segments, and keeps what tells clients and servers apart.

use heapless::Vec;

/// Cipher suites kept.
const CIPHERS: usize = 256;
/// Extensions, and signature algorithms, kept.
const EXTENSIONS: usize = 64;
/// Octets kept of a server name; longer ones are cut.
pub const SERVER_NAME_OCTETS: usize = 128;
/// Octets kept of an application protocol; longer ones are cut.
const PROTOCOL_OCTETS: usize = 16;

/// Extension numbers.
const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Which of the two it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// ClientHello.
    #[default]
    Client,
    /// ServerHello.
    Server,
}

/// What a hello says. Of a ServerHello the lists have one entry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hello {
    /// Which of the two.
    pub kind: Kind,
    /// The version field of old.
    pub legacy_version: u16,
    /// The highest of the `supported_versions`, 0 without.
    pub supported_version: u16,
    /// Cipher suites in their order, with the placeholders of GREASE (RFC 8701).
    pub ciphers: Vec<u16, CIPHERS>,
    /// Numbers of the extensions in their order.
    pub extensions: Vec<u16, EXTENSIONS>,
    /// Signature algorithms in their order.
    pub signature_algorithms: Vec<u16, EXTENSIONS>,
    /// The name of the server (RFC 6066, section 3), cut to [`SERVER_NAME_OCTETS`].
    pub server_name: Vec<u8, SERVER_NAME_OCTETS>,
    /// The first application protocol (RFC 7301), cut.
    pub protocol: Vec<u8, PROTOCOL_OCTETS>,
    /// The last octet of it.
    pub protocol_end: u8,
    /// `mqtt` is among the application protocols.
    pub mqtt: bool,
    /// Everything was read and every list kept whole.
    pub complete: bool,
}

impl Hello {
    /// The version asked for or chosen, without GREASE.
    #[must_use]
    pub const fn version(&self) -> u16 {
        if self.supported_version == 0 { self.legacy_version } else { self.supported_version }
    }
}

/// Whether a number is one of the placeholders that mean nothing (RFC 8701).
#[must_use]
pub const fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

/// Where in the message the next octet lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Step {
    #[default]
    Type,
    Length,
    Version,
    Random,
    SessionLength,
    Session,
    CiphersLength,
    Cipher,
    CompressionLength,
    Compression,
    ExtensionsLength,
    ExtensionType,
    ExtensionLength,
    Extension,
    Done,
}

/// The reader of one hello.
#[derive(Clone, Debug, Default)]
pub struct HelloReader {
    hello: Hello,
    step: Step,
    /// The integer that is being read.
    value: u32,
    /// Octets left of what is being read.
    left: u32,
    /// Octets left of the whole message.
    message: u32,
    /// Octets left of the list of cipher suites.
    ciphers: u32,
    /// Number and position within the current extension.
    extension: u16,
    at: u32,
    /// Octets left of the current name within it.
    name: u16,
    /// The current application protocol is not the first.
    further: bool,
    /// How much of it agrees with `mqtt`.
    agrees: u8,
    /// A list was longer than what is kept.
    overflowed: bool,
}

impl HelloReader {
    /// Begins anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether the message has been read to its end, or is none.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// What was read.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Takes the next octets of the handshake; whether the message is complete.
    pub fn push(&mut self, octets: &[u8]) -> bool {
        for octet in octets {
            if self.is_done() {
                break;
            }
            self.take(*octet);
        }
        self.is_done()
    }

    fn take(&mut self, octet: u8) {
        if self.step == Step::Type {
            self.hello.kind = if octet == 2 { Kind::Server } else { Kind::Client };
            // Anything else is no hello.
            self.go(if matches!(octet, 1 | 2) { Step::Length } else { Step::Done }, 3);
            return;
        }
        self.value = self.value << 8 | u32::from(octet);
        self.left = self.left.saturating_sub(1);
        if self.step == Step::Length {
            if self.left == 0 {
                self.message = self.value & 0xff_ffff;
                self.go(if self.message == 0 { Step::Done } else { Step::Version }, 2);
            }
            return;
        }
        self.message -= 1;
        if self.step == Step::Extension {
            self.in_extension(octet);
        }
        if self.left == 0 {
            self.next();
        }
        if self.message == 0 && self.step != Step::Done {
            // At the end of the list of extensions, or where a hello of old has none.
            let ends_well = self.step == Step::ExtensionType || self.step == Step::ExtensionsLength;
            self.finish(ends_well && self.left == 2);
        }
    }

    /// What is being read is complete.
    fn next(&mut self) {
        let value = self.value;
        let number = u16::try_from(value & 0xffff).unwrap_or(0);
        match self.step {
            Step::Version => {
                self.hello.legacy_version = number;
                self.go(Step::Random, 32);
            }
            Step::Random => self.go(Step::SessionLength, 1),
            Step::SessionLength => self.go_or(Step::Session, value & 0xff, Self::after_session),
            Step::Session => self.after_session(),
            Step::CiphersLength => {
                self.ciphers = value & 0xffff;
                self.go_or(Step::Cipher, self.ciphers.min(2), Self::after_ciphers);
            }
            Step::Cipher => {
                self.overflowed |= self.hello.ciphers.push(number).is_err();
                self.ciphers = self.ciphers.saturating_sub(2);
                self.go_or(Step::Cipher, self.ciphers.min(2), Self::after_ciphers);
            }
            Step::CompressionLength => {
                self.go_or(Step::Compression, value & 0xff, |reader| reader.go(Step::ExtensionsLength, 2));
            }
            Step::Compression => self.go(Step::ExtensionsLength, 2),
            Step::ExtensionsLength | Step::Extension => self.go(Step::ExtensionType, 2),
            Step::ExtensionType => {
                self.extension = number;
                self.overflowed |= self.hello.extensions.push(number).is_err();
                self.go(Step::ExtensionLength, 2);
            }
            Step::ExtensionLength => {
                self.at = 0;
                self.name = 0;
                self.further = false;
                self.go_or(Step::Extension, value & 0xffff, |reader| reader.go(Step::ExtensionType, 2));
            }
            Step::Type | Step::Length | Step::Done => {}
        }
    }

    /// A server has chosen one cipher suite and one way of compression; a client lists them.
    fn after_session(&mut self) {
        match self.hello.kind {
            Kind::Client => self.go(Step::CiphersLength, 2),
            Kind::Server => self.go(Step::Cipher, 2),
        }
    }

    fn after_ciphers(&mut self) {
        match self.hello.kind {
            Kind::Client => self.go(Step::CompressionLength, 1),
            Kind::Server => self.go(Step::Compression, 1),
        }
    }

    fn go(&mut self, step: Step, octets: u32) {
        self.step = step;
        self.left = octets;
        self.value = 0;
    }

    /// Goes to a step of so many octets, or on from there when there are none.
    fn go_or(&mut self, step: Step, octets: u32, otherwise: impl FnOnce(&mut Self)) {
        if octets == 0 {
            otherwise(self);
        } else {
            self.go(step, octets);
        }
    }

    fn finish(&mut self, whole: bool) {
        self.hello.complete = whole && !self.overflowed;
        self.step = Step::Done;
    }

    /// An octet of an extension's value.
    fn in_extension(&mut self, octet: u8) {
        let at = self.at;
        self.at += 1;
        let pair = u16::try_from(self.value & 0xffff).unwrap_or(0);
        match self.extension {
            // List length (2), type (1), length (2), name.
            SERVER_NAME if at == 4 => self.name = pair,
            SERVER_NAME if at > 4 && self.name > 0 => {
                self.name -= 1;
                // What does not fit is cut.
                let _ = self.hello.server_name.push(octet);
            }
            // List length (2), then length (1) and protocol of each.
            ALPN if at >= 2 && self.name == 0 => {
                self.further = at > 2;
                self.name = u16::from(octet);
                self.agrees = 0;
            }
            ALPN if at >= 2 => self.in_protocol(octet),
            // A client's list has a length of one octet before it; a server's choice has none.
            SUPPORTED_VERSIONS if self.hello.kind == Kind::Server || at > 0 => {
                let second = at.is_multiple_of(2) == (self.hello.kind == Kind::Client);
                if second && !is_grease(pair) {
                    self.hello.supported_version = self.hello.supported_version.max(pair);
                }
            }
            SIGNATURE_ALGORITHMS if at >= 2 && at % 2 == 1 => {
                self.overflowed |= self.hello.signature_algorithms.push(pair).is_err();
            }
            _ => {}
        }
    }

    fn in_protocol(&mut self, octet: u8) {
        self.name -= 1;
        if b"mqtt".get(usize::from(self.agrees)) == Some(&octet) {
            self.agrees += 1;
        } else {
            self.agrees = u8::MAX;
        }
        self.hello.mqtt |= self.agrees == 4 && self.name == 0;
        if !self.further {
            // What does not fit is cut.
            let _ = self.hello.protocol.push(octet);
            self.hello.protocol_end = octet;
        }
    }
}

#[cfg(test)]
#[path = "hello_tests.rs"]
pub(crate) mod tests;
