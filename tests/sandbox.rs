//! What a process can still do in the cage: tried by a process of its own, because there is no way out.
//!
//! Without the test harness, as that runs tests on threads and rights are dropped before there are any.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a test program that runs itself again")]

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use picket::privileges::{self, Account, Keep};
use picket::sandbox::{self, Calls, Hold, Reach, Report};

/// Set in the child: its folder, named after the list of system calls that it is held by.
const CHILD: &str = "PICKET_TEST_SANDBOX";
const DENIED: &str = "denied";
const ALLOWED: &str = "allowed";

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        in_the_cage();
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder.path(), open).expect("mode set");
    // A copy, as another user may not reach the original.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().expect("this program has a path"), &program).expect("copied");
    for list in [DENIED, ALLOWED] {
        let root = folder.path().join(list);
        fs::create_dir(&root).expect("made");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&root, open).expect("mode set");
        let status = Command::new(&program).env(CHILD, root).status().expect("it starts again");
        assert!(status.success(), "the child failed by the list {list}: {status}");
    }
    println!("sandbox: ok");
    ExitCode::SUCCESS
}

fn in_the_cage() {
    let root = std::env::var_os(CHILD).expect("given by the parent");
    let root = Path::new(&root);
    let inside = root.join("state");
    fs::create_dir(&inside).expect("made");
    let capture = pcap::Capture::from_device("lo").and_then(|lo| lo.timeout(10).open()).ok();
    if privileges::is_root() {
        let nobody = Account::find("nobody").expect("every system has nobody");
        std::os::unix::fs::chown(&inside, Some(65534), Some(65534)).expect("given away");
        privileges::drop_all(Some(&nobody), Keep::Nothing).expect("root drops its rights");
    } else {
        println!("sandbox: tried as an ordinary user, as this is not root");
        privileges::drop_all(None, Keep::Nothing).expect("nothing is in the way");
    }
    assert!(Command::new("/bin/true").status().is_ok(), "before, programs can be run");
    fs::write(root.join("before"), "x").expect("before, files can be made elsewhere");

    let mut reach = Reach::of_daemon();
    reach.write.push(inside.clone());
    let calls = if root.ends_with(ALLOWED) { Calls::Allowed } else { Calls::Denied };
    let report = sandbox::enter_by(&reach, calls).expect("the system has it or not, and refuses nothing");
    println!("sandbox: {report}");

    refused(&report);
    files(&report, root, &inside);
    work(capture);
    // What starts in the cage is in it too.
    let thread = std::thread::spawn(move || refused(&report));
    thread.join().expect("the same holds in a thread");
}

/// The system calls of an intruder are refused.
fn refused(report: &Report) {
    if report.calls == Hold::None {
        println!("sandbox: system calls are not filtered here");
        return;
    }
    let error = Command::new("/bin/true").status().expect_err("no program is run");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    for (family, kind) in [
        (AddressFamily::Packet, SockType::Raw),
        (AddressFamily::Packet, SockType::Datagram),
        (AddressFamily::Inet, SockType::Raw),
        (AddressFamily::Inet6, SockType::Raw),
    ] {
        let refused = socket(family, kind, SockFlag::SOCK_CLOEXEC, None).expect_err("no raw socket");
        assert_eq!(refused, Errno::EPERM, "{family:?} {kind:?}");
    }
    assert!(pcap::Capture::from_device("lo").and_then(pcap::Capture::open).is_err(), "no capture is opened");
    let myself = nix::unistd::Uid::effective();
    assert_eq!(nix::unistd::setuid(myself), Err(Errno::EPERM), "not even to whom it is already");
}

/// Files are made in its folder and nowhere else.
fn files(report: &Report, root: &Path, inside: &Path) {
    fs::write(inside.join("alert"), "x").expect("its own folder is its own");
    fs::rename(inside.join("alert"), inside.join("kept")).expect("within it files move");
    fs::create_dir(inside.join("folder")).expect("made");
    fs::remove_dir(inside.join("folder")).expect("removed");
    std::os::unix::net::UnixListener::bind(inside.join("socket")).expect("the status socket");
    fs::read_to_string("/etc/passwd").expect("read to look up hosts and users");
    if report.files == Hold::None {
        println!("sandbox: files are not confined here");
        return;
    }
    for path in [root.join("after"), root.join("before"), "/tmp/picket-was-here".into()] {
        let error = fs::write(&path, "x").expect_err("written outside");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{}", path.display());
    }
    assert!(fs::remove_file(root.join("before")).is_err(), "nothing is removed outside");
    assert!(fs::read(root.join("before")).is_err(), "nothing is read that is not needed");
    assert!(fs::rename(inside.join("kept"), root.join("kept")).is_err(), "nothing moves out");
}

/// What a sensor does works: it captures, listens, connects, resolves.
fn work(capture: Option<pcap::Capture<pcap::Active>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    TcpStream::connect(address).expect("to the broker");
    assert!(nix::ifaddrs::getifaddrs().is_ok(), "which interfaces there are");
    assert!(fs::read_to_string("/proc/self/statm").is_ok(), "the memory taken, for the metric");
    let Some(capture) = capture else {
        println!("sandbox: the open capture is not tried, as none could be opened");
        return;
    };
    let mut capture = capture.setnonblock().expect("set");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let mut seen = false;
    for _ in 0..500 {
        sender.send_to(b"x", sender.local_addr().expect("bound")).expect("sent");
        seen |= capture.next_packet().is_ok();
        if seen {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(seen, "the capture that was open goes on");
}
