//! Public keys: Ed25519, only such as an honest generator makes.

use std::fmt;

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::update::digest::Digest;

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A key that proves nothing: not a canonical encoding, or of small order, so that anybody can make signatures
/// that fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a usable Ed25519 public key")]
pub struct WeakKey;

/// The ordinates of the points whose order divides 8, little-endian. The sign of x does not matter.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

impl PublicKey {
    /// From its octets. Whether they are a point of the curve at all shows at the first signature.
    ///
    /// # Errors
    /// An encoding that is not the only one of its point, or a point of small order.
    pub fn from_octets(octets: [u8; 32]) -> Result<Self, WeakKey> {
        let mut ordinate = octets;
        let [first, middle @ .., last] = &mut ordinate;
        *last &= 0x7f;
        // The prime is 2^255 - 19: 0xed, 30 times 0xff, 0x7f.
        let reduced = !(*last == 0x7f && middle.iter().all(|octet| *octet == 0xff) && *first >= 0xed);
        if reduced && !SMALL_ORDER.contains(&ordinate) { Ok(Self(octets)) } else { Err(WeakKey) }
    }

    /// Its octets.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest of its octets, by which documents name it.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// Whether `signature` is this key's over `message`. Strict: the one accepted signature of each message and nonce;
    /// ring refuses a scalar that is not reduced and compares encodings.
    #[must_use]
    pub fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digest(self.0))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Digest(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The same 64 digits as a digest.
        Self::from_octets(Digest::deserialize(deserializer)?.0).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> [u8; 32] {
        text.parse::<Digest>().unwrap().0
    }

    #[test]
    fn the_second_vector_of_rfc_8032_verifies_and_nothing_near_it() {
        let key = octets("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let key = PublicKey::from_octets(key).unwrap();
        let mut signature = [0; 64];
        signature[..32]
            .copy_from_slice(&octets("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"));
        signature[32..]
            .copy_from_slice(&octets("085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
        assert!(key.signed(&[0x72], &signature));
        assert!(!key.signed(&[0x73], &signature));
        for bit in 0..512 {
            let mut other = signature;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.signed(&[0x72], &other), "bit {bit}");
        }
    }

    #[test]
    fn a_scalar_that_is_not_reduced_is_refused() {
        // S + L verifies where only the equation is looked at.
        let key = octets("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let mut signature = [0; 64];
        signature[..32]
            .copy_from_slice(&octets("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"));
        let scalar = octets("085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        let order = octets("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0u16;
        for (index, slot) in signature[32..].iter_mut().enumerate() {
            let sum = u16::from(scalar[index]) + u16::from(order[index]) + carry;
            *slot = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        assert!(!PublicKey::from_octets(key).unwrap().signed(&[0x72], &signature));
    }

    #[test]
    fn keys_that_fit_every_message_are_no_keys() {
        for small in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut key = small;
                key[31] |= sign;
                assert_eq!(PublicKey::from_octets(key), Err(WeakKey));
            }
        }
        // The identity, written with the prime added to its ordinate: p + 1.
        let mut key = [0xff; 32];
        key[0] = 0xee;
        key[31] = 0x7f;
        assert_eq!(PublicKey::from_octets(key), Err(WeakKey));
        // What is refused: with the identity for a key, R = S = 0 fits any message.
        let mut signature = [0; 64];
        signature[0] = 1;
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(PublicKey(identity).signed(b"anything", &signature));
    }
}
