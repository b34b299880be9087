//! What is left of root's rights after the drop: tried by a process of its own, because there is no way back.
//!
//! Without the test harness, as that runs tests on threads and a drop beside threads is refused.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test program that runs itself again")]

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use picket::privileges::{self, Account, Keep, Report};

const CHILD: &str = "PICKET_TEST_DROP";
/// The user id of `nobody` on Debian; any that is not root's would do.
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    match std::env::var(CHILD).as_deref() {
        Ok("root") => child_of_root(),
        Ok("user") => child_of_user(),
        _ => {
            if privileges::is_root() {
                run("root");
            } else {
                println!("privileges: the change of user is skipped, as this is not root");
            }
            run("user");
            println!("privileges: ok");
        }
    }
    ExitCode::SUCCESS
}

/// Runs this program again, `which` saying what it is to try; `user` never runs as root.
fn run(which: &str) {
    let folder = tempfile::tempdir().expect("temporary folder");
    // The folder is made for its maker alone; the user that the child becomes has to get through it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("mode set");
    // A copy, as another user may not reach the original.
    let program = folder.path().join("program");
    std::fs::copy(std::env::current_exe().expect("this program has a path"), &program).expect("copied");
    let mut child = Command::new(program);
    child.env(CHILD, which).env("TMPDIR", folder.path());
    if which == "user" && privileges::is_root() {
        child.uid(NOBODY).gid(NOBODY);
    }
    let status = child.status().expect("it starts again");
    assert!(status.success(), "the child {which} failed: {status}");
}

/// The field of `/proc/self/status`, as text.
fn status(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.expect(field).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Capability sets as masks: inherited, permitted, effective, bounding, ambient.
fn masks() -> [u64; 5] {
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
        .map(|field| u64::from_str_radix(&status(field), 16).expect("a mask"))
}

/// A live capture on loopback, which takes an `AF_PACKET` socket.
fn can_capture() -> bool {
    pcap::Capture::from_device("lo").and_then(pcap::Capture::open).is_ok()
}

fn child_of_root() {
    const NET_RAW: u64 = 1 << 13;
    let before = masks();
    assert!(std::fs::File::open("/etc/shadow").is_ok(), "root reads /etc/shadow");
    let could_capture = can_capture();

    let folder = std::env::temp_dir().join("state/picket");
    let account = Account::find("nobody").expect("every system has nobody");
    account.own(&folder).expect("root makes folders");
    let report = privileges::drop_all(Some(&account), Keep::NetRaw).expect("root drops its rights");

    let kept = before[1] & NET_RAW;
    assert_eq!(
        report,
        Report { user: "nobody".into(), dropped_root: true, net_raw: kept != 0, bounded: true }
    );
    assert_eq!(masks(), [0, kept, kept, before[3] & NET_RAW, 0]);
    assert_eq!(status("NoNewPrivs"), "1");
    assert_eq!(Some(status("Groups").as_str()), status("Gid").split(' ').next(), "only the user's own group");
    assert!(status("Uid").split(' ').all(|id| id != "0") && status("Gid").split(' ').all(|id| id != "0"));

    let shadow = std::fs::File::open("/etc/shadow").expect_err("closed");
    assert_eq!(shadow.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_err(), "root is gone for good");
    assert_eq!(can_capture(), could_capture, "an interface that comes back can be opened again");
    assert!(!nix::sys::prctl::get_dumpable().expect("prctl works"), "no core dump");

    std::fs::write(folder.join("file"), "x").expect("the user writes to its folder");
    std::fs::remove_file(folder.join("file")).expect("and removes from it");
    println!("privileges: {report}");
}

fn child_of_user() {
    let report = privileges::drop_all(None, Keep::NetRaw).expect("nothing is in the way");
    assert!(!report.dropped_root);
    assert_eq!(status("NoNewPrivs"), "1");
    assert!(!nix::sys::prctl::get_dumpable().expect("prctl works"), "no core dump");
    println!("privileges: {report}");
}
