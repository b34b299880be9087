//! DSSE envelopes: <https://github.com/secure-systems-lab/dsse>, protocol version 1.

use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::update::digest::Digest;
use crate::update::document::{Manifest, Role, Root, Timestamp};
use crate::update::reason::{Reason, Refusal};

/// Signatures that are looked at, at most.
pub(super) const MAX_SIGNATURES: usize = 8;
/// What an envelope has around its payload, in octets, at most.
const AROUND: usize = 2 << 10;

/// The kinds of signed documents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// [`Root`].
    Root,
    /// [`Manifest`].
    Manifest,
    /// [`Timestamp`].
    Timestamp,
}

impl Kind {
    /// The signed type.
    #[must_use]
    pub const fn payload_type(self) -> &'static str {
        match self {
            Self::Root => "application/vnd.picket.root.v1+json",
            Self::Manifest => "application/vnd.picket.manifest.v1+json",
            Self::Timestamp => "application/vnd.picket.timestamp.v1+json",
        }
    }

    /// Who signs it.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Root => Role::Root,
            Self::Manifest => Role::Model,
            Self::Timestamp => Role::Timestamp,
        }
    }

    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Manifest => "manifest",
            Self::Timestamp => "timestamp",
        }
    }

    /// The largest payload, in octets.
    #[must_use]
    pub const fn max_payload(self) -> usize {
        match self {
            Self::Root => Root::MAX_BYTES,
            Self::Manifest => Manifest::MAX_BYTES,
            Self::Timestamp => Timestamp::MAX_BYTES,
        }
    }

    /// The largest envelope as a file, in octets.
    #[must_use]
    pub const fn max_envelope(self) -> usize {
        self.max_payload().div_ceil(3) * 4 + AROUND
    }
}

/// One signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// The id of the key: where to look, not yet who it was.
    pub key: Digest,
    /// Ed25519.
    pub octets: [u8; 64],
}

/// A payload with its type and signatures. Nothing about it is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The signed type.
    pub payload_type: String,
    /// The octets that were signed, never to be written anew.
    pub payload: Vec<u8>,
    /// Signatures over both.
    pub signatures: Vec<Signature>,
}

impl Envelope {
    /// An envelope without a signature.
    #[must_use]
    pub fn unsigned(kind: Kind, payload: Vec<u8>) -> Self {
        Self { payload_type: kind.payload_type().to_owned(), payload, signatures: Vec::new() }
    }

    /// Reads an envelope that stands alone, as in a file.
    ///
    /// # Errors
    /// It is too large or not well formed.
    pub fn read(kind: Kind, octets: &[u8]) -> Result<Self, Refusal> {
        crate::update::document::read(kind.name(), octets, kind.max_envelope())
    }

    /// What is signed: the type and the payload, each after its length (PAE).
    #[must_use]
    pub fn signed_octets(&self) -> Vec<u8> {
        let head =
            format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, self.payload.len());
        [head.as_bytes(), &self.payload].concat()
    }

    /// The envelope as JSON, in one line.
    ///
    /// # Errors
    /// None that this version knows; the writer of JSON may have one.
    pub fn to_json(&self) -> Result<String, Refusal> {
        serde_json::to_string(self).map_err(|_| Refusal::new(Reason::Malformed, "envelope cannot be written"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<RawSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    keyid: Digest,
    sig: String,
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let signature = |s: &Signature| RawSignature { keyid: s.key, sig: Base64::encode_string(&s.octets) };
        let raw = Raw {
            payload_type: self.payload_type.clone(),
            payload: Base64::encode_string(&self.payload),
            signatures: self.signatures.iter().map(signature).collect(),
        };
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Envelope {
    /// The message around it was bounded before; [`super::verify`] bounds its parts, by their kind.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        let payload = Base64::decode_vec(&raw.payload).map_err(de::Error::custom)?;
        let mut signatures = Vec::with_capacity(raw.signatures.len());
        for RawSignature { keyid, sig } in raw.signatures {
            let mut octets = [0; 64];
            let decoded = Base64::decode(&sig, &mut octets).map_err(de::Error::custom)?;
            if decoded.len() != 64 {
                return Err(de::Error::custom("a signature has not 64 octets"));
            }
            signatures.push(Signature { key: keyid, octets });
        }
        Ok(Self { payload_type: raw.payload_type, payload, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_that_of_the_specification() {
        let envelope = Envelope {
            payload_type: "http://example.com/HelloWorld".to_owned(),
            payload: b"hello world".to_vec(),
            signatures: Vec::new(),
        };
        assert_eq!(envelope.signed_octets(), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn text_and_back() {
        let mut envelope = Envelope::unsigned(Kind::Root, b"{}\n".to_vec());
        envelope.signatures.push(Signature { key: Digest([7; 32]), octets: [9; 64] });
        let text = envelope.to_json().unwrap();
        assert_eq!(Envelope::read(Kind::Root, text.as_bytes()), Ok(envelope));
    }

    #[test]
    fn every_other_form_is_malformed() {
        let good = Envelope::unsigned(Kind::Root, b"{}".to_vec()).to_json().unwrap();
        assert!(Envelope::read(Kind::Root, good.as_bytes()).is_ok());
        for wrong in [
            good.replace("e30=", "e30"),
            good.replace("e30=", "e31="),
            good.replace("e30=", "e 30="),
            good.replace("\"signatures\"", "\"more\":1,\"signatures\""),
            good.replace("[]", r#"[{"keyid":"00","sig":""}]"#),
            good.replace("[]", &format!(r#"[{{"keyid":"{}","sig":"AAAA"}}]"#, Digest([0; 32]))),
            format!("{good}{good}"),
            good[..good.len() - 1].to_owned(),
            String::new(),
        ] {
            assert_eq!(
                Envelope::read(Kind::Root, wrong.as_bytes()).unwrap_err().reason,
                Reason::Malformed,
                "{wrong}"
            );
        }
        let key = "\"payload\":\"e30=\"";
        let twice = good.replace(key, &format!("{key},{key}"));
        assert_eq!(Envelope::read(Kind::Root, twice.as_bytes()).unwrap_err().reason, Reason::Malformed);
    }

    #[test]
    fn more_octets_than_the_kind_has_are_not_even_read() {
        for kind in [Kind::Root, Kind::Manifest, Kind::Timestamp] {
            let long = vec![b' '; kind.max_envelope() + 1];
            assert_eq!(Envelope::read(kind, &long).unwrap_err().reason, Reason::TooLarge);
        }
    }
}
