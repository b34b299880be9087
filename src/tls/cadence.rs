//! What the sizes and times of encrypted records tell of the MQTT inside: how much is said, how regularly it pings, and
//! whether a login looks refused. Estimates by shape, never read content.

/// Bounds of the plaintext in a record, in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// No less than this.
    pub least: u16,
    /// No more than this.
    pub most: u16,
}

/// PINGREQ, PINGRESP, a DISCONNECT without reason: a fixed header alone.
const BARE: u16 = 2;
/// The shortest CONNECT: header, protocol name, level, flags, keep alive and an empty client id.
const SHORTEST_CONNECT: u16 = 14;
/// CONNACK before version 5, and that of version 5 with few properties.
const CONNACK: core::ops::RangeInclusive<u16> = 4..=8;
/// Refusing servers close at once, in milliseconds.
const CLOSES_WITHIN: u32 = 5_000;

impl Size {
    /// Of a record of `length` octets with the version and cipher suite chosen; `None` when these are not known.
    #[must_use]
    pub fn new(version: u16, cipher: u16, length: u16) -> Option<Self> {
        let exactly = |overhead: u16| {
            let size = length.checked_sub(overhead)?;
            Some(Self { least: size, most: size })
        };
        match (version, cipher) {
            (0, _) => None,
            // Authentication tag and inner content type (RFC 8446, section 5.2); padding is possible, but nobody pads.
            (0x0304, _) => exactly(17),
            // ChaCha20-Poly1305 (RFC 7905), CCM_8 (RFC 6655, 7251, 8442), RC4 with MD5.
            (_, 0xcca8..=0xccae | 0xc0a0..=0xc0a3 | 0xc0a8..=0xc0ab | 0xc0ae | 0xc0af | 0xd003 | 4) => {
                exactly(16)
            }
            // Explicit nonce and tag: GCM (RFC 5288, 5289, 5487, 8442) and CCM.
            (
                _,
                0x009c..=0x00ad
                | 0xc02b..=0xc032
                | 0xc09c..=0xc09f
                | 0xc0a4..=0xc0a7
                | 0xc0ac
                | 0xc0ad
                | 0xd001
                | 0xd002
                | 0xd005,
            ) => exactly(24),
            // RC4 with SHA-1.
            (_, 5) => exactly(20),
            // CBC: initialisation vector, MAC of 20 to 48 octets, padding of 1 to 16.
            _ => Some(Self {
                least: length.saturating_sub(16 + 48 + 16),
                most: length.checked_sub(16 + 20 + 1)?,
            }),
        }
    }

    /// Whether it can be of a size in the range, and is not much larger than what is looked for.
    fn is_like(self, range: core::ops::RangeInclusive<u16>) -> bool {
        self.least <= *range.end() && self.most >= *range.start() && self.most < self.least + 48
    }

    const fn is_at_least(self, size: u16) -> bool {
        self.most >= size
    }
}

/// The records of one connection. Times are milliseconds that may wrap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cadence {
    /// Records with application data by the client and by the server.
    pub records: [u32; 2],
    /// The longest of either in octets, as encrypted.
    pub longest: [u16; 2],
    /// The client's first, which holds its CONNECT, in octets as encrypted.
    pub connect: u16,
    /// Bare records of the client that got a bare answer: PINGREQ and PINGRESP.
    pub pings: u16,
    /// The shortest and the longest time between two of them, in milliseconds.
    pub ping_interval: [u32; 2],
    /// The client's records that are more than a fixed header.
    spoken: u8,
    /// The server's records that could be a CONNACK, and those that are more.
    acknowledged: u8,
    answered: u8,
    /// A bare record of the client awaits its answer.
    ping_waits: bool,
    last_ping: u32,
    last_answer: u32,
}

impl Cadence {
    /// No records yet.
    pub const NEW: Self = Self {
        records: [0; 2],
        longest: [0; 2],
        connect: 0,
        pings: 0,
        ping_interval: [0; 2],
        spoken: 0,
        acknowledged: 0,
        answered: 0,
        ping_waits: false,
        last_ping: 0,
        last_answer: 0,
    };

    /// A record with application data by the client.
    pub fn sent(&mut self, length: u16, size: Option<Size>) {
        let [records, _] = &mut self.records;
        if *records == 0 {
            self.connect = length;
        }
        *records = records.saturating_add(1);
        self.longest[0] = self.longest[0].max(length);
        let Some(size) = size else { return };
        self.ping_waits = self.connect != length && size.is_like(BARE..=BARE);
        if !self.ping_waits {
            self.spoken = self.spoken.saturating_add(1);
        }
    }

