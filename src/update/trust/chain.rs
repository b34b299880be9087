//! From one root to the next.

use std::cmp::Ordering;

use super::envelope::{Envelope, Kind};
use super::verify::verify;
use crate::update::document::Root;
use crate::update::reason::{Reason, Refusal};

/// A root with the envelope that it came in, to be kept and shown to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRoot {
    /// The document.
    pub root: Root,
    /// As it was signed.
    pub envelope: Envelope,
}

impl SignedRoot {
    /// Takes a root that somebody else vouches for: the package, or the operator who put the file there. It must
    /// still be signed by its own keys.
    ///
    /// # Errors
    /// It is not well formed or not signed.
    pub fn from_file(octets: &[u8]) -> Result<Self, Refusal> {
        Self::from_envelope(&Envelope::read(Kind::Root, octets)?)
    }

    /// As [`SignedRoot::from_file`], of an envelope that is read already.
    ///
    /// # Errors
    /// It is not well formed or not signed.
    pub fn from_envelope(envelope: &Envelope) -> Result<Self, Refusal> {
        let root = Root::read(&envelope.payload)?;
        verify(envelope, Kind::Root, &root)?;
        Ok(Self { root, envelope: envelope.clone() })
    }

    /// The root that follows, signed under the thresholds of both.
    fn next(&self, envelope: &Envelope, root: Root) -> Result<Self, Refusal> {
        let (have, got) = (self.root.version, root.version);
        if got != have + 1 {
            let detail = format!("root: version {got} does not follow {have}");
            return Err(Refusal::new(Reason::RootSkipped, detail));
        }
        verify(envelope, Kind::Root, &self.root)?;
        verify(envelope, Kind::Root, &root)?;
        if root.floor < self.root.floor {
            let detail = format!("root: floor {} is below the {} in force", root.floor, self.root.floor);
            return Err(Refusal::new(Reason::FloorLowered, detail));
        }
        Ok(Self { root, envelope: envelope.clone() })
    }
}

/// Follows `envelopes` from `from` on, version by version. Roots up to the one in force are passed over, so that the
/// same chain serves every device; the one in force must be the same.
///
/// Expiry is the caller's: only the last root must hold.
///
/// # Errors
/// Why the chain breaks. Nothing of it is taken then.
pub fn follow(from: &SignedRoot, envelopes: &[Envelope]) -> Result<SignedRoot, Refusal> {
    let mut current = from.clone();
    for envelope in envelopes {
        // Looked into before it is verified, only to know where it belongs.
        let root = Root::read(&envelope.payload)?;
        match root.version.cmp(&current.root.version) {
            Ordering::Less => {}
            Ordering::Equal if envelope.payload == current.envelope.payload => {}
            Ordering::Equal => {
                let detail = format!("root: another version {} than the one in force", root.version);
                return Err(Refusal::new(Reason::RootConflict, detail));
            }
            Ordering::Greater => current = current.next(envelope, root)?,
        }
    }
    Ok(current)
}
