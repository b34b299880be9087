//! Releases that somebody put into a folder: the same documents, the same road.
//!
//! `NAME.json` is a document as it stands on `update/desired`, and any `*.bundle` serves the blocks of the model that it
//! holds. Nothing in a file is believed more than in a message. The folder is only read: what was looked at is remembered by name,
//! size and time, and looking again after a restart does no harm.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::update::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::update::digest::Digest;
use crate::update::document::Desired;
use crate::update::read_at_most;

/// Files looked at.
const MAX_FILES: usize = 32;

/// What tells one content of a file from another without reading it.
type Look = (u64, Option<SystemTime>);

/// The folder.
#[derive(Debug)]
pub(super) struct Inbox {
    folder: PathBuf,
    /// Documents: how they looked last, and whether that was handed on.
    known: BTreeMap<PathBuf, (Look, bool)>,
    /// Bundles that could not be read, as they looked then.
    useless: BTreeMap<PathBuf, Look>,
    /// The model that is being fetched.
    model: Option<(Digest, Vec<u8>)>,
}

impl Inbox {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder, known: BTreeMap::new(), useless: BTreeMap::new(), model: None }
    }

    /// The documents that are new, and did not change since the last look: a file is seldom copied in one go.
    pub(super) fn look(&mut self) -> Vec<Vec<u8>> {
        let files = self.files("json");
        self.known.retain(|path, _| files.iter().any(|(there, _)| there == path));
        let mut documents = Vec::new();
        for (path, look) in files {
            match self.known.get_mut(&path) {
                Some((last, handed_on)) if *last == look => {
                    if !*handed_on {
                        *handed_on = true;
                        documents.extend(read_at_most(&path, Desired::MAX_BYTES as u64));
                    }
                }
                _ => {
                    self.known.insert(path, (look, false));
                }
            }
        }
        documents
    }

    /// The model with this digest, from any bundle.
    pub(super) fn model(&mut self, sha256: Digest) -> Option<&[u8]> {
        if self.model.as_ref().is_none_or(|(digest, _)| *digest != sha256) {
            self.model = self.find(sha256).map(|model| (sha256, model));
        }
        self.model.as_ref().map(|(_, model)| model.as_slice())
    }

    /// The model is not needed any more.
    pub(super) fn forget_model(&mut self) {
        self.model = None;
    }

    fn find(&mut self, sha256: Digest) -> Option<Vec<u8>> {
        let files = self.files("bundle");
        self.useless.retain(|path, _| files.iter().any(|(there, _)| there == path));
        for (path, look) in files {
            if self.useless.get(&path) == Some(&look) {
                continue;
            }
            match read_at_most(&path, MAX_BUNDLE_BYTES).ok().and_then(|octets| Bundle::read(&octets).ok()) {
                Some(bundle) if bundle.manifest.artifact.sha256 == sha256 => return Some(bundle.model),
                Some(_) => {}
                None => {
                    self.useless.insert(path, look);
                }
            }
        }
        None
    }

    /// Regular files with this ending, the first by name.
    fn files(&self, ending: &str) -> Vec<(PathBuf, Look)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|is| is == ending)).take(MAX_FILES).collect();
        paths.sort();
        let look = |path: PathBuf| {
            let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            Some((path, (about.len(), about.modified().ok())))
        };
        paths.into_iter().filter_map(look).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_handed_on_once_when_it_has_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mut inbox = Inbox::new(folder.path().to_owned());
        assert!(inbox.look().is_empty());
        fs::write(folder.path().join("7.json"), "half").unwrap();
        fs::write(folder.path().join("readme.txt"), "no").unwrap();
        fs::create_dir(folder.path().join("folder.json")).unwrap();
        assert!(inbox.look().is_empty());
        fs::write(folder.path().join("7.json"), "all of it").unwrap();
        assert!(inbox.look().is_empty());
        assert_eq!(inbox.look(), [b"all of it".to_vec()]);
        assert!(inbox.look().is_empty());
        fs::write(folder.path().join("7.json"), vec![b'x'; 1 << 20]).unwrap();
        inbox.look();
        assert_eq!(inbox.look()[0].len(), Desired::MAX_BYTES + 1);
    }

    #[test]
    fn what_is_no_bundle_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut inbox = Inbox::new(folder.path().to_owned());
        fs::write(folder.path().join("a.bundle"), "nonsense").unwrap();
        assert_eq!(inbox.model(Digest::of(b"model")), None);
        assert_eq!(inbox.useless.len(), 1);
        assert_eq!(inbox.model(Digest::of(b"model")), None);
    }
}