    /// A record with application data by the server.
    pub fn received(&mut self, length: u16, size: Option<Size>, now: u32) {
        self.records[1] = self.records[1].saturating_add(1);
        self.longest[1] = self.longest[1].max(length);
        let Some(size) = size else { return };
        if self.ping_waits && size.is_like(BARE..=BARE) {
            self.ping_waits = false;
            self.pinged(now);
            return;
        }
        // In TLS 1.3 a server sends tickets before its first answer; these are far longer.
        if self.spoken > 0 {
            self.last_answer = now;
            if size.is_like(CONNACK) {
                self.acknowledged = self.acknowledged.saturating_add(1);
            } else if size.most > BARE && size.most < 100 {
                self.answered = self.answered.saturating_add(1);
            }
        }
    }

    fn pinged(&mut self, now: u32) {
        if self.pings > 0 {
            let interval = now.wrapping_sub(self.last_ping);
            let [shortest, longest] = &mut self.ping_interval;
            *shortest = if self.pings == 1 { interval } else { interval.min(*shortest) };
            *longest = interval.max(*longest);
        }
        self.pings = self.pings.saturating_add(1);
        self.last_ping = now;
    }

    /// Whether a connection that the server closes now looks like a refused login: one record as long as a CONNECT, one
    /// as short as a CONNACK behind it, nothing else, and then the end.
    #[must_use]
    pub fn looks_refused(&self, version: u16, cipher: u16, now: u32) -> bool {
        let connect = Size::new(version, cipher, self.connect);
        self.records[0] > 0
            && connect.is_some_and(|size| size.is_at_least(SHORTEST_CONNECT))
            && (self.spoken, self.acknowledged, self.answered, self.pings) == (1, 1, 0, 0)
            && now.wrapping_sub(self.last_answer) <= CLOSES_WITHIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V13: u16 = 0x0304;

    fn exactly(size: u16) -> Option<Size> {
        Some(Size { least: size, most: size })
    }

    #[test]
    fn the_plaintext_of_each_kind_of_cipher() {
        assert_eq!(Size::new(V13, 0x1301, 21), exactly(4));
        assert_eq!(Size::new(0x0303, 0xc02f, 28), exactly(4));
        assert_eq!(Size::new(0x0303, 0xcca8, 20), exactly(4));
        assert_eq!(Size::new(0x0303, 0xc0a8, 20), exactly(4));
        // CONNACK with AES-CBC and SHA-1 takes 48 octets, with SHA-256 64.
        for length in [48, 64] {
            assert!(Size::new(0x0303, 0xc013, length).unwrap().is_like(CONNACK), "{length}");
        }
        assert!(!Size::new(0x0303, 0xc013, 112).unwrap().is_like(CONNACK));
        assert_eq!(Size::new(0, 0, 28), None);
        assert_eq!(Size::new(V13, 0x1301, 3), None);
    }

    /// Sizes of the client (negative) and of the server, then whether it looks refused.
    fn talk(sizes: &[i32]) -> Cadence {
        let mut cadence = Cadence::NEW;
        for (n, size) in sizes.iter().enumerate() {
            let length = size.unsigned_abs() as u16 + 17;
            let known = Size::new(V13, 0x1301, length);
            if *size < 0 {
                cadence.sent(length, known);
            } else {
                cadence.received(length, known, 100 * n as u32);
            }
        }
        cadence
    }

    #[test]
    fn a_refused_login_is_told_from_sessions() {
        let refused = |sizes: &[i32]| talk(sizes).looks_refused(V13, 0x1301, 1_000);
        assert!(refused(&[-40, 4]));
        // Two tickets of TLS 1.3, CONNACK of version 5, close_notify.
        assert!(refused(&[-40, 230, 230, 5, 2]));
        // Accepted and used; accepted and left by the client after its DISCONNECT is closed by the client.
        assert!(!refused(&[-40, 4, -20, 5]));
        assert!(!refused(&[-40, 4, -20]));
        assert!(!refused(&[-40, 4, -2, 2]));
        // Nothing said; closed without an answer; an answer too long.
        assert!(!refused(&[]));
        assert!(!refused(&[-40]));
        assert!(!refused(&[-40, 40]));
        assert!(!refused(&[-10, 4]));
        assert!(!talk(&[-40, 4]).looks_refused(V13, 0x1301, 10_000));
    }

    #[test]
    fn the_period_of_pings() {
        let cadence = talk(&[-40, 4, -30, -2, 2, -2, 2, -30, -2, 2, -2]);
        assert_eq!((cadence.pings, cadence.ping_interval), (3, [200, 300]));
        assert_eq!((cadence.records, cadence.longest, cadence.connect), ([7, 4], [57, 21], 57));
    }
}
