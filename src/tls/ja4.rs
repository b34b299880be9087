//! The JA4 fingerprint of a TLS client, after its definition by FoxIO (BSD 3-Clause): what kind of client this is, whatever
//! its address and whomever it connects to. Of the family, only JA4 itself is free to use.

use heapless::Vec;
use sha2::{Digest, Sha256};

use super::hello::{Hello, is_grease};

/// Octets of a fingerprint.
const OCTETS: usize = 36;
/// The extensions that the second hash leaves out: server name and application protocols.
const LEFT_OUT: [u16; 2] = [0, 16];

/// A fingerprint, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ja4([u8; OCTETS]);

impl Ja4 {
    /// The fingerprint of a ClientHello that came over TCP; `None` unless all of it was read.
    #[must_use]
    pub fn new(hello: &Hello) -> Option<Self> {
        if !hello.complete {
            return None;
        }
        let without_grease = |numbers: &[u16]| -> Vec<u16, 256> {
            numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
        };
        let mut ciphers = without_grease(&hello.ciphers);
        let mut extensions = without_grease(&hello.extensions);
        let algorithms = without_grease(&hello.signature_algorithms);
        let name = if extensions.contains(&0) { b'd' } else { b'i' };
        let counts = [count(ciphers.len()), count(extensions.len())];
        ciphers.sort_unstable();
        extensions.retain(|number| !LEFT_OUT.contains(number));
        extensions.sort_unstable();
        let first = hash(&ciphers, &[]);
        let second = hash(&extensions, &algorithms);
        let parts: [&[u8]; 9] = [
            b"t",
            version(hello.version()),
            &[name],
            &counts[0],
            &counts[1],
            &protocol(hello),
            b"_",
            &first,
            b"_",
        ];
        let mut text = [0; OCTETS];
        text.iter_mut().zip(parts.into_iter().flatten().chain(&second)).for_each(|(to, from)| *to = *from);
        Some(Self(text))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is ASCII throughout.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const fn version(number: u16) -> &'static [u8; 2] {
    match number {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        _ => b"00",
    }
}

/// Two digits; there is no more than 99.
fn count(number: usize) -> [u8; 2] {
    let number = u8::try_from(number.min(99)).unwrap_or(99);
    [b'0' + number / 10, b'0' + number % 10]
}

/// First and last character of the first application protocol, or of its hexadecimal form.
fn protocol(hello: &Hello) -> [u8; 2] {
    let (Some(first), last) = (hello.protocol.first(), hello.protocol_end) else {
        return *b"00";
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [*first, last]
    } else {
        [digit(first >> 4), digit(last & 15)]
    }
}

/// The first twelve digits of the SHA-256 of a list, an underscore and another list.
fn hash(list: &[u16], behind: &[u16]) -> [u8; 12] {
    let mut text = [b'0'; 12];
    if list.is_empty() {
        return text;
    }
    let mut hasher = Sha256::new();
    for (place, numbers) in [list, behind].into_iter().enumerate() {
        for (at, number) in numbers.iter().enumerate() {
            match (place, at) {
                (0, 0) => {}
                (_, 0) => hasher.update(b"_"),
                _ => hasher.update(b","),
            }
            let [high, low] = number.to_be_bytes();
            hasher.update([digit(high >> 4), digit(high & 15), digit(low >> 4), digit(low & 15)]);
        }
    }
    let digest = hasher.finalize();
    for (to, octet) in text.chunks_exact_mut(2).zip(digest) {
        to.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
    }
    text
}

const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the definition.
    fn example() -> Hello {
        let mut hello =
            Hello { legacy_version: 0x0303, supported_version: 0x0304, complete: true, ..Hello::default() };
        hello.ciphers.extend([
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ]);
        hello.extensions.extend([
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
            0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xfafa,
        ]);
        hello.signature_algorithms.extend([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        hello.protocol.extend(*b"h2");
        hello.protocol_end = b'2';
        hello
    }

    fn of(hello: &Hello) -> String {
        Ja4::new(hello).unwrap().as_str().to_owned()
    }

    #[test]
    fn the_example_of_the_definition() {
        assert_eq!(of(&example()), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let mut hello = example();
        hello.signature_algorithms.clear();
        assert_eq!(of(&hello), "t13d1516h2_8daaf6152771_6d807ffa2a79");
        hello.complete = false;
        assert_eq!(Ja4::new(&hello), None);
    }

    #[test]
    fn nothing_is_zeros_and_many_are_99() {
        let mut hello = Hello { legacy_version: 0x0301, complete: true, ..Hello::default() };
        assert_eq!(of(&hello), "t10i000000_000000000000_000000000000");
        hello.ciphers.extend(1..=120);
        hello.extensions.extend([0, 16]);
        assert!(of(&hello).starts_with("t10d990200_"));
        assert!(of(&hello).ends_with("_000000000000"));
    }

    #[test]
    fn protocols_that_are_no_text() {
        let cases: [(&[u8], &str); 7] = [
            (b"\xab", "ab"),
            (b"\xab\xcd", "ad"),
            (b"\x30\xab", "3b"),
            (b"\x30\x31\xab\xcd", "3d"),
            (b"\x30\xab\xcd\x31", "01"),
            (b"x", "xx"),
            (b"http/1.1", "h1"),
        ];
        for (octets, expected) in cases {
            let mut hello = example();
            hello.protocol.clear();
            hello.protocol.extend(octets.iter().copied());
            hello.protocol_end = *octets.last().unwrap();
            assert_eq!(&of(&hello)[8..10], expected, "{octets:?}");
        }
    }
}
