//! System calls, by a filter in the kernel (seccomp(2)): what no sensor does and an intruder would is refused with EPERM.
//!
//! As a rule by a list of what is denied ([`Calls::Denied`]): the C library decides which calls it makes for what it is asked, and
//! changes its mind between versions. A call missing from a list of allowed ones would stop detection on somebody's gateway.
//!
//! A static build brings its C library with it. So builds for musl have the stricter list, of what is allowed ([`Calls::Allowed`]).

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
use super::rules;
use super::{Calls, Hold};

/// The processors that the filter is written for.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
pub(super) fn enter(calls: Calls) -> Result<Hold, seccompiler::Error> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    let denied = SeccompAction::Errno(nix::libc::EPERM.unsigned_abs());
    let (rules, otherwise, then) = match calls {
        Calls::Denied => (rules::denied()?, SeccompAction::Allow, denied),
        Calls::Allowed => (rules::allowed()?, denied, SeccompAction::Allow),
    };
    let arch = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram = SeccompFilter::new(rules, otherwise, then, arch)?.try_into()?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(Hold::Full),
        // A kernel without filters.
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(nix::libc::EINVAL | nix::libc::ENOSYS)) =>
        {
            Ok(Hold::None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
pub(super) fn enter(_: Calls) -> Result<Hold, super::SandboxError> {
    Ok(Hold::None)
}
