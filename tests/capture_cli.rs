//! The options of the commands that read captures, by the built program.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, wait and read the clock"
)]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use support::attack;
use support::capture::{Capture, SECOND, START, host};
use support::mqtt::V311;
use support::program::{PROGRAM, open_folder, picket, wait_until};

/// Twenty guesses at a password, and silence.
fn attack() -> Capture {
    attack::brute_force(V311, host(66), (host(1), 1883), START, 20, SECOND / 5).then_quiet(200)
}

/// A folder with an empty configuration and the capture `attack.pcap`.
fn folder() -> tempfile::TempDir {
    let folder = open_folder();
    fs::write(folder.path().join("empty.toml"), "").unwrap();
    attack().write(&folder.path().join("attack.pcap"));
    folder
}

/// `picket replay` with these arguments as a child that prints to the file `out`.
fn start(folder: &Path, args: Vec<std::ffi::OsString>) -> Child {
    Command::new(PROGRAM)
        .args(["replay", "--no-model", "-c"])
        .arg(folder.join("empty.toml"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(File::create(folder.join("out")).unwrap())
        .stderr(File::create(folder.join("err")).unwrap())
        .spawn()
        .unwrap()
}

/// Waits for an alert in what the child printed.
#[track_caller]
fn wait_for(folder: &Path, what: &str) {
    wait_until(what, Duration::from_secs(20), || {
        fs::read_to_string(folder.join("out")).unwrap().contains(what)
    });
}

/// Interrupts it, as a user does, and wants it to end well.
#[track_caller]
fn interrupt(mut child: Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_followed_file_raises_alerts_as_it_grows() {
    let folder = folder();
    let octets = fs::read(folder.path().join("attack.pcap")).unwrap();
    let growing = folder.path().join("growing");
    let (first, rest) = octets.split_at(octets.len() - 60);
    fs::write(&growing, first).unwrap();
    let child = start(folder.path(), args!["--follow", &growing]);
    // Before anything ends, and before the last packet.
    wait_for(folder.path(), "\"state\":\"open\"");
    OpenOptions::new().append(true).open(&growing).unwrap().write_all(rest).unwrap();
    wait_for(folder.path(), "\"state\":\"closed\"");
    interrupt(child);
    assert_eq!(fs::read_to_string(folder.path().join("err")).unwrap(), "");
    // The same alerts as at once.
    let whole = picket(args!["replay", "--no-model", "-c", folder.path().join("empty.toml"), &growing]).ok();
    assert_eq!(fs::read_to_string(folder.path().join("out")).unwrap(), whole);
}

#[test]
fn a_watched_folder_gives_the_alerts_of_its_files_together() {
    let folder = folder();
    let watched = folder.path().join("watched");
    fs::create_dir(&watched).unwrap();
    let all = attack();
    let (first, second) = all.frames.split_at(all.frames.len() / 2);
    let child = start(folder.path(), args!["--watch", &watched]);
    Capture { frames: first.to_vec() }.write(&watched.join("b"));
    wait_for(folder.path(), "\"state\":\"open\"");
    Capture { frames: second.to_vec() }.write(&watched.join("a"));
    wait_for(folder.path(), "\"state\":\"closed\"");
    interrupt(child);
    let together = fs::read_to_string(folder.path().join("out")).unwrap();
    let config = folder.path().join("empty.toml");
    let whole = picket(args!["replay", "--no-model", "-c", config, folder.path().join("attack.pcap")]).ok();
    assert_eq!(together, whole);
}

#[test]
fn what_cannot_be_is_told_before_anything_is_read() {
    let folder = folder();
    let capture = folder.path().join("attack.pcap");
    let replay = |more: Vec<std::ffi::OsString>| {
        picket([args!["replay", "-c", folder.path().join("empty.toml")], more].concat())
    };
    replay(args!["--follow", "-"]).fails(64, &["--follow", "leave the option away"]);
    replay(args!["--follow", &capture, &capture]).fails(64, &["only one file", "--watch"]);
    replay(args!["--watch", &capture]).fails(66, &["attack.pcap"]);
    replay(args!["--filter", "tcp prot 1", &capture]).fails(64, &["tcp prot 1", "pcap-filter"]);
    replay(args!["tcp://127.0.0.1:1"]).fails(69, &["tcp://127.0.0.1:1: cannot connect", "pcap-over-IP"]);
    replay(args![folder.path()]).fails(66, &["is a directory", "--watch"]);
}

#[test]
fn filters_and_losses_are_in_the_statistics() {
    let folder = folder();
    let capture = folder.path().join("attack.pcap");
    let config = folder.path().join("empty.toml");
    let statistics = |more: Vec<std::ffi::OsString>| {
        let ended = picket(
            [args!["replay", "--no-model", "--output", "none", "--stats", "-c", &config], more].concat(),
        );
        assert!(ended.status.success(), "{ended:#?}");
        ended.stderr
    };
    let frames = attack().frames.len();
    let said = statistics(args!["--filter", "udp", &capture]);
    assert!(
        said.contains(&format!("not read              {} did not pass the filter", frames - 1)),
        "{said}"
    );
    // A record whose length cannot be, between two that are whole.
    let mut octets = fs::read(&capture).unwrap();
    octets.splice(24..24, [0xff; 20]);
    fs::write(&capture, octets).unwrap();
    let said = statistics(args![&capture]);
    assert!(said.contains("damaged at octet 24, after packet 0: 20 octets were passed over"), "{said}");
    assert!(said.contains("damaged places        1 (20 octets)"), "{said}");
    assert!(said.contains(&format!("frames                {frames} ")), "{said}");
}

#[test]
fn other_commands_take_the_same_captures() {
    let folder = folder();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&attack().to_pcap()).unwrap();
    let compressed = folder.path().join("attack.gz");
    fs::write(&compressed, gzip.finish().unwrap()).unwrap();
    let plain = folder.path().join("attack.pcap");
    let config = folder.path().join("empty.toml");
    let extract = |capture: &Path| picket(args!["extract", "-c", &config, "--output", "csv", capture]).ok();
    assert_eq!(extract(&compressed), extract(&plain));
    let inspect = |capture: &Path| picket(args!["inspect", "--packets", "--filter", "tcp", capture]).ok();
    assert_eq!(inspect(&compressed), inspect(&plain));
}
