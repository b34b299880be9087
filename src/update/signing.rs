//! Private keys: only ever on the operator's side.

use std::fmt;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::trust::{Envelope, PublicKey, Signature, WeakKey};

/// An Ed25519 private key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// The key that `seed` stands for.
    ///
    /// # Errors
    /// The seed gives a key that proves nothing; no honest generator ever made one.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, WeakKey> {
        Self::of(Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| WeakKey)?)
    }

    /// The key of a PKCS#8 document.
    ///
    /// # Errors
    /// It holds no usable Ed25519 key.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, WeakKey> {
        Self::of(Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map_err(|_| WeakKey)?)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, WeakKey> {
        let octets = pair.public_key().as_ref().try_into().map_err(|_| WeakKey)?;
        Ok(Self { pair, public: PublicKey::from_octets(octets)? })
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `envelope`; a signature of this key that is there already is replaced.
    pub fn sign(&self, envelope: &mut Envelope) {
        let key = self.public.id();
        let mut octets = [0; 64];
        octets.copy_from_slice(self.pair.sign(&envelope.signed_octets()).as_ref());
        envelope.signatures.retain(|signature| signature.key != key);
        envelope.signatures.push(Signature { key, octets });
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}
