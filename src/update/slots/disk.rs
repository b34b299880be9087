//! A disk that forgets what was not synced: for every point at which the power can fail, everything that may then be
//! on it.
//!
//! The model, on the side of the worst: the content of a file is on the disk for certain only after `sync` of that
//! file, names only after `sync_folder`, and neither brings the other with it. Of what is pending any part may have
//! arrived, in any combination, and a write also by half. A rename is atomic.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use super::files::Files;

/// What is on a disk after the power came back.
pub(in crate::update) type Content = BTreeMap<String, Vec<u8>>;

#[derive(Clone)]
enum Data {
    Truncate,
    Write(u64, Vec<u8>),
}

#[derive(Clone)]
enum Naming {
    Point(String, usize),
    Rename(String, String, usize),
    Remove(String),
}

#[derive(Clone, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Data>,
}

/// Which power cuts are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::update) enum Cuts {
    /// None.
    No,
    /// Every one, after honest syncs.
    Every,
    /// The one in which all names and no content arrived, on a disk that only says that it synced.
    LyingDisk,
}

pub(in crate::update) struct Inner {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<Naming>,
    pub(in crate::update) cuts: Cuts,
    /// The operation before which the power fails; none to look at every one.
    pub(in crate::update) only: Option<usize>,
    /// Operations so far.
    pub(in crate::update) operations: usize,
    /// The operation that fails, and how.
    pub(in crate::update) fails: Option<(usize, io::ErrorKind)>,
    /// Octets that can be written.
    pub(in crate::update) free: u64,
    /// What may be on the disk after a power cut at any point so far.
    pub(in crate::update) after_cuts: BTreeSet<Content>,
}

/// The disk; clones are the same disk.
#[derive(Clone)]
pub(in crate::update) struct Disk(pub(in crate::update) Rc<RefCell<Inner>>);

fn apply(content: &mut Vec<u8>, data: &Data, torn: bool) {
    match data {
        Data::Truncate => content.clear(),
        Data::Write(offset, octets) => {
            let octets = if torn { &octets[..octets.len() / 2] } else { octets };
            let offset = usize::try_from(*offset).unwrap();
            if content.len() < offset + octets.len() {
                content.resize(offset + octets.len(), 0);
            }
            content[offset..offset + octets.len()].copy_from_slice(octets);
        }
    }
}

/// All that can have become of `pending`, on top of `durable`.
fn outcomes(file: &File) -> Vec<Vec<u8>> {
    let mut all = BTreeSet::from([file.durable.clone()]);
    for data in &file.pending {
        let mut more = all.clone();
        for content in &all {
            for torn in [false, true] {
                let mut next = content.clone();
                apply(&mut next, data, torn);
                more.insert(next);
            }
        }
        all = more;
    }
    all.into_iter().collect()
}

fn rename(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Point(name, file) => {
            names.insert(name.clone(), *file);
        }
        Naming::Rename(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        Naming::Remove(name) => {
            names.remove(name);
        }
    }
}

impl Disk {
    pub(in crate::update) fn new(content: &Content, cuts: Cuts) -> Self {
        let mut inner = Inner {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            cuts,
            only: None,
            operations: 0,
            fails: None,
            free: 1 << 30,
            after_cuts: BTreeSet::new(),
        };
        for (name, octets) in content {
            inner.names.insert(name.clone(), inner.files.len());
            inner.files.push(File { now: octets.clone(), durable: octets.clone(), pending: Vec::new() });
        }
        inner.durable.clone_from(&inner.names);
        Self(Rc::new(RefCell::new(inner)))
    }

    /// What is on the disk when it is given the time to write everything.
    pub(in crate::update) fn content(&self) -> Content {
        let inner = self.0.borrow();
        inner.names.iter().map(|(name, file)| (name.clone(), inner.files[*file].now.clone())).collect()
    }

    /// The power may fail here.
    pub(in crate::update) fn cut(&self) {
        let mut inner = self.0.borrow_mut();
        if inner.only.is_some_and(|operation| operation != inner.operations) {
            return;
        }
        let contents = match inner.cuts {
            Cuts::No => return,
            Cuts::LyingDisk => {
                let file = |file: &usize| inner.files[*file].durable.clone();
                vec![inner.names.iter().map(|(name, number)| (name.clone(), file(number))).collect()]
            }
            Cuts::Every => inner.every(),
        };
        inner.after_cuts.extend(contents);
    }

    fn step<T>(&self, operation: impl FnOnce(&mut Inner) -> io::Result<T>) -> io::Result<T> {
        self.cut();
        let mut inner = self.0.borrow_mut();
        inner.operations += 1;
        match inner.fails {
            Some((number, kind)) if number == inner.operations => Err(kind.into()),
            _ => operation(&mut inner),
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

impl Inner {
    fn every(&self) -> Vec<Content> {
        let mut names = BTreeSet::from([self.durable.clone()]);
        for naming in &self.pending {
            let applied = names.iter().cloned().map(|mut names| {
                rename(&mut names, naming);
                names
            });
            let applied: Vec<_> = applied.collect();
            names.extend(applied);
        }
        let mut contents = Vec::new();
        for names in names {
            let mut partial = vec![Content::new()];
            for (name, file) in &names {
                let possible = outcomes(&self.files[*file]);
                partial = partial
                    .into_iter()
                    .flat_map(|content| {
                        possible.iter().map(move |octets| {
                            let mut content = content.clone();
                            content.insert(name.clone(), octets.clone());
                            content
                        })
                    })
                    .collect();
            }
            contents.extend(partial);
        }
        contents
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, file: usize, data: Data) {
        apply(&mut self.files[file].now, &data, false);
        self.files[file].pending.push(data);
    }

    fn name(&mut self, naming: Naming) {
        rename(&mut self.names, &naming);
        self.pending.push(naming);
    }
}

impl Files for Disk {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let inner = self.0.borrow();
        let octets = inner.names.get(name).map(|file| inner.files[*file].now.clone());
        match octets {
            Some(octets) if octets.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            octets => Ok(octets),
        }
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.step(|inner| {
            if let Ok(file) = inner.file(name) {
                inner.change(file, Data::Truncate);
            } else {
                inner.files.push(File::default());
                inner.name(Naming::Point(name.to_owned(), inner.files.len() - 1));
            }
            Ok(())
        })
    }

    fn write(&mut self, name: &str, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.step(|inner| {
            let file = inner.file(name)?;
            inner.change(file, Data::Write(offset, octets.to_vec()));
            Ok(())
        })
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.step(|inner| {
            let file = inner.file(name)?;
            if inner.cuts != Cuts::LyingDisk {
                let file = &mut inner.files[file];
                file.durable.clone_from(&file.now);
                file.pending.clear();
            }
            Ok(())
        })
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.step(|inner| {
            let file = inner.file(from)?;
            inner.name(Naming::Rename(from.to_owned(), to.to_owned(), file));
            Ok(())
        })
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step(|inner| {
            if inner.file(name).is_ok() {
                inner.name(Naming::Remove(name.to_owned()));
            }
            Ok(())
        })
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.step(|inner| {
            inner.durable.clone_from(&inner.names);
            inner.pending.clear();
            Ok(())
        })
    }

    fn free(&self) -> io::Result<u64> {
        Ok(self.0.borrow().free)
    }
}
