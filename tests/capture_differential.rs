//! Our reader of capture files against libpcap, frame by frame, on the captures of others where they are at hand (see
//! `corpus.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may panic, look at the environment and say why it was skipped"
)]

mod support;

use std::fs;
use std::path::Path;

use picket::capture::{CaptureError, Event, FileSource, FrameSource as _, NoticeKind};
use picket::frame::LinkType;
use picket::time::Timestamp;

use support::corpus::{corpus, files};

/// Files with record headers that are not those of their magic number, which libpcap reads wrongly.
const MISREAD: [&str; 1] = ["mqtt_packets_RedHat61_tcpdump.pcap"];

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    ts: Timestamp,
    /// Whether it is a time: libpcap takes the fields for signed, fractions may be beyond a second, and simple
    /// packets have none, for which we take that of the packet before.
    is_timely: bool,
    link: LinkType,
    wire_len: u32,
    data: Vec<u8>,
}

/// What libpcap reads of a file: frames up to the end, or up to what it refuses.
struct Theirs {
    frames: Vec<Seen>,
    refusal: Option<String>,
}

/// The frames of a file by libpcap; of two copies on a loopback device the incoming one, by libpcap's filter.
fn by_libpcap(path: &Path) -> Theirs {
    let mut frames = Vec::new();
    let mut capture = match pcap::Capture::from_file_with_precision(path, pcap::Precision::Micro) {
        Ok(capture) => capture,
        Err(error) => return Theirs { frames, refusal: Some(error.to_string()) },
    };
    // Files and libpcap number some link types differently.
    let link = LinkType::from_number(match capture.get_datalink().0 {
        11 => 100,
        15 => 102,
        16 => 103,
        19 => 106,
        same => same,
    });
    let one_copy = match link {
        LinkType::LinuxSll => "link[0:2] != 4 or link[2:2] != 772",
        LinkType::LinuxSll2 => "link[10] != 4 or link[8:2] != 772",
        _ => "",
    };
    capture.filter(one_copy, true).unwrap();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                let (secs, micros) = (packet.header.ts.tv_sec, packet.header.ts.tv_usec);
                frames.push(Seen {
                    ts: Timestamp::from_micros((secs * 1_000_000 + micros).try_into().unwrap_or_default()),
                    is_timely: secs >= 0 && (0..1_000_000).contains(&micros) && (secs, micros) != (0, 0),
                    link,
                    wire_len: packet.header.len.max(packet.header.caplen),
                    data: packet.data.to_vec(),
                });
            }
            Err(pcap::Error::NoMorePackets) => return Theirs { frames, refusal: None },
            Err(error) => return Theirs { frames, refusal: Some(error.to_string()) },
        }
    }
}

/// What our reader makes of a file.
struct Ours {
    frames: Vec<Seen>,
    notices: Vec<NoticeKind>,
    end: Result<(), CaptureError>,
}

fn by_us(path: &Path) -> Result<Ours, CaptureError> {
    let mut source = FileSource::open(path, None)?;
    let (mut frames, mut notices) = (Vec::new(), Vec::new());
    let end = loop {
        match source.next_frame() {
            Ok(Event::Frame(frame)) => frames.push(Seen {
                ts: frame.ts,
                is_timely: true,
                link: frame.link,
                wire_len: frame.wire_len,
                data: frame.data.to_vec(),
            }),
            Ok(Event::Notice(notice)) => notices.push(notice.kind.clone()),
            Ok(Event::Idle(_)) => {}
            Ok(Event::End) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    Ok(Ours { frames, notices, end })
}

/// The snaplen of a pcap file in either octet order: libpcap cuts frames to it, we take what is there.
fn snaplens(path: &Path) -> [u32; 2] {
    let octets = fs::read(path).unwrap().get(16..20).map_or([0; 4], |octets| octets.try_into().unwrap());
    [u32::from_le_bytes(octets), u32::from_be_bytes(octets)]
}

#[test]
fn frames_equal_those_of_libpcap() {
    let Some(corpus) = corpus("frames_equal_those_of_libpcap") else { return };
    let (mut equal, mut frames, mut more, mut neither, mut untimely) = (0, 0, 0, 0, 0);
    for path in files(&corpus) {
        let name = path.strip_prefix(&corpus).unwrap().display();
        let theirs = by_libpcap(&path);
        let ours = match by_us(&path) {
            Ok(ours) => ours,
            Err(error) => {
                let libpcap = theirs.refusal.unwrap_or_else(|| panic!("{name}: libpcap reads it: {error}"));
                assert!(theirs.frames.is_empty(), "{name}: {libpcap}");
                neither += 1;
                continue;
            }
        };
        let snaplens = snaplens(&path).map(|snaplen| snaplen as usize);
        if MISREAD.iter().any(|name| path.ends_with(name)) {
            println!("corpus: {name}: {} frames; libpcap misreads it", ours.frames.len());
            continue;
        }
        for (index, (ours, theirs)) in ours.frames.iter().zip(&theirs.frames).enumerate() {
            let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
            theirs.wire_len = theirs.wire_len.max(ours.data.len().try_into().unwrap());
            if snaplens.contains(&theirs.data.len()) {
                ours.data.truncate(theirs.data.len());
            }
            if !theirs.is_timely {
                untimely += 1;
                (ours.ts, ours.is_timely) = (theirs.ts, false);
            }
            assert_eq!(ours, theirs, "{name}: frame {}", index + 1);
        }
        frames += theirs.frames.len();
        match &theirs.refusal {
            None => {
                assert_eq!(ours.frames.len(), theirs.frames.len(), "{name}");
                assert!(
                    ours.end.is_ok() && ours.notices.is_empty(),
                    "{name}: {:?} {:?}",
                    ours.end,
                    ours.notices
                );
                equal += 1;
            }
            Some(reason) => {
                assert!(ours.frames.len() >= theirs.frames.len(), "{name}: {reason}");
                let (ours, theirs) = (ours.frames.len(), theirs.frames.len());
                println!("corpus: {name}: {ours} frames; libpcap {theirs}, then {reason}");
                more += 1;
            }
        }
    }
    println!("corpus: {untimely} frames whose time cannot be were compared without it");
    println!(
        "corpus: {equal} files of {frames} frames alike; {more} that libpcap refuses; {neither} are no captures"
    );
    assert!(equal > 0, "nothing was compared");
}
