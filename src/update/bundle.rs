//! A release in one file: the signed manifest and the model. What `picket model bundle` writes, what a slot of the
//! device holds, what an operator can carry to it.
//!
//! One line `picket-bundle/1 <octets of the envelope> <octets of the model>`, the envelope as JSON, a line feed, the
//! model. The place of the model is known before its first octet is there.

use super::MAX_MODEL_BYTES;
use super::digest::Digest;
use super::document::Manifest;
use super::reason::{Reason, Refusal};
use super::trust::{Envelope, Kind};

const MAGIC: &str = "picket-bundle/1";
/// Longest first line, in octets.
const MAX_HEAD: usize = 64;

/// Largest bundle, in octets.
pub const MAX_BUNDLE_BYTES: u64 =
    MAX_HEAD as u64 + Kind::Manifest.max_envelope() as u64 + 1 + MAX_MODEL_BYTES;

/// A release. The manifest is well formed and fits the model; who signed it is not looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Bundle {
    /// What it is.
    pub manifest: Manifest,
    /// The digest of the manifest's payload.
    pub sha256: Digest,
    /// The manifest as it was signed.
    pub envelope: Envelope,
    /// The model file.
    pub model: Vec<u8>,
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// It is not one, or the model is another than the manifest's.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let malformed = || Refusal::new(Reason::Malformed, "not a bundle of picket");
        if octets.len() as u64 > MAX_BUNDLE_BYTES {
            return Err(Refusal::new(Reason::TooLarge, "a bundle has at most a model of 4 MiB"));
        }
        let head = octets.iter().take(MAX_HEAD).position(|octet| *octet == b'\n').ok_or_else(malformed)?;
        let (line, rest) = octets.split_at_checked(head + 1).ok_or_else(malformed)?;
        let line = str::from_utf8(line).map_err(|_| malformed())?;
        let mut words = line.trim_end().split(' ');
        let (magic, envelope, model) = (words.next(), words.next(), words.next());
        let number =
            |word: Option<&str>| word.and_then(|word| word.parse::<usize>().ok()).ok_or_else(malformed);
        let (envelope, model) = (number(envelope)?, number(model)?);
        // One way to write it: no signs, no leading zeros.
        if magic != Some(MAGIC) || line != first_line(envelope, model) {
            return Err(malformed());
        }
        let (envelope, rest) = rest.split_at_checked(envelope).ok_or_else(malformed)?;
        let Some((b'\n', octets)) = rest.split_first() else { return Err(malformed()) };
        if octets.len() != model {
            return Err(malformed());
        }
        let envelope = Envelope::read(Kind::Manifest, envelope)?;
        let manifest = Manifest::read(&envelope.payload)?;
        if manifest.artifact.length != model as u64 || manifest.artifact.sha256 != Digest::of(octets) {
            let detail = "the model is not the one that the manifest names";
            return Err(Refusal::new(Reason::DigestMismatch, detail));
        }
        Ok(Self { manifest, sha256: Digest::of(&envelope.payload), envelope, model: octets.to_vec() })
    }

    /// All octets of the bundle.
    ///
    /// # Errors
    /// The envelope cannot be written.
    pub fn to_octets(&self) -> Result<Vec<u8>, Refusal> {
        Ok([head(&self.envelope, self.model.len() as u64)?.as_slice(), &self.model].concat())
    }
}

/// What stands before the model.
///
/// # Errors
/// The envelope cannot be written.
pub fn head(envelope: &Envelope, model: u64) -> Result<Vec<u8>, Refusal> {
    let json = envelope.to_json()?;
    let model = usize::try_from(model).map_err(|_| Refusal::new(Reason::TooLarge, "the model"))?;
    Ok(format!("{}{json}\n", first_line(json.len(), model)).into_bytes())
}

fn first_line(envelope: usize, model: usize) -> String {
    format!("{MAGIC} {envelope} {model}\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::update::trust::fixture;

    fn bundle() -> Bundle {
        let model = b"the model".to_vec();
        let envelope = fixture::sign_manifest(&fixture::manifest(7, &model), &[11]);
        Bundle {
            manifest: fixture::manifest(7, &model),
            sha256: Digest::of(&envelope.payload),
            envelope,
            model,
        }
    }

    #[test]
    fn octets_and_back() {
        let octets = bundle().to_octets().unwrap();
        assert_eq!(Bundle::read(&octets), Ok(bundle()));
        let head = head(&bundle().envelope, 9).unwrap();
        assert_eq!(octets[head.len()..], *b"the model");
    }

    #[test]
    fn another_model_is_noticed() {
        let mut octets = bundle().to_octets().unwrap();
        *octets.last_mut().unwrap() ^= 1;
        assert_eq!(Bundle::read(&octets).unwrap_err().reason, Reason::DigestMismatch);
    }

    #[test]
    fn lengths_that_are_not_true_are_refused() {
        let octets = bundle().to_octets().unwrap();
        let text = String::from_utf8(octets.clone()).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        for line in [
            "picket-bundle/1 0 9",
            "picket-bundle/1 18446744073709551615 9",
            "picket-bundle/1 99999999 99999999",
            "picket-bundle/2 10 9",
            "picket-bundle/1 +10 9",
            "picket-bundle/1 10",
            "",
        ] {
            let wrong = format!("{line}\n{rest}");
            assert_eq!(Bundle::read(wrong.as_bytes()).unwrap_err().reason, Reason::Malformed, "{line}");
        }
        for cut in [0, 1, 20, octets.len() / 2, octets.len() - 1] {
            assert_eq!(Bundle::read(&octets[..cut]).unwrap_err().reason, Reason::Malformed, "{cut}");
        }
        let long = vec![b'p'; usize::try_from(MAX_BUNDLE_BYTES).unwrap() + 1];
        assert_eq!(Bundle::read(&long).unwrap_err().reason, Reason::TooLarge);
    }

    proptest! {
        #[test]
        fn any_octets_are_a_bundle_or_refused(
            mut octets in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()
        ) {
            if magic {
                octets.splice(0..0, *b"picket-bundle/1 ");
            }
            prop_assert!(Bundle::read(&octets).is_err());
        }
    }
}
