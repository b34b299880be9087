//! `picket trust`: keys and roots.
#![expect(clippy::disallowed_methods, reason = "documents say when they were made")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::args::update::{Passphrase, SignFile, Trust, TrustInit, TrustKey, TrustRotate, TrustShow};
use crate::error::{ExitError, sysexits};
use crate::update::document::{Moment, Role, RoleKeys, Roles, Root};
use crate::update::keyfile::{self, KeyFault, MAX_KEY_FILE};
use crate::update::read_at_most;
use crate::update::reason::Refusal;
use crate::update::signing::SigningKey;
use crate::update::trust::{Envelope, Kind, PublicKey, SignedRoot, verify};

const DAY: u64 = 86_400;

pub(super) fn run(args: &Trust) -> Result<(), ExitError> {
    match args {
        Trust::Init(init) => make(init),
        Trust::Key(key) => make_key(key),
        Trust::Rotate(rotate) => follow(rotate),
        Trust::Sign(sign) => sign_root(sign),
        Trust::Timestamp(timestamp) => super::release::timestamp(timestamp),
        Trust::Show(show) => print(show),
    }
}

fn make(args: &TrustInit) -> Result<(), ExitError> {
    if args.root_threshold > args.root_keys || args.model_threshold > args.model_keys {
        return Err(ExitError::new(sysexits::USAGE, "trust init: a threshold is above the number of keys"));
    }
    fs::create_dir_all(&args.folder).map_err(|error| ExitError::file("trust init", &args.folder, &error))?;
    let passphrase = Passphrases::of(args.passphrase).new_one()?;
    let mut keys = BTreeMap::new();
    let mut signers = Vec::new();
    let mut role = |role: Role, count: u8, threshold: u8| -> Result<RoleKeys, ExitError> {
        let mut ids = BTreeSet::new();
        for number in 1..=count {
            let path = args.folder.join(format!("{}-{number}.key", role.name()));
            let key = new_key(&path, &passphrase)?;
            ids.insert(key.public().id());
            keys.insert(key.public().id(), *key.public());
            if role == Role::Root {
                signers.push(key);
            }
        }
        Ok(RoleKeys { keys: ids, threshold: threshold.into() })
    };
    let roles = Roles {
        root: role(Role::Root, args.root_keys, args.root_threshold)?,
        model: role(Role::Model, args.model_keys, args.model_threshold)?,
        timestamp: role(Role::Timestamp, 1, 1)?,
    };
    let issued = now();
    let root = Root {
        schema: Root::SCHEMA.to_owned(),
        version: 1,
        issued,
        expires: issued.after(args.days * DAY),
        keys,
        roles,
        floor: 0,
    };
    let mut envelope = to_envelope(&root)?;
    signers.iter().for_each(|key| key.sign(&mut envelope));
    let path = args.folder.join("1.root.json");
    write_new(&path, format!("{}\n", json(&envelope)?).as_bytes(), 0o644)?;
    describe(&root);
    Ok(())
}

fn make_key(args: &TrustKey) -> Result<(), ExitError> {
    let passphrase = Passphrases::of(args.passphrase).new_one()?;
    let key = new_key(&args.file, &passphrase)?;
    // A closed stdout means that nobody reads.
    let _ = writeln!(io::stdout(), "{:?}\nid {}", key.public(), key.public().id());
    Ok(())
}

