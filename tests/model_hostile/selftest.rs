//! The same files, rightly signed, through the self-test as a gateway runs it: helper, child, limits, cage.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use picket::features::FeatureVector;
use picket::features::schema::HOST;
use picket::model::OnnxScorer;
use picket::update::bundle::Bundle;
use picket::update::digest::Digest;
use picket::update::document::{
    Artifact, Compat, GoldenRow, MAX_GOLDEN_ROWS, Manifest, Moment, Probation, SelfTest,
};
use picket::update::trust::{Envelope, Kind};
use prost::Message as _;
use serde_json::Value;

use crate::case::Case;
use crate::model_support::good;
use crate::model_support::kinds::every_kind;
use crate::{hand_made, mutated};

/// Files that go through it; all there are, and as many mutated ones, where this says so.
const COUNT: &str = "PICKET_HOSTILE_FILES";
/// By default.
const FEW: usize = 24;

/// A manifest that fits the valid model, for a file of these octets.
fn manifest(octets: &[u8]) -> Manifest {
    let mut scorer = OnnxScorer::from_bytes(&good().encode_to_vec()).unwrap();
    let info = scorer.info().clone();
    let mut classes = vec!["benign".to_owned()];
    classes.extend(info.reported.iter().map(|reported| reported.class.name().to_owned()));
    let row = |number: u16| {
        let mut vector = FeatureVector::ZERO;
        vector.values[..HOST.width()].fill(f32::from(number));
        let probs = scorer.explain(&vector).unwrap();
        GoldenRow { x: vector.values[..HOST.width()].to_vec(), probs }
    };
    let rows: Vec<GoldenRow> = (0..4).map(row).collect();
    assert!(rows.len() <= MAX_GOLDEN_ROWS);
    Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        release: 7,
        name: info.name.clone(),
        version: info.version,
        issued: Moment(1),
        expires: Moment(2),
        floor: 0,
        artifact: Artifact { sha256: Digest::of(octets), length: octets.len() as u64, urls: Vec::new() },
        compat: Compat {
            format: "onnx".to_owned(),
            schema: format!("{}/{}", HOST.name, HOST.version),
            schema_hash: HOST.hash().to_string(),
            min_daemon: "0.1.0".to_owned(),
            classes,
        },
        self_test: SelfTest {
            tolerance: 0.001,
            rows,
            max_load_ms: 60_000,
            max_row_us: 1_000_000,
            max_memory_kib: 128 << 10,
        },
        probation: Probation {
            shadow_rows: 1,
            shadow_seconds: 1,
            active_seconds: 1,
            attempts: 1,
            max_alert_ratio: 2.0,
        },
    }
}

/// The daemon's end of the helper.
struct Helper {
    process: Child,
    socket: BufReader<UnixStream>,
    folder: PathBuf,
}

impl Helper {
    fn start(folder: &Path, max_row_us: u64, max_memory_kib: u64) -> Self {
        let (here, there) = UnixStream::pair().unwrap();
        // Far beyond the limit of the helper itself.
        here.set_read_timeout(Some(Duration::from_mins(10))).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_picket"))
            .args(["model", "self-test", "--serve", "--max-row-us", &max_row_us.to_string()])
            .args(["--max-memory-kib", &max_memory_kib.to_string()])
            .arg(folder)
            .stdin(OwnedFd::from(there))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, socket: BufReader::new(here), folder: folder.to_owned() }
    }

    /// Reason and words of the self-test of this file; no reason when it passed.
    fn try_file(&mut self, manifest: Manifest, octets: &[u8]) -> (Option<String>, String) {
        let envelope = Envelope::unsigned(Kind::Manifest, serde_json::to_vec(&manifest).unwrap());
        let sha256 = Digest::of(&envelope.payload);
        let bundle = Bundle { manifest, sha256, envelope, model: octets.to_vec() };
        fs::write(self.folder.join("A"), bundle.to_octets().unwrap()).unwrap();
        self.socket.get_mut().write_all(b"A").unwrap();
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        (answer["reason"].as_str().map(str::to_owned), answer["detail"].as_str().unwrap().to_owned())
    }

    /// Processes that it has started and that are still there, or not waited for.
    fn children(&self) -> usize {
        let id = self.process.id();
        fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap().split_whitespace().count()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.socket.get_mut().shutdown(std::net::Shutdown::Both).unwrap();
        // It ends by itself when the daemon is gone.
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn each_limit_has_its_own_reason() {
    let folder = tempfile::tempdir().unwrap();
    let octets = good().encode_to_vec();
    let right = || manifest(&octets);
    let of = |limits: (u64, u64), manifest| {
        let (reason, detail) = Helper::start(folder.path(), limits.0, limits.1).try_file(manifest, &octets);
        println!("{}: {detail}", reason.as_deref().unwrap_or("passed"));
        reason
    };
    let wide = (1_000_000, 128 << 10);
    assert_eq!(of(wide, right()), None);
    assert_eq!(of((0, wide.1), right()).as_deref(), Some("too_slow"));
    assert_eq!(of((wide.0, 1), right()).as_deref(), Some("too_much_memory"));
    let mut wrong = right();
    wrong.self_test.rows[0].probs.rotate_left(1);
    assert_eq!(of(wide, wrong).as_deref(), Some("golden_vectors"));
    let mut another = right();
    another.compat.classes.truncate(2);
    another.self_test.rows.iter_mut().for_each(|row| row.probs.truncate(2));
    assert_eq!(of(wide, another).as_deref(), Some("model_refused"));
}

#[test]
fn hostile_files_neither_crash_it_nor_hang_it() {
    let all = std::env::var(COUNT).is_ok();
    let count: usize = std::env::var(COUNT).map_or(FEW, |count| count.parse().unwrap());
    let mut files: Vec<(String, Vec<u8>)> =
        hand_made().into_iter().map(|Case { what, bytes, .. }| (what.to_owned(), bytes)).collect();
    let hand_made = if all { files.len() } else { count / 2 };
    let step = files.len() / hand_made;
    files = files.into_iter().step_by(step).take(hand_made).collect();
    let wholes = every_kind().map(|(_, model)| model.encode_to_vec());
    let mut next = crate::random();
    while files.len() < count {
        let round = files.len();
        files.push((format!("round {round}"), mutated(&wholes[round % wholes.len()], &mut next)));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut helper = Helper::start(folder.path(), 1_000_000, 128 << 10);
    let mut reasons = std::collections::BTreeMap::<String, usize>::new();
    for (what, octets) in files.iter().filter(|(_, octets)| !octets.is_empty()) {
        let (reason, detail) = helper.try_file(manifest(octets), octets);
        let reason = reason.unwrap_or_else(|| "passed".to_owned());
        let is_refused = ["model_refused", "golden_vectors", "passed", "scoring_failed", "too_large"]
            .contains(&reason.as_str());
        assert!(is_refused, "{what}: {reason}: {detail}");
        *reasons.entry(reason).or_default() += 1;
    }
    assert_eq!(helper.children(), 0, "each was waited for");
    println!("{} files through the self-test: {reasons:?}", files.len());
}

/// Whoever loses its parent is gone at once.
#[test]
fn nobody_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let octets = good().encode_to_vec();
    let mut helper = Helper::start(folder.path(), 1_000_000, 128 << 10);
    assert_eq!(helper.try_file(manifest(&octets), &octets).0, None);
    // Cannot be asked any more: the daemon is gone. It ends, which `Drop` waits for.
    drop(helper);
}
