//! The child: reads one slot, gives everything up, tries the model, says how it went.

use std::io::{self, Write as _};
use std::path::Path;

use nix::sys::prctl;
use nix::sys::resource::{Resource, rlim_t, setrlimit};
use nix::sys::signal::Signal;

use super::{Answer, Limits, try_model};
use crate::sandbox::{self, Reach};
use crate::update::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::update::read_at_most;
use crate::update::reason::{Reason, Refusal};

/// Time of the processor besides that for loading, in seconds: for the golden vectors and for measuring.
const CPU_SECONDS: u64 = 10;
/// Files that may be open: the three that every program has, and what the C library may want.
const FILES: u64 = 8;

/// Tries the release in the file at `path`, and writes how it ended to standard output.
///
/// # Errors
/// Standard output is closed.
pub fn run(path: &Path, limits: Limits) -> io::Result<()> {
    let outcome = examine(path, limits);
    let mut out = io::stdout();
    out.write_all(&Answer::of(&outcome).line())?;
    out.flush()
}

fn examine(path: &Path, limits: Limits) -> Result<String, Refusal> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Refusal::new(Reason::SelfTestFailed, format!("{what}: {error}"))
    };
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| failed("tying it to the helper", &error))?;
    let octets = read_at_most(path, MAX_BUNDLE_BYTES).map_err(|error| failed("the slot", &error))?;
    let bundle = Bundle::read(&octets)?;
    give_everything_up(&bundle, limits).map_err(|error| failed("its limits", &error))?;
    try_model(&bundle.manifest, &bundle.model, limits)
}

/// Limits that the kernel keeps, then the cage with nothing in it. Without the limits nothing is tried; a kernel without the
/// cage is no reason to refuse every model.
fn give_everything_up(bundle: &Bundle, limits: Limits) -> io::Result<()> {
    let test = &bundle.manifest.self_test;
    let seconds = CPU_SECONDS + test.max_load_ms.div_ceil(1000);
    let memory = address_space()? + test.max_memory_kib.min(limits.max_memory_kib).saturating_mul(1024);
    limit(Resource::RLIMIT_CORE, 0, 0)?;
    limit(Resource::RLIMIT_FSIZE, 0, 0)?;
    limit(Resource::RLIMIT_CPU, seconds, seconds + 1)?;
    limit(Resource::RLIMIT_AS, memory, memory)?;
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    if let Err(error) = sandbox::enter(&Reach::default()) {
        log::debug!("self-test without a cage: {error}");
    }
    limit(Resource::RLIMIT_NOFILE, FILES, FILES)
}

/// Sets a limit. Where the system's numbers have 32 bits, what is beyond them is the greatest of these.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    Ok(setrlimit(resource, fitting(soft, rlim_t::MAX), fitting(hard, rlim_t::MAX))?)
}

fn fitting<T: TryFrom<u64>>(number: u64, most: T) -> T {
    T::try_from(number).unwrap_or(most)
}

/// Octets of this process's address space now (proc(5), `statm`).
fn address_space() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_ascii_whitespace().next().and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| io::Error::other("statm says nothing"))?;
    let page =
        nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.and_then(|size| u64::try_from(size).ok());
    Ok(pages.saturating_mul(page.unwrap_or(4096)))
}