fn follow(args: &TrustRotate) -> Result<(), ExitError> {
    let old = read_root(&args.root)?.root;
    let issued = now();
    let mut root = Root {
        version: old.version + 1,
        issued,
        expires: issued.after(args.days * DAY),
        floor: args.floor.unwrap_or(old.floor),
        ..old.clone()
    };
    if root.floor < old.floor {
        let what = format!("trust rotate: the floor is {} and cannot be lowered", old.floor);
        return Err(ExitError::new(sysexits::USAGE, what));
    }
    for id in &args.remove {
        if root.keys.remove(id).is_none() {
            return Err(ExitError::new(sysexits::DATAERR, format!("trust rotate: no key {id} in the root")));
        }
        for role in [&mut root.roles.root, &mut root.roles.model, &mut root.roles.timestamp] {
            role.keys.remove(id);
        }
    }
    for (role, octets) in &args.add {
        let key = PublicKey::from_octets(octets.0)
            .map_err(|weak| ExitError::new(sysexits::DATAERR, format!("trust rotate: {octets}: {weak}")))?;
        root.keys.insert(key.id(), key);
        let role = match role.as_str() {
            "root" => &mut root.roles.root,
            "model" => &mut root.roles.model,
            _ => &mut root.roles.timestamp,
        };
        role.keys.insert(key.id());
    }
    root.check().map_err(|refusal| refused("trust rotate", &args.out, &refusal))?;
    let mut envelope = to_envelope(&root)?;
    for key in open_keys(&args.keys, args.passphrase)? {
        key.sign(&mut envelope);
    }
    write_new(&args.out, format!("{}\n", json(&envelope)?).as_bytes(), 0o644)?;
    describe(&root);
    for (under, what) in [(&old, "the old root"), (&root, "the new root")] {
        let line = match verify(&envelope, Kind::Root, under) {
            Ok(()) => format!("{what} accepts it"),
            Err(refusal) => format!("{what} does not accept it yet: {refusal}"),
        };
        let _ = writeln!(io::stdout(), "{line}");
    }
    Ok(())
}

fn sign_root(args: &SignFile) -> Result<(), ExitError> {
    let octets = read_file(&args.file, Kind::Root.max_envelope() as u64)?;
    let mut envelope =
        Envelope::read(Kind::Root, &octets).map_err(|r| refused("trust sign", &args.file, &r))?;
    for key in open_keys(&args.keys, args.passphrase)? {
        key.sign(&mut envelope);
    }
    replace(&args.file, format!("{}\n", json(&envelope)?).as_bytes())
}

fn print(args: &TrustShow) -> Result<(), ExitError> {
    let signed = read_root(&args.root)?;
    describe(&signed.root);
    for signature in &signed.envelope.signatures {
        let _ = writeln!(io::stdout(), "signed by: {}", signature.key);
    }
    Ok(())
}

