//! Private keys as files: PKCS#8 in PEM, encrypted by a passphrase (PBES2, scrypt, AES-256-CBC), as OpenSSL writes
//! and reads them.

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::{EncryptionScheme, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::signing::SigningKey;

const LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// Cost of scrypt: 16 MiB, five times over. Opens in every OpenSSL, which takes no more than 32 MiB, and costs an
/// attacker as much as 2^17 once (OWASP, Password Storage).
const COST: (u8, u32, u32) = (14, 8, 5);
/// What a foreign key file may cost here: memory in octets, and passes.
const MAX_MEMORY: u64 = 256 << 20;
const MAX_PASSES: u32 = 16;
const MAX_ITERATIONS: u32 = 10_000_000;
/// Shortest passphrase for a new key, in octets.
pub const MIN_PASSPHRASE: usize = 12;
/// Largest key file read, in octets.
pub const MAX_KEY_FILE: u64 = 4 << 10;
/// An Ed25519 private key in PKCS#8 version 1, up to the seed (RFC 8410, section 7).
const PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Why a key file cannot be used. Never says anything of its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyFault {
    /// Not a PEM file with an encrypted key.
    #[error("not an encrypted private key in PEM")]
    NotAKey,
    /// A key without a passphrase.
    #[error("the key is not encrypted")]
    NotEncrypted,
    /// To open it would take too much memory or time.
    #[error("the key asks for too much work to be opened")]
    TooCostly,
    /// The passphrase is wrong, or the file is damaged.
    #[error("wrong passphrase, or a damaged file")]
    Passphrase,
    /// Another kind of key.
    #[error("not an Ed25519 key")]
    NotEd25519,
    /// Too short for a new key.
    #[error("a passphrase has at least {MIN_PASSPHRASE} octets")]
    TooShort,
    /// The system gives no random octets.
    #[error("the system gives no random octets")]
    NoRandom,
}

/// A new key, and its file.
///
/// # Errors
/// The passphrase is too short, or there are no random octets.
pub fn generate(passphrase: &[u8]) -> Result<(SigningKey, Zeroizing<String>), KeyFault> {
    if passphrase.len() < MIN_PASSPHRASE {
        return Err(KeyFault::TooShort);
    }
    let mut seed = Zeroizing::new([0; 32]);
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    for octets in [seed.as_mut_slice(), &mut salt, &mut iv] {
        getrandom::fill(octets).map_err(|_| KeyFault::NoRandom)?;
    }
    let key = SigningKey::from_seed(&seed).map_err(|_| KeyFault::NotEd25519)?;
    let file = seal(&seed, passphrase, &salt, iv).ok_or(KeyFault::NotAKey)?;
    Ok((key, file))
}

fn seal(seed: &[u8; 32], passphrase: &[u8], salt: &[u8], iv: [u8; 16]) -> Option<Zeroizing<String>> {
    let plain = Zeroizing::new([PREFIX.as_slice(), seed].concat());
    let cost = scrypt::Params::new(COST.0, COST.1, COST.2).ok()?;
    let parameters = Parameters::generate_scrypt_aes256cbc(cost, salt, iv).ok()?;
    let encrypted = parameters.encrypt(passphrase, &plain).ok()?;
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetStringRef::new(&encrypted).ok()?,
    };
    SecretDocument::try_from(info).ok()?.to_pem(LABEL, LineEnding::LF).ok()
}

/// Opens a key file.
///
/// # Errors
/// It is none, or the passphrase is wrong.
pub fn open(pem: &str, passphrase: &[u8]) -> Result<SigningKey, KeyFault> {
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyFault::NotAKey)?;
    if label == "PRIVATE KEY" {
        return Err(KeyFault::NotEncrypted);
    }
    let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|_| KeyFault::NotAKey)?;
    if label != LABEL || !is_affordable(&info.encryption_algorithm) {
        return Err(if label == LABEL { KeyFault::TooCostly } else { KeyFault::NotAKey });
    }
    let plain = info.decrypt(passphrase).map_err(|_| KeyFault::Passphrase)?;
    SigningKey::from_pkcs8(plain.as_bytes()).map_err(|_| KeyFault::NotEd25519)
}

