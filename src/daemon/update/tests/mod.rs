//! The updating thread with everything real but its clock and the network: store on a disk, models, the pipeline's side of the
//! desk, and a transport in the same process.

mod attacks;
mod course;
mod kill;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::*;
use crate::detect::scorer::{Scorer as _, Verdict};
use crate::features::FeatureVector;
use crate::features::schema::HOST;
use crate::model::golden::Golden;
use crate::model::{LiveModels, ModelSet};
use crate::update::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::update::compat::{Device, Ways};
use crate::update::digest::Digest;
use crate::update::document::{
    Artifact, Compat, Desired, GoldenRow, Manifest, Moment, Probation, Reported, SelfTest, State,
};
use crate::update::mailbox::Origin;
use crate::update::selftest::{Limits, try_model};
use crate::update::slots::Store;
use crate::update::trust::fixture::{
    CLOCK, MODEL, NOW, TIMESTAMP, message, sign_manifest, sign_timestamp, timestamp, trust,
};

/// What a test is told in a process of its own, in its environment.
const ALONE: &str = "PICKET_ALONE";

/// One test of this folder, in a process in which no other runs.
fn alone(test: &str, told: impl AsRef<OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("daemon::update::tests::{test}"), "--nocapture"]).env(ALONE, told);
    command
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn default_model() -> Vec<u8> {
    std::fs::read(project("models/default.onnx")).unwrap()
}

/// What is right of a release with these octets, but for what describes the default model.
fn manifest(release: u64, model: &[u8]) -> Manifest {
    let info = OnnxScorer::load(&project("models/default.onnx")).unwrap().info().clone();
    let golden = Golden::load(&project("models/golden/default.json")).unwrap();
    let mut classes = vec!["benign".to_owned()];
    classes.extend(info.reported.iter().map(|reported| reported.class.name().to_owned()));
    Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        release,
        name: info.name,
        version: info.version,
        issued: Moment(NOW.0 - 86_400),
        expires: NOW.after(90 * 86_400),
        floor: release.min(3),
        artifact: Artifact { sha256: Digest::of(model), length: model.len() as u64, urls: Vec::new() },
        compat: Compat {
            format: "onnx".to_owned(),
            schema: format!("{}/{}", HOST.name, HOST.version),
            schema_hash: HOST.hash().to_string(),
            min_daemon: "0.1.0".to_owned(),
            classes,
        },
        self_test: SelfTest {
            tolerance: golden.tolerance,
            rows: golden
                .rows
                .iter()
                .take(8)
                .map(|row| GoldenRow { x: row.x.clone(), probs: row.probs.clone() })
                .collect(),
            max_load_ms: 60_000,
            max_row_us: 1_000_000,
            max_memory_kib: 1 << 20,
        },
        probation: Probation {
            shadow_rows: 20,
            shadow_seconds: 60,
            active_seconds: 30,
            attempts: 3,
            max_alert_ratio: 4.0,
        },
    }
}

/// A message about it, rightly signed.
fn desired_of(seq: u64, manifest: &Manifest) -> Desired {
    let envelope = sign_manifest(manifest, &MODEL);
    let stamp = timestamp(seq, &envelope, manifest.release);
    Desired {
        schema: Desired::SCHEMA.to_owned(),
        request: format!("request-{}", manifest.release),
        roots: Vec::new(),
        timestamp: sign_timestamp(&stamp, &TIMESTAMP),
        manifest: envelope,
        policy: crate::update::document::Policy::default(),
    }
}

/// A message about the default model under this number.
fn desired(seq: u64, release: u64) -> Desired {
    desired_of(seq, &manifest(release, &default_model()))
}

/// Tries models in this process: what a process of its own adds is tested where it is built.
struct InProcess {
    folder: PathBuf,
    begun: Option<Place>,
    outcome: Option<Result<(), Refusal>>,
}

impl Trial for InProcess {
    fn begin(&mut self, place: Place, _now_ms: u64) {
        self.begun = Some(place);
    }
    fn poll(&mut self, _now_ms: u64) -> Option<Result<String, Refusal>> {
        let place = self.begun.take()?;
        if let Some(outcome) = &self.outcome {
            return Some(outcome.clone().map(|()| String::new()));
        }
        let octets = std::fs::read(self.folder.join(place.file()?)).unwrap();
        assert!(octets.len() as u64 <= MAX_BUNDLE_BYTES);
        let bundle = Bundle::read(&octets).unwrap();
        let limits = Limits { max_row_us: 1_000_000, max_memory_kib: 1 << 20 };
        Some(try_model(&bundle.manifest, &bundle.model, limits))
    }
    fn is_alive(&self) -> bool {
        true
    }
}

