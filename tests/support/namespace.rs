//! Network namespaces, for tests that need interfaces of their own.

use std::process::Command;

use super::again::{again, inside};

/// Runs `body` as root in a new network namespace with its loopback up, by starting this test binary again under
/// `unshare --net`; `test` is the name of the calling test. Prints a line when it is skipped.
pub(crate) fn in_namespace(test: &str, body: fn()) {
    if inside() {
        ip("link set lo up");
        return body();
    }
    if !nix::unistd::geteuid().is_root() {
        println!("{test}: skipped, needs root");
        return;
    }
    again(test, Command::new("unshare").args(["--net", "--"]).arg(std::env::current_exe().unwrap()));
}

/// `ip` with the words of `args`.
#[track_caller]
pub(crate) fn ip(args: &str) {
    let out = Command::new("ip").args(args.split_whitespace()).output().unwrap();
    assert!(out.status.success(), "ip {args}: {}", String::from_utf8_lossy(&out.stderr));
}
