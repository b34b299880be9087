//! Captures of others, where they are at hand.

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
