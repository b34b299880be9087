//! Captures that grow while they are read: one file, a folder of rotating files, a connection.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may panic, wait and read the clock"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use picket::capture::{CaptureError, Event, FileOptions, FileSource, FrameSource, NoticeKind, WatchSource};

#[path = "support/savefile.rs"]
#[allow(dead_code, unreachable_pub, clippy::cast_possible_truncation, reason = "shared with other tests")]
mod savefile;

use savefile::{MICRO, Order, Packet, interface, pcap_header, pcap_packet, pcapng_packet, section};

/// What was seen of a source: the seconds of its packets, and what was told.
#[derive(Default, PartialEq, Debug)]
struct Seen {
    seconds: Vec<u64>,
    told: Vec<NoticeKind>,
    ended: bool,
}

/// Reads until so many packets were seen in all, or the end.
#[track_caller]
fn read(source: &mut impl FrameSource, seen: &mut Seen, packets: usize) {
    let started = Instant::now();
    while seen.seconds.len() < packets && !seen.ended {
        assert!(started.elapsed() < Duration::from_mins(1), "still waiting: {seen:?}");
        take(source, seen);
    }
}

/// Reads until nothing comes for a while.
fn settle(source: &mut impl FrameSource, seen: &mut Seen) {
    let mut idle = 0;
    while idle < 3 && !seen.ended {
        idle = if take(source, seen) { idle + 1 } else { 0 };
    }
}

/// One event; true when it is that there is none.
fn take(source: &mut impl FrameSource, seen: &mut Seen) -> bool {
    match source.next_frame().unwrap() {
        Event::Frame(frame) => seen.seconds.push(frame.ts.as_secs()),
        Event::Notice(notice) => seen.told.push(notice.kind.clone()),
        Event::Idle(_) => return true,
        Event::End => seen.ended = true,
    }
    false
}

fn record(second: u64) -> Vec<u8> {
    let packet = Packet { micros: second * 1_000_000, link: 1, wire_len: 60, data: vec![3; 60] };
    pcap_packet(Order::Little, MICRO, &packet)
}

fn header() -> Vec<u8> {
    pcap_header(Order::Little, MICRO, 1)
}

/// A whole file with packets of these seconds.
fn capture(seconds: &[u64]) -> Vec<u8> {
    [header(), seconds.iter().flat_map(|second| record(*second)).collect()].concat()
}

struct Scratch {
    dir: tempfile::TempDir,
    stop: Arc<AtomicBool>,
}

