//! Which captures are evaluated, and with which labels.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::label::{LabelError, Labels};

/// The name of the label file beside a capture.
const BESIDE: &str = "labels.toml";

/// How names of captures end. A capture that is named itself may be called anything.
const SUFFIXES: [&str; 3] = ["pcap", "pcapng", "cap"];

/// How names of compressed files end.
const COMPRESSED: [&str; 2] = ["gz", "zst"];

/// Folders in folders that are looked through.
const MAX_DEPTH: usize = 16;

/// One capture with its labels.
#[derive(Clone, Debug)]
pub struct Case {
    /// The capture.
    pub capture: PathBuf,
    /// The file that labels it.
    pub labels_path: PathBuf,
    /// Its labels.
    pub labels: Arc<Labels>,
}

/// Why there is nothing to evaluate.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A label file is missing or wrong.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// A folder cannot be read.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A folder without captures that could be evaluated.
    #[error("{}: no capture in it", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// What is read once and gone.
    #[error("{}: a capture is read several times, and this can be read once only", path.display())]
    Stream {
        /// The name as given.
        path: PathBuf,
    },
}

/// The captures of these names, of folders all below them. Each is labelled by `labels`, or else by the file
/// `labels.toml` it; of a folder, captures without that file are passed over.
///
/// # Errors
/// A folder or a label file cannot be read, or there is nothing to evaluate.
pub fn find(names: &[PathBuf], labels: Option<&Path>) -> Result<Vec<Case>, CaseError> {
    let given = labels
        .map(|path| Labels::load(path).map(|labels| (path.to_owned(), Arc::new(labels))))
        .transpose()?;
    let mut known = BTreeMap::new();
    let mut cases = Vec::new();
    for name in names {
        let found = if name.is_dir() {
            let mut found = Vec::new();
            walk(name, given.is_some(), MAX_DEPTH, &mut found)?;
            if found.is_empty() {
                return Err(CaseError::Nothing { path: name.clone() });
            }
            found.sort();
            found
        } else if is_stream(name) {
            return Err(CaseError::Stream { path: name.clone() });
        } else {
            vec![name.clone()]
        };
        for capture in found {
            let (labels_path, labels) = match &given {
                Some(given) => given.clone(),
                None => load(capture.with_file_name(BESIDE), &mut known)?,
            };
            cases.push(Case { capture, labels_path, labels });
        }
    }
    Ok(cases)
}

/// A label file that may be that of several captures.
fn load(
    path: PathBuf,
    known: &mut BTreeMap<PathBuf, Arc<Labels>>,
) -> Result<(PathBuf, Arc<Labels>), LabelError> {
    if let Some(labels) = known.get(&path) {
        return Ok((path, Arc::clone(labels)));
    }
    let labels = Arc::new(Labels::load(&path)?);
    known.insert(path.clone(), Arc::clone(&labels));
    Ok((path, labels))
}

/// Standard input, a connection or a pipe. What does not exist is told when it is opened.
fn is_stream(name: &Path) -> bool {
    name.as_os_str() == "-"
        || name.to_str().is_some_and(|name| name.starts_with("tcp://"))
        || fs::metadata(name).is_ok_and(|meta| !meta.is_file())
}

/// Collects the captures below a folder; of folders without a label file only where `all` is set.
fn walk(folder: &Path, all: bool, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CaseError> {
    let failed = |source| CaseError::Folder { path: folder.to_owned(), source };
    let labelled = all || folder.join(BESIDE).is_file();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        // Links are not followed into folders: they may lead back.
        if kind.is_dir() && depth > 0 {
            walk(&path, all, depth - 1, found)?;
        } else if labelled && !kind.is_dir() && is_capture(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn is_capture(path: &Path) -> bool {
    let ends = |path: &Path, with: &[&str]| {
        path.extension().and_then(|suffix| suffix.to_str()).is_some_and(|suffix| with.contains(&suffix))
    };
    if ends(path, &COMPRESSED) {
        return path.file_stem().is_some_and(|stem| ends(Path::new(stem), &SUFFIXES));
    }
    ends(path, &SUFFIXES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cases: &[Case], root: &Path) -> Vec<String> {
        let name = |case: &Case| case.capture.strip_prefix(root).expect("below").display().to_string();
        cases.iter().map(name).collect()
    }

    #[test]
    fn folders_are_looked_through_and_labels_are_beside() {
        let root = tempfile::tempdir().expect("temporary folder");
        let root = root.path();
        for name in [
            "b/capture.pcap",
            "b/labels.toml",
            "a/deep/x.pcapng.gz",
            "a/deep/labels.toml",
            "c/y.pcap",
            "b/z.txt",
        ] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        let cases = find(&[root.to_owned()], None).expect("found");
        assert_eq!(names(&cases, root), ["a/deep/x.pcapng.gz", "b/capture.pcap"]);
        assert_eq!(cases[1].labels_path, root.join("b/labels.toml"));
        let all = find(&[root.to_owned()], Some(&root.join("b/labels.toml"))).expect("found");
        assert_eq!(names(&all, root), ["a/deep/x.pcapng.gz", "b/capture.pcap", "c/y.pcap"]);
        assert!(matches!(find(&[root.join("c")], None), Err(CaseError::Nothing { .. })));
        assert!(matches!(find(&[root.join("c/y.pcap")], None), Err(CaseError::Label(_))));
        assert!(matches!(find(&["-".into()], None), Err(CaseError::Stream { .. })));
    }
}
