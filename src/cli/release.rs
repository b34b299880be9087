//! `picket model bundle`, `sign` and `verify`: a model becomes a release.

use std::io::{self, Write as _};

use super::args::update::{ModelBundle, ModelVerify, SignFile, TrustTimestamp};
use super::trust::{now, open_keys, read_file, read_root, refused, replace, write_new};
use crate::error::{ExitError, sysexits};
use crate::model::OnnxScorer;
use crate::model::golden::{self, Golden};
use crate::update::MAX_MODEL_BYTES;
use crate::update::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::update::digest::Digest;
use crate::update::document::{
    Artifact, Compat, GoldenRow, MAX_GOLDEN_ROWS, Manifest, Probation, SelfTest, Timestamp,
};
use crate::update::trust::{Envelope, Kind, verify};

const DAY: u64 = 86_400;
/// What a model of ours may cost; a gateway's own limits may be narrower.
const MAX_LOAD_MS: u64 = 5000;
const MAX_ROW_US: u64 = 2000;
const MAX_MEMORY_KIB: u64 = 128 << 10;

pub(super) fn bundle(args: &ModelBundle) -> Result<(), ExitError> {
    let model = read_file(&args.model, MAX_MODEL_BYTES)?;
    let mut scorer = OnnxScorer::load(&args.model)?;
    let golden_fault = |fault: golden::GoldenFault| {
        ExitError::new(sysexits::DATAERR, format!("model bundle: {}: {fault}", args.golden.display()))
            .hint("give the golden vectors that were exported with the model")
    };
    let golden = Golden::load(&args.golden).map_err(golden_fault)?;
    // What does not hold here is not signed.
    golden::self_test(&mut scorer, &golden).map_err(golden_fault)?;
    let info = scorer.info();
    let issued = now();
    let step = golden.rows.len().div_ceil(MAX_GOLDEN_ROWS).max(1);
    let rows = golden.rows.iter().step_by(step);
    let mut classes = vec!["benign".to_owned()];
    classes.extend(info.reported.iter().map(|reported| reported.class.name().to_owned()));
    let manifest = Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        release: args.release,
        name: info.name.clone(),
        version: info.version.clone(),
        issued,
        expires: issued.after(args.days * DAY),
        floor: args.floor,
        artifact: Artifact {
            sha256: Digest::of(&model),
            length: model.len() as u64,
            urls: args.urls.clone(),
        },
        compat: Compat {
            format: "onnx".to_owned(),
            schema: format!("{}/{}", info.schema.name, info.schema.version),
            schema_hash: info.schema.hash().to_string(),
            min_daemon: env!("CARGO_PKG_VERSION").to_owned(),
            classes,
        },
        self_test: SelfTest {
            tolerance: golden.tolerance,
            rows: rows.map(|row| GoldenRow { x: row.x.clone(), probs: row.probs.clone() }).collect(),
            max_load_ms: MAX_LOAD_MS,
            max_row_us: MAX_ROW_US,
            max_memory_kib: MAX_MEMORY_KIB,
        },
        probation: Probation {
            shadow_rows: args.shadow_rows,
            shadow_seconds: args.shadow_seconds,
            active_seconds: args.probation,
            attempts: 3,
            max_alert_ratio: 4.0,
        },
    };
    let payload = serde_json::to_vec(&manifest)
        .map_err(|error| ExitError::new(sysexits::SOFTWARE, format!("manifest: {error}")))?;
    // Read back: what is written is what will be accepted.
    let manifest =
        Manifest::read(&payload).map_err(|refusal| refused("model bundle", &args.out, &refusal))?;
    let envelope = Envelope::unsigned(Kind::Manifest, payload);
    let bundle = Bundle { manifest, sha256: Digest::of(&envelope.payload), envelope, model };
    write_new(&args.out, &octets(&bundle)?, 0o644)?;
    describe(&bundle);
    Ok(())
}

pub(super) fn sign(args: &SignFile) -> Result<(), ExitError> {
    let octets_read = read_file(&args.file, MAX_BUNDLE_BYTES)?;
    let mut bundle = Bundle::read(&octets_read).map_err(|r| refused("model sign", &args.file, &r))?;
    // Whoever signs sees what.
    describe(&bundle);
    for key in open_keys(&args.keys, args.passphrase)? {
        key.sign(&mut bundle.envelope);
    }
    replace(&args.file, &octets(&bundle)?)?;
    // A closed stdout means that nobody reads.
    let _ = writeln!(io::stdout(), "signed:     {} signatures now", bundle.envelope.signatures.len());
    Ok(())
}

