//! The desk of an operator: a folder with keys, roots and releases, and the program that makes them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Of all keys.
pub const PASSPHRASE: &str = "correct horse battery";

/// A folder of its own.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts picket in the folder, with the passphrase on standard input as often as there are keys to open.
    pub fn start(&self, line: &str) -> Child {
        let mut child = Command::new(env!("CARGO_BIN_EXE_picket"))
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Not every command reads it.
        let _ = child.stdin.take().unwrap().write_all(format!("{PASSPHRASE}\n").repeat(4).as_bytes());
        child
    }

    /// Runs it to its end.
    pub fn picket(&self, line: &str) -> Output {
        let output = self.start(line).wait_with_output().unwrap();
        let all = [output.stdout.as_slice(), &output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(PASSPHRASE), "the passphrase is never shown");
        output
    }

    #[track_caller]
    pub fn works(&self, line: &str) -> String {
        let output = self.picket(line);
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}: {stderr}{stdout}");
        stdout.into_owned()
    }

    #[track_caller]
    pub fn fails(&self, line: &str, code: i32, why: &str) {
        let output = self.picket(line);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {stderr}");
        assert!(stderr.contains(why), "{line}: {stderr}");
    }

    /// Keys and the first root, with as many model keys, all of which must sign.
    pub fn trust(&self, model_keys: usize) {
        self.works(&format!(
            "trust init --passphrase-stdin --model-keys {model_keys} --model-threshold {model_keys} ."
        ));
    }

    /// Makes `<number>.bundle`, signed, and `<number>.timestamp.json`; `more` goes to `model bundle`.
    pub fn release(&self, number: u64, more: &str) {
        self.release_of(&project("models/default.onnx"), number, more);
    }

    /// The same of a model that answers as the default one does.
    pub fn release_of(&self, model: &str, number: u64, more: &str) {
        let golden = project("models/golden/default.json");
        self.works(&format!(
            "model bundle --release {number} --golden {golden} --out {number}.bundle {more} {model}"
        ));
        self.works(&format!("model sign --passphrase-stdin --key model-1.key {number}.bundle"));
        self.timestamp(number, "");
    }

    /// Makes `<number>.timestamp.json`, in place of an older one.
    pub fn timestamp(&self, number: u64, more: &str) {
        let out = self.path(&format!("{number}.timestamp.json"));
        if out.exists() {
            fs::remove_file(&out).unwrap();
        }
        self.works(&format!(
            "trust timestamp --passphrase-stdin --key timestamp-1.key --root 1.root.json {more} \
             --out {number}.timestamp.json {number}.bundle"
        ));
    }
}

/// A file of the project.
pub fn project(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_owned()
}
