//! The file operations that the store needs, so that a test can stand between it and the disk.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A folder with a few files of known names.
pub trait Files {
    /// The content of a file, none when there is no such file.
    ///
    /// # Errors
    /// It cannot be read, or has more than `limit` octets.
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>>;
    /// Makes an empty file, in place of one that may be there.
    ///
    /// # Errors
    /// What the system says.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Writes into an existing file.
    ///
    /// # Errors
    /// What the system says.
    fn write(&mut self, name: &str, offset: u64, octets: &[u8]) -> io::Result<()>;
    /// Returns when the content of a file is on the disk.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Gives a file another name, in place of a file that may have it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; that it is not there is fine.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Returns when the names are on the disk.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&mut self) -> io::Result<()>;
    /// Octets that can still be written.
    ///
    /// # Errors
    /// What the system says.
    fn free(&self) -> io::Result<u64>;
}

/// A folder of the file system.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held as long as this lives: one process changes the models.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, for its owner alone, and locks it.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] when another process has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock =
            File::options().create(true).truncate(false).write(true).mode(0o600).open(path.join("lock"))?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    fn existing(&self, name: &str) -> io::Result<File> {
        File::options().read(true).write(true).open(self.path.join(name))
    }
}

impl Files for Folder {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut octets = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
        if octets.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(octets)) }
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, octets: &[u8]) -> io::Result<()> {
        let mut file = self.existing(name)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(octets)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.existing(name)?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let figures = nix::sys::statvfs::statvfs(&self.path)?;
        // Their width differs between targets.
        #[allow(clippy::useless_conversion, reason = "u32 on 32-bit targets")]
        let (blocks, size) = (u64::from(figures.blocks_available()), u64::from(figures.fragment_size()));
        Ok(blocks.saturating_mul(size))
    }
}

/// Writes a whole file: complete and on the disk before its name points to it.
pub(super) fn replace(files: &mut impl Files, name: &str, octets: &[u8]) -> io::Result<()> {
    const NEW: &str = "new";
    files.create(NEW)?;
    files.write(NEW, 0, octets)?;
    files.sync(NEW)?;
    files.rename(NEW, name)?;
    files.sync_folder()
}
