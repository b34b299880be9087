//! Captures of others, where they are at hand.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The folder that `PICKET_CORPUS` names, or `../shared/corpus`; `None` with a line that says so.
pub fn corpus(test: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("PICKET_CORPUS").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("{test}: skipped, there is no corpus (PICKET_CORPUS names its folder)");
    None
}

/// Every file below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Whether a file begins like a capture or a compressed one, whatever its name.
pub fn is_capture(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    let known = [0xa1b2_c3d4, 0xd4c3_b2a1, 0xa1b2_3c4d, 0x4d3c_b2a1, 0x0a0d_0d0a, 0xa1b2_cd34, 0x34cd_b2a1];
    let compressed = matches!(magic, [0x1f, 0x8b, 8, _] | [0x28, 0xb5, 0x2f, 0xfd]);
    read.is_ok() && (compressed || known.contains(&u32::from_be_bytes(magic)))
}
