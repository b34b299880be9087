//! The command line of the operator's side of updates: keys, roots, releases.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::update::digest::Digest;

/// `picket trust`
#[derive(Subcommand, Debug)]
pub enum Trust {
    /// Make keys and the first root
    Init(TrustInit),
    /// Make one more key
    Key(TrustKey),
    /// Make the root that follows
    Rotate(TrustRotate),
    /// Add signatures to a root
    Sign(SignFile),
    /// Sign that a release is the newest
    Timestamp(TrustTimestamp),
    /// Print who may sign what under a root
    Show(TrustShow),
}

/// How passphrases are read.
#[derive(Args, Clone, Copy, Debug)]
pub struct Passphrase {
    /// Read passphrases from standard input, one a line, instead of asking
    #[arg(long)]
    pub passphrase_stdin: bool,
}

/// `picket trust init`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket trust init trust/
  picket trust init --model-keys 2 --model-threshold 2 trust/

Writes root-1.key ..., model-1.key ..., timestamp-1.key and 1.root.json. Keys are encrypted with one
passphrase; take them apart and change it: openssl pkcs8 -topk8 -scrypt. Only 1.root.json goes to the
gateways.")]
pub struct TrustInit {
    /// Folder for the files
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// Keys that may sign roots
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=8))]
    pub root_keys: u8,

    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=8))]
    pub root_threshold: u8,

    /// Keys that may sign models
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub model_keys: u8,

    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub model_threshold: u8,

    /// Days until the root expires
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub days: u64,

    /// Passphrases.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `picket trust key`
#[derive(Args, Debug)]
pub struct TrustKey {
    /// Where to write it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Passphrases.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `picket trust rotate`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  picket trust rotate --out 2.root.json --key root-1.key --key root-2.key 1.root.json
  picket trust rotate --out 2.root.json --key root-1.key --key root-3.key --floor 12 \\
      --remove 7f83...9069 --add model=ca97...48bb 1.root.json

The new root must be signed as the old one and as itself ask for: add what is missing by
picket trust sign.")]
pub struct TrustRotate {
    /// The root in force
    #[arg(value_name = "ROOT")]
    pub root: PathBuf,

    /// Where to write the new one
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Take a key in: ROLE=PUBLICKEY, the role being root, model or timestamp
    #[arg(long, value_name = "ROLE=KEY", value_parser = addition)]
    pub add: Vec<(String, Digest)>,

    /// Take a key out, by its id
    #[arg(long, value_name = "ID")]
    pub remove: Vec<Digest>,

    /// Neither install nor run releases below N any more
    #[arg(long, value_name = "N")]
    pub floor: Option<u64>,

    /// Days until it expires
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub days: u64,

    /// Key to sign with; may be given several times
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,

    /// Passphrases.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `picket trust timestamp`
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  picket trust timestamp --key timestamp-1.key --root 1.root.json --out 7.timestamp.json 7.bundle

Sensors install only what a timestamp in time names the newest: make a new one before this one expires.")]
pub struct TrustTimestamp {
    /// The release, signed
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,

    /// The root in force
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,

    /// Key to sign with
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,

    /// Where to write it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Number, higher than that of every one before [default: the seconds since 1970]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 53))]
    pub seq: Option<u64>,

    /// Days until it expires
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=90))]
    pub days: u64,

    /// Passphrases.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `picket trust show`
#[derive(Args, Debug)]
pub struct TrustShow {
    /// The root
    #[arg(value_name = "ROOT")]
    pub root: PathBuf,
}

/// `picket trust sign`, `picket model sign`
#[derive(Args, Debug)]
pub struct SignFile {
    /// The file; it is replaced by the signed one
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Key to sign with; may be given several times
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,

    /// Passphrases.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// `picket model bundle`
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  picket model bundle --release 7 --golden models/golden/default.json --out 7.bundle models/default.onnx")]
pub struct ModelBundle {
    /// The model
    #[arg(value_name = "ONNX")]
    pub model: PathBuf,

    /// Number of the release; higher than every one before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 53))]
    pub release: u64,

    /// Golden vectors, as training writes them
    #[arg(long, value_name = "FILE")]
    pub golden: PathBuf,

    /// Where to write the bundle
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Where the model can be fetched by HTTPS, besides the broker; may be given several times
    #[arg(long = "url", value_name = "URL")]
    pub urls: Vec<String>,

    /// Once this release is kept, install nothing below N any more
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub floor: u64,

    /// Days until it is not installed any more
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub days: u64,

    /// Rows to score beside the old model first
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub shadow_rows: u64,

    /// Seconds after which that ends on a quiet network
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub shadow_seconds: u64,

    /// Seconds in use until it is kept
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(..=604_800))]
    pub probation: u64,
}

/// `picket model verify`
#[derive(Args, Debug)]
pub struct ModelVerify {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,

    /// The root
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
}

/// A role and a public key.
fn addition(text: &str) -> Result<(String, Digest), String> {
    let (role, key) = text.split_once('=').ok_or("is not ROLE=PUBLICKEY")?;
    if !["root", "model", "timestamp"].contains(&role) {
        return Err("the role is none of root, model, timestamp".into());
    }
    Ok((role.to_owned(), key.parse().map_err(|_| "the public key has 64 hexadecimal digits")?))
}

/// `picket model self-test`
#[derive(Args, Debug)]
pub struct ModelSelfTest {
    /// The slot's file; with --serve the folder of the slots
    #[arg(value_name = "PATH")]
    pub path: PathBuf,

    /// Serve the daemon at the other end of standard input
    #[arg(long)]
    pub serve: bool,

    /// Time for one row
    #[arg(long, value_name = "US")]
    pub max_row_us: u64,

    /// Memory
    #[arg(long, value_name = "KIB")]
    pub max_memory_kib: u64,
}