impl Scratch {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), stop: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, octets: &[u8]) {
        fs::write(self.path(name), octets).unwrap();
    }

    fn append(&self, name: &str, octets: &[u8]) {
        OpenOptions::new().append(true).open(self.path(name)).unwrap().write_all(octets).unwrap();
    }

    fn options(&self) -> FileOptions {
        FileOptions { follow: true, stop: Some(Arc::clone(&self.stop)), ..FileOptions::default() }
    }

    fn follow(&self, name: &str) -> FileSource {
        FileSource::with(&self.path(name), self.options()).unwrap()
    }

    fn watch(&self) -> WatchSource {
        WatchSource::open(self.dir.path(), self.options()).unwrap()
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_growing_file_is_followed_record_by_record() {
    let scratch = Scratch::new();
    // It begins empty, and octets come in odd portions.
    scratch.write("a", b"");
    let (mut source, mut seen) = (scratch.follow("a"), Seen::default());
    let octets = capture(&[1, 2, 3]);
    for part in octets.chunks(70) {
        settle(&mut source, &mut seen);
        scratch.append("a", part);
    }
    read(&mut source, &mut seen, 3);
    // Half a record is waited for, and is no truncation when reading is ended.
    scratch.append("a", &record(4)[..30]);
    settle(&mut source, &mut seen);
    assert!(!seen.ended);
    scratch.end();
    settle(&mut source, &mut seen);
    assert_eq!(seen, Seen { seconds: vec![1, 2, 3], told: vec![], ended: true });
    assert_eq!((source.packets(), source.total_bytes()), (3, None));
}

#[test]
fn a_growing_pcapng_too() {
    let scratch = Scratch::new();
    let order = Order::Big;
    let packet = |second: u64| {
        let packet = Packet { micros: second * 1_000_000, link: 1, wire_len: 60, data: vec![3; 60] };
        pcapng_packet(order, false, 0, 6, &packet)
    };
    scratch.write("a", &[section(order), interface(order, 1, 6), packet(5)].concat());
    let (mut source, mut seen) = (scratch.follow("a"), Seen::default());
    read(&mut source, &mut seen, 1);
    scratch.append("a", &packet(6)[..50]);
    settle(&mut source, &mut seen);
    scratch.append("a", &packet(6)[50..]);
    read(&mut source, &mut seen, 2);
    assert_eq!((seen.seconds, seen.told), (vec![5, 6], vec![]));
}

#[test]
fn a_file_cut_short_is_read_from_its_beginning() {
    let scratch = Scratch::new();
    scratch.write("a", &capture(&[1, 2, 3]));
    let (mut source, mut seen) = (scratch.follow("a"), Seen::default());
    read(&mut source, &mut seen, 3);
    let file = File::create(scratch.path("a")).unwrap();
    settle(&mut source, &mut seen);
    (&file).write_all(&capture(&[9])).unwrap();
    read(&mut source, &mut seen, 4);
    assert_eq!((seen.seconds, seen.told), (vec![1, 2, 3, 9], vec![NoticeKind::Shrunk]));
}

#[test]
fn a_replaced_file_is_read_to_its_end_first() {
    let scratch = Scratch::new();
    scratch.write("a", &capture(&[1]));
    let (mut source, mut seen) = (scratch.follow("a"), Seen::default());
    read(&mut source, &mut seen, 1);
    // As logrotate does, with a last packet after the reader saw the end.
    scratch.append("a", &[record(2), record(3)[..20].to_vec()].concat());
    fs::rename(scratch.path("a"), scratch.path("a.1")).unwrap();
    settle(&mut source, &mut seen);
    scratch.write("a", &capture(&[7, 8]));
    read(&mut source, &mut seen, 4);
    assert_eq!(seen.seconds, [1, 2, 7, 8]);
    assert!(
        matches!(seen.told[..], [NoticeKind::Truncated { packets: 2, .. }, NoticeKind::Replaced]),
        "{seen:?}"
    );
}

#[test]
fn a_filter_waits_for_the_first_link_type() {
    let scratch = Scratch::new();
    scratch.write("a", b"");
    let open = |filter: &str| {
        let options = FileOptions { filter: Some(filter.to_owned()), ..scratch.options() };
        FileSource::with(&scratch.path("a"), options).unwrap()
    };
    // It makes no sense for Ethernet, but for 802.11.
    let (mut source, mut bad) = (open("wlan type mgt"), open("no such words"));
    let frame = Packet { micros: 1_000_000, link: 105, wire_len: 60, data: vec![0; 60] };
    let other = Packet { data: vec![8; 60], ..frame.clone() };
    let records = [frame, other].map(|packet| pcap_packet(Order::Little, MICRO, &packet)).concat();
    scratch.append("a", &[pcap_header(Order::Little, MICRO, 105), records].concat());
    let mut seen = Seen::default();
    settle(&mut source, &mut seen);
    assert_eq!((seen.seconds, source.counters().filtered), (vec![1], 1));
    let error = std::iter::repeat_with(|| bad.next_frame().err()).take(3).flatten().next().unwrap();
    assert_eq!(error.exit_code(), 78);
}

#[test]
fn a_compressed_file_cannot_be_followed() {
    let scratch = Scratch::new();
    scratch.write("a", &[0x1f, 0x8b, 8, 0]);
    let error = FileSource::with(&scratch.path("a"), scratch.options()).err().unwrap();
    assert!(error.to_string().contains("without following"), "{error}");
    assert_eq!(error.exit_code(), 65);
}

#[test]
fn a_folder_is_read_in_order_of_time_and_followed() {
    let scratch = Scratch::new();
    // Names say nothing; what is no capture is passed over, and so is what is not finished.
    scratch.write("c", &capture(&[10, 11]));
    scratch.write("b", &capture(&[20, 21]));
    scratch.write("a", &capture(&[30]));
    scratch.write("notes.txt", b"hello");
    scratch.write("empty", &header());
    scratch.write(".hidden", &capture(&[5]));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&capture(&[15])).unwrap();
    scratch.write("d.gz", &gzip.finish().unwrap());
    let (mut source, mut seen) = (scratch.watch(), Seen::default());
    read(&mut source, &mut seen, 6);
    assert_eq!(seen.seconds, [10, 11, 15, 20, 21, 30]);
    // The newest grows; then another follows.
    scratch.append("a", &record(31));
    read(&mut source, &mut seen, 7);
    scratch.append("a", &record(32));
    scratch.write("e", &capture(&[40]));
    read(&mut source, &mut seen, 9);
    scratch.append("e", &record(41));
    read(&mut source, &mut seen, 10);
    assert_eq!(seen.seconds[6..], [31, 32, 40, 41]);
    settle(&mut source, &mut seen);
    scratch.end();
    settle(&mut source, &mut seen);
    assert_eq!((source.files(), source.counters().packets), (5, 10));
    assert!(seen.ended && seen.told.is_empty(), "{seen:?}");
}