fn device() -> Device {
    Device {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schemas: vec![(format!("{}/{}", HOST.name, HOST.version), HOST.hash().to_string())],
        max_model: 1 << 20,
        max_row_us: 1_000_000,
        max_memory_kib: 1 << 20,
        ways: Ways { blocks: true, https: false },
    }
}

/// The thread's work, step by step.
struct Rig {
    runner: Runner<InProcess>,
    live: LiveModels,
    at: At,
    folder: PathBuf,
}

impl Rig {
    fn new(folder: &Path) -> Self {
        let at = At { clock: CLOCK, uptime_ms: 1_000_000 };
        Self::start(folder, at)
    }

    /// A daemon that starts on what is in the folder.
    fn start(folder: &Path, at: At) -> Self {
        let (store, _) = Store::open(Folder::open(folder).unwrap(), &trust().root, Moment(NOW.0 - 1000));
        let trial = InProcess { folder: folder.to_owned(), begun: None, outcome: None };
        let fixed = Fixed {
            sensor: "gw-1".to_owned(),
            factory: Some(project("models/default.onnx")),
            taken: Vec::new(),
            stale_after: 14 * 86_400,
            trouble: None,
        };
        let board = Board::new("gw-1".parse().unwrap(), Vec::new(), crate::time::Timestamp::ZERO);
        let updater = Updater::new(store, device());
        let mut runner = Runner::new(updater, trial, Mailbox::new(), Desk::default(), board, None, fixed);
        let factory = OnnxScorer::load(&project("models/default.onnx")).unwrap();
        runner.handle(Event::Start, at);
        let live = LiveModels::new(ModelSet::empty(), Some(factory));
        Self { runner, live, at, folder: folder.to_owned() }
    }

    /// The process is gone without a word.
    fn crash(self) -> Self {
        let Self { runner, at, folder, .. } = self;
        drop(runner);
        Self::start(&folder, at)
    }

    /// One second, in which the pipeline scores some rows and looks at the desk.
    fn second(&mut self) {
        self.at.uptime_ms += 1000;
        self.at.clock.now = self.at.clock.now.after(1);
        if self.live.visit(&self.runner.desk) {
            assert!(self.live.models().len() <= 1);
        }
        if self.live.models().len() == 1 {
            let mut verdicts = [Verdict::NOTHING; 10];
            self.live.score(0, &[FeatureVector::ZERO; 10], &mut verdicts);
        }
        self.live.visit(&self.runner.desk);
        self.runner.step(None, self.at);
    }

    fn pass(&mut self, seconds: u32) {
        (0..seconds).for_each(|_| self.second());
    }

    /// A message comes, 10 s after the last one.
    fn send(&mut self, octets: &[u8]) {
        self.pass(10);
        self.runner.mailbox.desired(Origin::Sensor, octets);
        self.second();
    }

    /// Answers requests for blocks until none comes any more.
    fn serve(&mut self, model: &[u8]) {
        while let Some(get) = self.runner.mailbox.for_broker(Duration::ZERO).and_then(|out| out.get) {
            for index in get.blocks {
                let block = model.chunks(BLOCK_BYTES as usize).nth(index as usize).unwrap();
                assert!(self.runner.mailbox.block(&get.transfer, index, block));
            }
            self.second();
        }
    }

    fn reported(&self) -> Reported {
        self.runner.updater.reported("gw-1", self.at)
    }

    fn state(&self) -> (State, Option<Reason>) {
        let reported = self.reported();
        (reported.state, reported.reason)
    }

    /// The release in use.
    fn release(&self) -> u64 {
        self.reported().active.map_or(0, |active| active.release)
    }

    /// Until a release is kept, or given up.
    fn install(&mut self, seq: u64, release: u64) {
        self.send(&message(&desired(seq, release)));
        self.serve(&default_model());
        for _ in 0..200 {
            if matches!(self.state().0, State::Committed | State::Failed | State::RolledBack) {
                break;
            }
            self.second();
        }
    }
}