fn describe(root: &Root) {
    let mut text = format!(
        "version:   {}\nissued:    {}\nexpires:   {}\nfloor:     {}\n",
        root.version, root.issued, root.expires, root.floor
    );
    for role in [Role::Root, Role::Model, Role::Timestamp] {
        let RoleKeys { keys, threshold } = root.role(role);
        text += &format!("{}: {threshold} of {}\n", role.name(), keys.len());
        for id in keys {
            text += &format!("  {id}\n");
        }
    }
    // A closed stdout means that nobody reads.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// A root that its own keys signed.
pub(super) fn read_root(path: &Path) -> Result<SignedRoot, ExitError> {
    let octets = read_file(path, Kind::Root.max_envelope() as u64)?;
    SignedRoot::from_file(&octets).map_err(|refusal| refused("root", path, &refusal))
}

fn new_key(path: &Path, passphrase: &[u8]) -> Result<SigningKey, ExitError> {
    let (key, file) = keyfile::generate(passphrase).map_err(|fault| key_fault(path, fault))?;
    write_new(path, file.as_bytes(), 0o600)?;
    Ok(key)
}

/// Opens key files, each with the passphrase that is asked for it.
pub(super) fn open_keys(paths: &[PathBuf], passphrase: Passphrase) -> Result<Vec<SigningKey>, ExitError> {
    let mut passphrases = Passphrases::of(passphrase);
    let open = |path: &PathBuf| {
        let pem = Zeroizing::new(read_file(path, MAX_KEY_FILE)?);
        let pem = str::from_utf8(&pem).map_err(|_| key_fault(path, KeyFault::NotAKey))?;
        keyfile::open(pem, &passphrases.of_key(path)?).map_err(|fault| key_fault(path, fault))
    };
    paths.iter().map(open).collect()
}

fn key_fault(path: &Path, fault: KeyFault) -> ExitError {
    let (code, hint) = match fault {
        KeyFault::NotEncrypted => (sysexits::DATAERR, "encrypt it: openssl pkcs8 -topk8 -scrypt"),
        KeyFault::Passphrase => (sysexits::NOPERM, "try again"),
        KeyFault::TooShort => (sysexits::USAGE, "use several words"),
        KeyFault::NoRandom => (sysexits::UNAVAILABLE, ""),
        KeyFault::NotAKey | KeyFault::TooCostly | KeyFault::NotEd25519 => {
            (sysexits::DATAERR, "make one by picket trust key")
        }
    };
    ExitError::new(code, format!("key {}: {fault}", path.display())).hint(hint)
}

/// Where passphrases come from: the terminal without echo, or standard input. Never arguments or the environment.
struct Passphrases {
    stdin: bool,
}

impl Passphrases {
    const fn of(args: Passphrase) -> Self {
        Self { stdin: args.passphrase_stdin }
    }

    fn of_key(&mut self, path: &Path) -> Result<Zeroizing<Vec<u8>>, ExitError> {
        self.ask(&format!("Passphrase of {}: ", path.display()))
    }

    fn new_one(&mut self) -> Result<Zeroizing<Vec<u8>>, ExitError> {
        let first = self.ask("New passphrase: ")?;
        if !self.stdin && first != self.ask("Again: ")? {
            return Err(ExitError::new(sysexits::USAGE, "passphrase: the two differ").hint("try again"));
        }
        Ok(first)
    }

    fn ask(&mut self, prompt: &str) -> Result<Zeroizing<Vec<u8>>, ExitError> {
        let failed = |error: &io::Error| {
            let what = format!("passphrase: {}", crate::error::plain(error));
            ExitError::new(sysexits::NOINPUT, what).hint("use a terminal, or --passphrase-stdin")
        };
        if !self.stdin {
            let text = rpassword::prompt_password(prompt).map_err(|error| failed(&error))?;
            return Ok(Zeroizing::new(text.into_bytes()));
        }
        let mut line = Zeroizing::new(Vec::with_capacity(1024));
        let read = io::stdin().lock().take(1024).read_until(b'\n', &mut line).map_err(|e| failed(&e))?;
        if read == 0 {
            return Err(failed(&io::ErrorKind::UnexpectedEof.into()));
        }
        while line.last().is_some_and(|octet| matches!(octet, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(line)
    }
}

/// The time of documents.
pub(super) fn now() -> Moment {
    Moment(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

fn to_envelope(root: &Root) -> Result<Envelope, ExitError> {
    let payload = serde_json::to_vec(root)
        .map_err(|error| ExitError::new(sysexits::SOFTWARE, format!("root: {error}")))?;
    Ok(Envelope::unsigned(Kind::Root, payload))
}

fn json(envelope: &Envelope) -> Result<String, ExitError> {
    envelope.to_json().map_err(|refusal| ExitError::new(sysexits::SOFTWARE, refusal.to_string()))
}

/// How a document of the operator's is refused.
pub(super) fn refused(what: &str, path: &Path, refusal: &Refusal) -> ExitError {
    ExitError::new(sysexits::DATAERR, format!("{what}: {}: {refusal}", path.display()))
}

/// A file of at most `limit` octets.
pub(super) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, ExitError> {
    let octets = read_at_most(path, limit).map_err(|error| ExitError::file("read", path, &error))?;
    if octets.len() as u64 > limit {
        let what = format!("read: {}: more than {limit} octets", path.display());
        return Err(ExitError::new(sysexits::DATAERR, what));
    }
    Ok(octets)
}

/// Writes a file that must not exist: a key is never overwritten.
pub(super) fn write_new(path: &Path, octets: &[u8], mode: u32) -> Result<(), ExitError> {
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(octets)?;
        file.sync_all()
    };
    write().map_err(|error| ExitError::file("write", path, &error))
}

/// Replaces a file in one step.
pub(super) fn replace(path: &Path, octets: &[u8]) -> Result<(), ExitError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    write_new(&new, octets, 0o644)?;
    fs::rename(&new, path).map_err(|error| ExitError::file("write", path, &error))
}
