//! Counting signatures.

use super::envelope::{Envelope, Kind, MAX_SIGNATURES};
use crate::update::document::Root;
use crate::update::reason::{Reason, Refusal};

/// Checks that `envelope` is of `kind`, and that as many keys of its role as `root` asks for have signed it.
///
/// A key that `root` does not know is passed over, so that a document can carry the signatures of two roots. A
/// signature of a known key of the role must fit; a key counts once, and must stand there once.
///
/// # Errors
/// A reason of its own for each way in which it can fail.
pub fn verify(envelope: &Envelope, kind: Kind, root: &Root) -> Result<(), Refusal> {
    let what = kind.name();
    let refuse = |reason, detail: String| Err(Refusal::new(reason, format!("{what}: {detail}")));
    if envelope.payload_type != kind.payload_type() {
        return refuse(Reason::WrongType, format!("the signed type is not {}", kind.payload_type()));
    }
    if envelope.payload.len() > kind.max_payload() {
        let detail = format!("the payload has more than {} octets", kind.max_payload());
        return refuse(Reason::TooLarge, detail);
    }
    if envelope.signatures.len() > MAX_SIGNATURES {
        return refuse(Reason::TooLarge, format!("there are more than {MAX_SIGNATURES} signatures"));
    }
    if envelope.signatures.is_empty() {
        return refuse(Reason::Unsigned, "there is no signature".to_owned());
    }
    let role = root.role(kind.role());
    let message = envelope.signed_octets();
    let (mut counted, mut of_other_roles) = (0usize, 0usize);
    for (index, signature) in envelope.signatures.iter().enumerate() {
        let before = envelope.signatures.get(..index).unwrap_or_default();
        if before.iter().any(|earlier| earlier.key == signature.key) {
            return refuse(Reason::DuplicateSignature, format!("key {} signed twice", signature.key));
        }
        let Some(key) = root.keys.get(&signature.key) else { continue };
        if !role.keys.contains(&signature.key) {
            of_other_roles += 1;
        } else if key.signed(&message, &signature.octets) {
            counted += 1;
        } else {
            let detail = format!("the signature of key {} does not fit", signature.key);
            return refuse(Reason::BadSignature, detail);
        }
    }
    if counted >= role.threshold {
        return Ok(());
    }
    let wanted = format!("{counted} of {} signatures by keys of role {}", role.threshold, kind.role().name());
    let reason = match (counted, of_other_roles) {
        (_, 1..) => Reason::WrongRole,
        (0, 0) => Reason::UnknownKey,
        (_, 0) => Reason::TooFewSignatures,
    };
    refuse(reason, wanted)
}
