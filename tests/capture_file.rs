//! Capture files of every kind, good and bad, built octet by octet.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use picket::capture::{CaptureError, Event, FileSource, FrameSource, NoticeKind};
use picket::frame::LinkType;
use picket::time::Timestamp;

#[path = "support/savefile.rs"]
#[allow(dead_code, unreachable_pub, clippy::cast_possible_truncation, reason = "shared with other tests")]
mod savefile;

use savefile::{MICRO, NANO, Order, Packet, interface, pcap_header, pcap_packet, pcapng_packet, section};

/// Two frames: 60 octets at .000001, then 1000 on the wire of which 100 were kept at .999999.
const FRAMES: [(u32, u32, usize, u32); 2] = [(1_700_000_000, 1, 60, 60), (1_700_000_001, 999_999, 100, 1000)];

/// [`FRAMES`] as they are written: each octet is the number of its frame.
fn packets() -> [Packet; 2] {
    [0_u8, 1].map(|index| {
        let (secs, micros, kept, wire_len) = FRAMES[usize::from(index)];
        let micros = u64::from(secs) * 1_000_000 + u64::from(micros);
        Packet { micros, link: 1, wire_len, data: vec![index; kept] }
    })
}

/// A pcap file header and [`FRAMES`]. Nanoseconds beyond microseconds must be cut off, not rounded.
fn pcap(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let records = packets().map(|packet| pcap_packet(order, magic, &packet));
    [pcap_header(order, magic, link), records.concat()].concat()
}

/// The same as pcapng: section header, one interface, enhanced packets.
fn pcapng(order: Order, nanoseconds: bool) -> Vec<u8> {
    let resolution = if nanoseconds { 9 } else { 6 };
    let blocks = packets().map(|packet| pcapng_packet(order, false, 0, resolution, &packet));
    [section(order), interface(order, 1, resolution), blocks.concat()].concat()
}

