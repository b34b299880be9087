//! A test of this program, run again in a process of its own: where other tests must not count, or with another network.

use std::process::Command;

/// Set in that process.
const INSIDE: &str = "PICKET_TEST_INSIDE";

/// Whether this is that process.
pub(crate) fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs `body` in a process in which no other test runs; `test` is the name of the calling test.
pub(crate) fn alone(test: &str, body: fn()) {
    if inside() {
        return body();
    }
    let program = std::env::current_exe().unwrap();
    again(test, &mut Command::new(program));
}

/// Runs `test` by `command`, which ends with this program, and fails if it does.
#[track_caller]
pub(crate) fn again(test: &str, command: &mut Command) {
    let out = command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}