#[test]
fn nothing_in_a_folder_is_read_twice() {
    let scratch = Scratch::new();
    scratch.write("ring0", &capture(&[10]));
    scratch.write("ring1", &capture(&[20]));
    let (mut source, mut seen) = (scratch.watch(), Seen::default());
    read(&mut source, &mut seen, 2);
    // The one being read is renamed and another copy compressed, as after a rotation.
    fs::rename(scratch.path("ring1"), scratch.path("ring1.old")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&capture(&[20])).unwrap();
    scratch.write("ring1.gz", &gzip.finish().unwrap());
    settle(&mut source, &mut seen);
    // The ring comes round: a name that was read holds new packets.
    scratch.write("ring0", &capture(&[30, 31]));
    read(&mut source, &mut seen, 4);
    // It is deleted while it is the newest, and another comes.
    fs::remove_file(scratch.path("ring0")).unwrap();
    scratch.write("ring2", &capture(&[40]));
    read(&mut source, &mut seen, 5);
    settle(&mut source, &mut seen);
    assert_eq!(seen, Seen { seconds: vec![10, 20, 30, 31, 40], told: vec![], ended: false });
}

#[test]
fn more_files_than_are_remembered() {
    let scratch = Scratch::new();
    let files = 700;
    for number in 0..files {
        scratch.write(&format!("{number}"), &capture(&[1000 + number]));
    }
    let (mut source, mut seen) = (scratch.watch(), Seen::default());
    read(&mut source, &mut seen, 700);
    assert!(seen.seconds.iter().copied().eq(1000..1000 + files), "{seen:?}");
    assert_eq!((source.files(), seen.told), (files, vec![]));
}

#[test]
fn damage_to_one_file_does_not_end_the_watch() {
    let scratch = Scratch::new();
    let mut bad = capture(&[10, 11]);
    let at = 24 + 76 + 8;
    bad[at..at + 4].copy_from_slice(&[0xff; 4]);
    scratch.write("a", &bad);
    scratch.write("b", &capture(&[20]));
    let (mut source, mut seen) = (scratch.watch(), Seen::default());
    read(&mut source, &mut seen, 2);
    assert_eq!(seen.seconds, [10, 20]);
    let [NoticeKind::Unusable { reason }] = &seen.told[..] else { panic!("{seen:?}") };
    assert!(reason.contains("damaged after packet 1"), "{reason}");
}

#[test]
fn what_is_late_is_told_once() {
    let scratch = Scratch::new();
    scratch.write("b", &capture(&[20]));
    let (mut source, mut seen) = (scratch.watch(), Seen::default());
    read(&mut source, &mut seen, 1);
    std::thread::sleep(Duration::from_secs(5));
    settle(&mut source, &mut seen);
    for second in [10, 11, 12] {
        scratch.write("a", &capture(&[10, second]));
        for _ in 0..2 {
            settle(&mut source, &mut seen);
        }
    }
    assert_eq!((seen.seconds, seen.told), (vec![20], vec![NoticeKind::Late]));
}

#[test]
fn no_such_folder() {
    let scratch = Scratch::new();
    let error = WatchSource::open(&scratch.path("none"), scratch.options()).err().unwrap();
    assert_eq!(error.exit_code(), 66);
}

#[test]
fn packets_from_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sender = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&capture(&[1, 2])).unwrap();
        std::thread::sleep(Duration::from_millis(600));
        stream.write_all(&record(3)).unwrap();
    });
    let url = PathBuf::from(format!("tcp://{address}"));
    let (mut source, mut seen) = (FileSource::open(&url, None).unwrap(), Seen::default());
    read(&mut source, &mut seen, 9);
    sender.join().unwrap();
    assert_eq!(
        seen,
        Seen { seconds: vec![1, 2, 3], told: vec![NoticeKind::Closed { packets: 3 }], ended: true }
    );
    // Nobody listens there any more.
    let error = FileSource::open(&url, None).err().unwrap();
    assert!(matches!(error, CaptureError::Connect { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 69);
    for bad in ["tcp://localhost", "tcp://", "tcp://127.0.0.1:http", "tcp://127.0.0.1:99999"] {
        let error = FileSource::open(Path::new(bad), None).err().unwrap();
        assert!(error.to_string().contains("host:port"), "{error}");
    }
}

#[test]
fn a_silent_connection_ends_when_asked_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let scratch = Scratch::new();
    let url = PathBuf::from(format!("tcp://{}", listener.local_addr().unwrap()));
    let (mut source, mut seen) = (FileSource::with(&url, scratch.options()).unwrap(), Seen::default());
    settle(&mut source, &mut seen);
    scratch.end();
    settle(&mut source, &mut seen);
    assert_eq!(seen, Seen { ended: true, ..Seen::default() });
}