pub(super) fn timestamp(args: &TrustTimestamp) -> Result<(), ExitError> {
    const WHAT: &str = "trust timestamp";
    let root = read_root(&args.root)?.root;
    let bundle = Bundle::read(&read_file(&args.bundle, MAX_BUNDLE_BYTES)?)
        .map_err(|refusal| refused(WHAT, &args.bundle, &refusal))?;
    // Nobody is told of a release that no sensor takes.
    verify(&bundle.envelope, Kind::Manifest, &root).map_err(|r| refused(WHAT, &args.bundle, &r))?;
    let issued = now();
    let timestamp = Timestamp {
        schema: Timestamp::SCHEMA.to_owned(),
        seq: args.seq.unwrap_or(issued.0),
        issued,
        expires: issued.after(args.days * DAY),
        root_version: root.version,
        release: bundle.manifest.release,
        manifest_sha256: bundle.sha256,
    };
    timestamp.check().map_err(|refusal| refused(WHAT, &args.out, &refusal))?;
    let failed = |text: String| ExitError::new(sysexits::SOFTWARE, format!("{WHAT}: {text}"));
    let payload = serde_json::to_vec(&timestamp).map_err(|error| failed(error.to_string()))?;
    let mut envelope = Envelope::unsigned(Kind::Timestamp, payload);
    for key in open_keys(&args.keys, args.passphrase)? {
        key.sign(&mut envelope);
    }
    verify(&envelope, Kind::Timestamp, &root).map_err(|refusal| refused(WHAT, &args.out, &refusal))?;
    let json = envelope.to_json().map_err(|refusal| failed(refusal.to_string()))?;
    write_new(&args.out, format!("{json}\n").as_bytes(), 0o644)?;
    let Timestamp { seq, release, expires, .. } = timestamp;
    // A closed stdout means that nobody reads.
    let _ = writeln!(io::stdout(), "release {release} is the newest, says timestamp {seq} until {expires}");
    Ok(())
}

pub(super) fn verify_bundle(args: &ModelVerify) -> Result<(), ExitError> {
    let root = read_root(&args.root)?.root;
    let octets = read_file(&args.bundle, MAX_BUNDLE_BYTES)?;
    let bundle = Bundle::read(&octets).map_err(|r| refused("model verify", &args.bundle, &r))?;
    describe(&bundle);
    verify(&bundle.envelope, Kind::Manifest, &root).map_err(|r| refused("model verify", &args.bundle, &r))?;
    let now = now();
    for (what, expires) in [("the root", root.expires), ("the release", bundle.manifest.expires)] {
        if expires <= now {
            let text = format!("model verify: {}: {what} expired at {expires}", args.bundle.display());
            return Err(ExitError::new(sysexits::DATAERR, text));
        }
    }
    if bundle.manifest.release < root.floor {
        let text =
            format!("model verify: {}: below the floor {} of the root", args.bundle.display(), root.floor);
        return Err(ExitError::new(sysexits::DATAERR, text));
    }
    OnnxScorer::from_bytes(&bundle.model).map_err(|fault| {
        ExitError::new(sysexits::DATAERR, format!("model verify: {}: {fault}", args.bundle.display()))
    })?;
    let _ = writeln!(io::stdout(), "verified under root {}", root.version);
    Ok(())
}

fn octets(bundle: &Bundle) -> Result<Vec<u8>, ExitError> {
    bundle.to_octets().map_err(|refusal| ExitError::new(sysexits::SOFTWARE, refusal.to_string()))
}

fn describe(bundle: &Bundle) {
    let Manifest { release, name, version, issued, expires, floor, artifact, compat, .. } = &bundle.manifest;
    // A closed stdout means that nobody reads.
    let _ = writeln!(
        io::stdout(),
        "release:    {release}\nmodel:      {name} {version}, {} octets\nsha256:     {}\nmanifest:   {}\nschema:     {} \
         ({})\nissued:     {issued}\nexpires:    {expires}\nfloor:      {floor}\nsignatures: {}",
        artifact.length,
        artifact.sha256,
        bundle.sha256,
        compat.schema,
        compat.schema_hash,
        bundle.envelope.signatures.len()
    );
}
