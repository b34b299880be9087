//! System calls, by a filter in the kernel (seccomp(2)): what no sensor does and an intruder would is refused with EPERM.
//!
//! A list of what is denied, not of what is allowed: the C library decides which calls it makes for what it is asked, and changes its
//! mind between versions. A call missing from a list of allowed ones would stop detection on somebody's gateway.

use super::Hold;

/// The processors that the filter is written for.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
pub(super) fn enter() -> Result<Hold, seccompiler::Error> {
    use std::collections::BTreeMap;

    use nix::libc;
    use seccompiler::{
        BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
        SeccompFilter, SeccompRule,
    };

    /// Refused whatever the arguments.
    const DENIED: &[libc::c_long] = &[
        // To become another program, or to read or steer another process.
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        // To get into the kernel: where most of its holes were.
        libc::SYS_bpf,
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_perf_event_open,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        // To rearrange the system.
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_reboot,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_clock_adjtime,
        libc::SYS_adjtimex,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_quotactl,
        libc::SYS_acct,
        libc::SYS_open_by_handle_at,
        // To be somebody else.
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setgroups,
        libc::SYS_capset,
        libc::SYS_personality,
    ];
    /// The low bits of a socket's type: the rest are flags.
    const TYPE: u64 = 0xf;
    /// The obsolete way to a packet socket (packet(7)), by a type of any family.
    const SOCK_PACKET: u64 = 10;

    let is = |argument, value: i32| {
        SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, u64::from(value.unsigned_abs()))
    };
    // New sockets below the transport layer: the captures are open already.
    let packet = SeccompRule::new(vec![is(0, libc::AF_PACKET)?])?;
    let old_packet =
        SeccompRule::new(vec![SeccompCondition::new(1, Dword, SeccompCmpOp::MaskedEq(TYPE), SOCK_PACKET)?])?;
    // Netlink sockets are raw ones by name, and tell which interfaces there are.
    let raw = |family| -> Result<SeccompRule, BackendError> {
        let kind = u64::from(libc::SOCK_RAW.unsigned_abs());
        let masked = SeccompCondition::new(1, Dword, SeccompCmpOp::MaskedEq(TYPE), kind)?;
        SeccompRule::new(vec![is(0, family)?, masked])
    };
    let sockets = vec![packet, old_packet, raw(libc::AF_INET)?, raw(libc::AF_INET6)?];

    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, sockets);
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)?.try_into()?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(Hold::Full),
        // A kernel without filters.
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
        {
            Ok(Hold::None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
pub(super) fn enter() -> Result<Hold, super::SandboxError> {
    Ok(Hold::None)
}