fn is_affordable(scheme: &EncryptionScheme) -> bool {
    let EncryptionScheme::Pbes2(parameters) = scheme else { return false };
    match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let memory = scrypt.cost_parameter.saturating_mul(128 * u64::from(scrypt.block_size));
            memory <= MAX_MEMORY && u32::from(scrypt.parallelization) <= MAX_PASSES
        }
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MAX_ITERATIONS,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::update::trust::{Envelope, Kind};

    const PASSPHRASE: &[u8] = b"correct horse battery";

    #[test]
    fn sealed_and_opened() {
        let (key, file) = generate(PASSPHRASE).unwrap();
        assert!(file.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert_eq!(open(&file, PASSPHRASE).unwrap().public(), key.public());
        let (other, _) = generate(PASSPHRASE).unwrap();
        assert_ne!(key.public(), other.public());
        let mut envelope = Envelope::unsigned(Kind::Root, b"{}".to_vec());
        open(&file, PASSPHRASE).unwrap().sign(&mut envelope);
        assert!(key.public().signed(&envelope.signed_octets(), &envelope.signatures[0].octets));
    }

    #[test]
    fn what_is_no_key_of_ours() {
        let (_, file) = generate(PASSPHRASE).unwrap();
        assert_eq!(open(&file, b"wrong horse battery").unwrap_err(), KeyFault::Passphrase);
        assert_eq!(open("", PASSPHRASE).unwrap_err(), KeyFault::NotAKey);
        assert_eq!(
            open(&file.replace("ENCRYPTED PRIVATE KEY", "CERTIFICATE"), PASSPHRASE).unwrap_err(),
            KeyFault::NotAKey
        );
        let bare = file.replace("ENCRYPTED PRIVATE KEY", "PRIVATE KEY");
        assert_eq!(open(&bare, PASSPHRASE).unwrap_err(), KeyFault::NotEncrypted);
        assert_eq!(generate(b"short").unwrap_err(), KeyFault::TooShort);
    }

    #[test]
    fn a_key_file_that_would_eat_all_memory_is_not_tried() {
        // 2^21 blocks of 1 KiB: 2 GiB.
        let cost = scrypt::Params::new(21, 8, 1).unwrap();
        let parameters = Parameters::generate_scrypt_aes256cbc(cost, &[1; 16], [2; 16]).unwrap();
        let info = EncryptedPrivateKeyInfoRef {
            encryption_algorithm: parameters.into(),
            encrypted_data: OctetStringRef::new(&[0; 64]).unwrap(),
        };
        let pem = SecretDocument::try_from(info).unwrap().to_pem(LABEL, LineEnding::LF).unwrap();
        assert_eq!(open(&pem, PASSPHRASE).unwrap_err(), KeyFault::TooCostly);
    }

    /// Runs openssl with `input`, none where there is no openssl.
    fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(output.stdout)
    }

    #[test]
    fn openssl_reads_our_keys_and_we_read_its() {
        let (key, file) = generate(PASSPHRASE).unwrap();
        let pass = "pass:correct horse battery";
        let Some(public) = openssl(&["pkey", "-passin", pass, "-pubout", "-outform", "DER"], file.as_bytes())
        else {
            println!("skipped: no openssl");
            return;
        };
        assert_eq!(&public[public.len() - 32..], key.public().octets());
        let theirs = openssl(&["genpkey", "-algorithm", "ed25519"], b"").unwrap();
        for scheme in [&["-scrypt"][..], &["-v2", "aes-256-cbc"]] {
            let arguments = [&["pkcs8", "-topk8", "-passout", pass], scheme].concat();
            let sealed = openssl(&arguments, &theirs).unwrap();
            let opened = open(str::from_utf8(&sealed).unwrap(), PASSPHRASE).unwrap();
            let public = openssl(&["pkey", "-pubout", "-outform", "DER"], &theirs).unwrap();
            assert_eq!(&public[public.len() - 32..], opened.public().octets(), "{scheme:?}");
        }
    }
}