/// A folder of the test's own with one file in it.
struct Scratch {
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Scratch {
    fn new(name: impl AsRef<Path>, bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self { path, _dir: dir }
    }

    fn open(&self) -> Result<FileSource, CaptureError> {
        FileSource::open(&self.path, None)
    }

    /// The error on opening, checked to be one line that names the file.
    fn refusal(&self) -> CaptureError {
        let error = self.open().err().expect("must be refused");
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: ", self.path.display())), "{text}");
        assert!(!text.contains('\n'), "{text}");
        error
    }
}

/// How many frames come before the end or the error, and what else is told.
fn drain(source: &mut FileSource) -> (u64, Vec<NoticeKind>, Result<(), CaptureError>) {
    let (mut frames, mut told) = (0, Vec::new());
    loop {
        match source.next_frame() {
            Ok(Event::Frame(_)) => frames += 1,
            // A pipe may have nothing to say for a while.
            Ok(Event::Idle(_)) => {}
            Ok(Event::Notice(notice)) => {
                let text = notice.to_string();
                assert!(
                    text.starts_with(&format!("{}: ", source_path(notice))) && !text.contains('\n'),
                    "{text}"
                );
                told.push(notice.kind.clone());
            }
            Ok(Event::End) => return (frames, told, Ok(())),
            Err(error) => return (frames, told, Err(error)),
        }
    }
}

fn source_path(notice: &picket::capture::Notice) -> String {
    notice.path.display().to_string()
}

/// How many frames there are in a file without any fault.
#[track_caller]
fn count(source: &mut FileSource) -> u64 {
    let (frames, told, end) = drain(source);
    end.unwrap();
    assert_eq!(told, []);
    frames
}

#[track_caller]
fn holds_the_two_frames(bytes: &[u8], name: &str) {
    let scratch = Scratch::new(name, bytes);
    let mut source = scratch.open().unwrap();
    assert_eq!(source.total_bytes(), Some(bytes.len() as u64));
    for (index, (secs, micros, kept, wire)) in FRAMES.into_iter().enumerate() {
        let Event::Frame(frame) = source.next_frame().unwrap() else { panic!("frame {index} is missing") };
        assert_eq!(frame.ts, Timestamp::from_micros(u64::from(secs) * 1_000_000 + u64::from(micros)));
        assert_eq!((frame.wire_len, frame.link), (wire, LinkType::Ethernet));
        assert_eq!(frame.data, vec![u8::try_from(index).unwrap(); kept]);
    }
    assert!(matches!(source.next_frame(), Ok(Event::End)));
    assert!(matches!(source.next_frame(), Ok(Event::End)), "the end stays the end");
    assert_eq!(source.packets(), 2);
    assert_eq!(source.position_bytes(), Some(bytes.len() as u64));
}

#[test]
fn pcap_of_either_octet_order_and_precision() {
    for order in [Order::Little, Order::Big] {
        for magic in [MICRO, NANO] {
            holds_the_two_frames(&pcap(order, magic, 1), "a.pcap");
        }
    }
}

#[test]
fn pcapng_of_either_octet_order_and_precision() {
    for order in [Order::Little, Order::Big] {
        for nanoseconds in [false, true] {
            holds_the_two_frames(&pcapng(order, nanoseconds), "a.pcapng");
        }
    }
}

#[test]
fn the_suffix_means_nothing() {
    holds_the_two_frames(&pcap(Order::Little, MICRO, 1), "a.pcapng");
    holds_the_two_frames(&pcapng(Order::Little, false), "a.pcap");
    holds_the_two_frames(&pcap(Order::Little, MICRO, 1), "a.txt");
}

#[test]
fn a_name_that_is_not_utf8_opens() {
    let scratch = Scratch::new(OsStr::from_bytes(b"caf\xe9.pcap"), &pcap(Order::Little, MICRO, 1));
    assert_eq!(count(&mut scratch.open().unwrap()), 2);
}

#[test]
fn link_types_are_told() {
    for (number, link) in [
        (113, LinkType::LinuxSll),
        (276, LinkType::LinuxSll2),
        (101, LinkType::RawIp),
        (0, LinkType::Null),
        (147, LinkType::Other(147)),
    ] {
        for check_sequence in [0, 0x2400_0000] {
            let scratch = Scratch::new("a.pcap", &pcap(Order::Little, MICRO, number | check_sequence));
            let mut source = scratch.open().unwrap();
            let Ok(Event::Frame(frame)) = source.next_frame() else { panic!("no frame") };
            assert_eq!(frame.link, link);
        }
    }
}

#[test]
fn truncation_anywhere_yields_the_whole_packets_and_says_where() {
    let whole = pcap(Order::Little, MICRO, 1);
    let second = 24 + 16 + 60;
    // Inside the second packet's header, and inside its data.
    for cut in [second + 1, second + 15, second + 16, second + 17, whole.len() - 1] {
        let scratch = Scratch::new("cut.pcap", &whole[..cut]);
        let mut source = scratch.open().unwrap();
        let (frames, told, end) = drain(&mut source);
        end.unwrap();
        assert_eq!((frames, told), (1, vec![NoticeKind::Truncated { offset: second as u64, packets: 1 }]));
        assert!(matches!(source.next_frame(), Ok(Event::End)), "it is told once");
    }
    // Between two packets it is a shorter capture, nothing more.
    assert_eq!(count(&mut Scratch::new("cut.pcap", &whole[..second]).open().unwrap()), 1);
}

#[test]
fn truncated_pcapng_is_told_too() {
    let whole = pcapng(Order::Little, false);
    // The last block is 12 + 20 + 100 octets, and 12 of a comment.
    let offset = whole.len() as u64 - 144;
    for missing in [1, 4, 40, 120] {
        let scratch = Scratch::new("cut", &whole[..whole.len() - missing]);
        let (frames, told, end) = drain(&mut scratch.open().unwrap());
        end.unwrap();
        assert_eq!((frames, told), (1, vec![NoticeKind::Truncated { offset, packets: 1 }]));
    }
}

#[test]
fn an_absurd_packet_length_at_the_end_is_damage() {
    let mut bytes = pcap(Order::Little, MICRO, 1);
    bytes[100 + 8..100 + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let (frames, told, end) = drain(&mut Scratch::new("bad.pcap", &bytes).open().unwrap());
    assert_eq!((frames, told), (1, vec![]));
    let error = end.expect_err("damage must be told");
    assert!(matches!(error, CaptureError::Corrupt { packets: 1, .. }), "{error:?}");
    assert_eq!(error.exit_code(), 65);
    assert!(error.to_string().contains("octet 100"), "{error}");
}

#[test]
fn damage_is_passed_over_and_told_a_few_times() {
    let one = pcap(Order::Little, MICRO, 1);
    let (header, records) = one.split_at(24);
    let mut bad = records.to_vec();
    bad[8..12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    for places in [1, 9] {
        let mut bytes = [header, records].concat();
        for _ in 0..places {
            bytes.extend(&bad);
            bytes.extend(records);
        }
        let mut source = Scratch::new("bad.pcap", &bytes).open().unwrap();
        let (frames, told, end) = drain(&mut source);
        end.unwrap();
        // What comes after the bad header, in its place or behind, is still whole.
        assert_eq!(frames, 2 + 3 * places);
        assert_eq!(told[0], NoticeKind::Damaged { offset: 24 + 192, octets: 76, packets: 2 });
        assert_eq!(told.len() as u64, places.min(6));
        assert_eq!(told.contains(&NoticeKind::ManyDamages), places > 5);
        assert_eq!(source.counters().losses.damages, places);
    }
}

#[test]
fn compressed_files_are_read_as_they_are() {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    for plain in [pcap(Order::Big, NANO, 1), pcapng(Order::Little, true)] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&plain).unwrap();
        let gzip = gzip.finish().unwrap();
        holds_the_two_frames(&gzip, "a.pcap");
        holds_the_two_frames(&compress_to_vec(&plain[..], CompressionLevel::Fastest), "a.pcap");
        // Cut off, all but the last packet is there.
        let (frames, told, end) = drain(&mut Scratch::new("a.gz", &gzip[..gzip.len() - 12]).open().unwrap());
        end.unwrap();
        assert_eq!(frames, 1);
        assert!(matches!(told[..], [NoticeKind::Truncated { packets: 1, .. }]), "{told:?}");
        // A wrong checksum is found after all packets.
        let mut wrong = gzip.clone();
        let at = wrong.len() - 8;
        wrong[at] ^= 1;
        let (frames, _, end) = drain(&mut Scratch::new("a.gz", &wrong).open().unwrap());
        assert_eq!(frames, 2);
        assert_eq!(end.expect_err("damaged").exit_code(), 65);
        // Compressed again it is none.
        let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        twice.write_all(&gzip).unwrap();
        let error = Scratch::new("a.gz.gz", &twice.finish().unwrap()).refusal();
        assert!(error.to_string().contains("compressed twice"), "{error}");
    }
}

#[test]
fn a_file_header_alone_is_an_empty_capture() {
    assert_eq!(count(&mut Scratch::new("a.pcap", &pcap(Order::Big, NANO, 1)[..24]).open().unwrap()), 0);
}

#[test]
fn what_is_not_a_capture_is_refused_with_65() {
    let whole = pcap(Order::Little, MICRO, 1);
    let random: Vec<u8> = (0..4096_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for bytes in [&[][..], &[0xd4], &whole[..4], &whole[..23], &random, b"ts,host,count\n1,2,3\n"] {
        let error = Scratch::new("a.pcap", bytes).refusal();
        assert!(matches!(error, CaptureError::NotACapture { .. }), "{error:?}");
        assert_eq!(error.exit_code(), 65);
    }
    for (magic, said) in [
        (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..], "it is empty"),
        (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 7, 7, 7, 7], "cannot be decompressed"),
        // A window of 128 MiB.
        (&[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 1, 0, 0], "pipe it in"),
        (b"\xfd7zXZ\0", "xzcat"),
        (&[4, 0x22, 0x4d, 0x18, 0], "lz4 -dc"),
        (b"BZh91AY", "bzcat"),
        (b"PK\x03\x04", "unpack"),
        (b"XCP\x00002.002", "editcap"),
    ] {
        let error = Scratch::new("a.pcap", magic).refusal();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.exit_code(), 65);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_66() {
    let scratch = Scratch::new("a.pcap", b"");
    let folder = scratch.path.parent().unwrap();
    let error = FileSource::open(folder, None).err().unwrap();
    assert!(matches!(error, CaptureError::Directory { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 66);

    let error = FileSource::open(&folder.join("absent.pcap"), None).err().unwrap();
    assert!(matches!(error, CaptureError::NoSuchFile { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 66);

    let error = FileSource::open(&scratch.path.join("under-a-file"), None).err().unwrap();
    assert!(matches!(error, CaptureError::Unreadable { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 66);
}

#[test]
fn filters_apply_and_bad_ones_are_refused_with_78() {
    let scratch = Scratch::new("a.pcap", &pcap(Order::Little, MICRO, 1));
    let kept = |filter| count(&mut FileSource::open(&scratch.path, Some(filter)).unwrap());
    assert_eq!(kept("less 60"), 1);
    assert_eq!(kept("greater 1000"), 1, "the length on the wire counts");
    assert_eq!(kept("ether[0] = 1"), 1);
    assert_eq!(kept("tcp"), 0);
    assert_eq!(kept("  "), 2, "an empty filter lets everything pass");
    for bad in ["port", "tcp) or (udp", "inbound"] {
        let error = FileSource::open(&scratch.path, Some(bad)).err().unwrap();
        assert!(matches!(&error, CaptureError::Filter { filter, .. } if filter == bad), "{error:?}");
        assert_eq!(error.exit_code(), 78);
    }
}

#[test]
fn of_two_cooked_loopback_copies_one_is_kept() {
    // (link type, packet type, ARPHRD type) -> yielded
    for (link, packet_type, hardware, kept) in [
        (113, 4, 772, false), // loopback, outgoing
        (113, 0, 772, true),  // loopback, incoming
        (113, 4, 1, true),    // Ethernet, outgoing
        (276, 4, 772, false),
        (276, 0, 772, true),
        (276, 4, 1, true),
    ] {
        let mut bytes = pcap(Order::Little, MICRO, link);
        let frame = 24 + 16;
        let data = &mut bytes[frame..frame + 20];
        data.fill(0);
        let [_, low_type] = u16::to_be_bytes(packet_type);
        let hardware_octets = u16::to_be_bytes(hardware);
        if link == 113 {
            data[1] = low_type;
            data[2..4].copy_from_slice(&hardware_octets);
        } else {
            data[8..10].copy_from_slice(&hardware_octets);
            data[10] = low_type;
        }
        let scratch = Scratch::new("a.pcap", &bytes);
        let mut source = scratch.open().unwrap();
        let frames = count(&mut source);
        assert_eq!(source.counters().copies, u64::from(!kept));
        assert_eq!(frames, 1 + u64::from(kept), "link {link}, type {packet_type}, device {hardware}");
        // Also beside a filter of the user's.
        let filtered = FileSource::open(&scratch.path, Some("less 60 or greater 60"));
        assert_eq!(count(&mut filtered.unwrap()), 1 + u64::from(kept));
    }
}

#[test]
fn a_named_pipe_reads_like_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, pcap(Order::Little, MICRO, 1)).unwrap()
    });
    let mut source = FileSource::open(&path, None).unwrap();
    assert_eq!((source.total_bytes(), source.position_bytes()), (None, None));
    assert_eq!(count(&mut source), 2);
    writer.join().unwrap();
}

/// Set for the child that [`standard_input_is_a_dash`] starts.
const CHILD: &str = "PICKET_TEST_STDIN";

#[test]
fn standard_input_is_a_dash() {
    if std::env::var_os(CHILD).is_some() {
        let mut source = FileSource::open(Path::new("-"), None).unwrap();
        let total = source.total_bytes();
        let frames = count(&mut source);
        println!("frames={frames} total={total:?} position={:?}", source.position_bytes());
        return;
    }
    let bytes = pcap(Order::Little, MICRO, 1);
    let child = |stdin: Stdio| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "standard_input_is_a_dash", "--nocapture"])
            .env(CHILD, "1")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut piped = child(Stdio::piped());
    piped.stdin.take().unwrap().write_all(&bytes).unwrap();
    let out = String::from_utf8(piped.wait_with_output().unwrap().stdout).unwrap();
    assert!(out.contains("frames=2 total=None position=None"), "{out}");

    let scratch = Scratch::new("a.pcap", &bytes);
    let redirected = child(std::fs::File::open(&scratch.path).unwrap().into());
    let out = String::from_utf8(redirected.wait_with_output().unwrap().stdout).unwrap();
    let size = bytes.len();
    assert!(out.contains(&format!("frames=2 total=Some({size}) position=Some({size})")), "{out}");
}
