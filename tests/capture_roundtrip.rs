//! What is written is read again, whatever the format, through any compression and however the octets arrive; and
//! libpcap reads the same, where it reads it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "a test may panic, and cast figures it made itself"
)]

use std::io::Write as _;
use std::path::Path;

use picket::capture::{Event, FileSource, FrameSource as _, NoticeKind};
use proptest::prelude::*;

#[path = "support/savefile.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod savefile;

use savefile::{
    MICRO, MODIFIED, NANO, Order, Packet, interface, pcap_header, pcap_packet, pcapng_packet, section,
};

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Little), Just(Order::Big)]
}

fn packet(link: impl Strategy<Value = u16>) -> impl Strategy<Value = Packet> {
    let data = prop_oneof![
        9 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (0..20_000_usize).prop_map(|len| vec![5; len]),
    ];
    (0..4_000_000_000_000_000_u64, link, 0..2000_u32, data).prop_map(|(micros, link, cut, data)| {
        let wire_len = data.len() as u32 + cut;
        Packet { micros, link, wire_len, data }
    })
}

/// Link types of which nothing is left out.
const LINKS: [u16; 5] = [1, 101, 0, 147, 276];

fn packets(link: impl Strategy<Value = u16>) -> impl Strategy<Value = Vec<Packet>> {
    prop::collection::vec(packet(link), 0..12)
}

/// What a file holds, with everything that is told.
fn read(path: &Path) -> (Vec<Packet>, Vec<NoticeKind>) {
    let mut source = FileSource::open(path, None).unwrap();
    let (mut packets, mut told) = (Vec::new(), Vec::new());
    loop {
        match source.next_frame().unwrap() {
            Event::Frame(frame) => packets.push(Packet {
                micros: frame.ts.as_micros(),
                link: LINKS
                    .into_iter()
                    .find(|link| picket::frame::LinkType::from_number((*link).into()) == frame.link)
                    .unwrap(),
                wire_len: frame.wire_len,
                data: frame.data.to_vec(),
            }),
            Event::Notice(notice) => told.push(notice.kind.clone()),
            Event::Idle(_) => {}
            Event::End => return (packets, told),
        }
    }
}

fn by_libpcap(path: &Path) -> Option<Vec<Theirs>> {
    let mut capture = pcap::Capture::from_file_with_precision(path, pcap::Precision::Micro).ok()?;
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                let micros = packet.header.ts.tv_sec * 1_000_000 + packet.header.ts.tv_usec;
                frames.push((micros.cast_unsigned(), packet.header.len, packet.data.to_vec()));
            }
            Err(pcap::Error::NoMorePackets) => return Some(frames),
            Err(_) => return None,
        }
    }
}

/// Microseconds, length on the wire and octets of a frame, as libpcap reads it.
type Theirs = (u64, u32, Vec<u8>);

/// Writes octets as they are or compressed, and reads them.
fn through(compression: u8, octets: &[u8]) -> (Vec<Packet>, Vec<NoticeKind>, Option<Vec<Theirs>>) {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    let stored = match compression {
        0 => octets.to_vec(),
        1 => {
            // Two members, cut anywhere.
            let (a, b) = octets.split_at(octets.len() / 3);
            [a, b]
                .map(|part| {
                    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    gzip.write_all(part).unwrap();
                    gzip.finish().unwrap()
                })
                .concat()
        }
        _ => compress_to_vec(octets, CompressionLevel::Fastest),
    };
    std::fs::write(&path, stored).unwrap();
    let (packets, told) = read(&path);
    (packets, told, by_libpcap(&path))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pcap(
        order in order(),
        magic in prop_oneof![Just(MICRO), Just(NANO), Just(MODIFIED)],
        packets in packets(Just(1)),
        compression in 0..3_u8,
    ) {
        let mut octets = pcap_header(order, magic, 1);
        octets.extend(packets.iter().flat_map(|packet| pcap_packet(order, magic, packet)));
        let (seen, told, theirs) = through(compression, &octets);
        prop_assert_eq!(&seen, &packets);
        prop_assert_eq!(told, vec![]);
        // libpcap takes seconds for signed and knows no compression.
        if compression == 0 && packets.iter().all(|packet| packet.micros < 2_147_483_648_000_000) {
            let expected: Vec<_> = packets.into_iter().map(|p| (p.micros, p.wire_len, p.data)).collect();
            prop_assert_eq!(theirs.unwrap(), expected);
        }
    }

    #[test]
    fn pcapng(
        sections in prop::collection::vec((order(), any::<bool>(), packets(prop::sample::select(&LINKS[..]))), 1..4),
        resolutions in prop::collection::vec(prop::sample::select(vec![6, 9, 7, 0x80 | 20, 0x80 | 30]), LINKS.len()),
        compression in 0..3_u8,
    ) {
        let (mut octets, mut all) = (Vec::new(), Vec::new());
        for (order, obsolete, packets) in sections {
            octets.extend(section(order));
            for (link, resolution) in LINKS.iter().zip(&resolutions) {
                octets.extend(interface(order, *link, *resolution));
            }
            for mut packet in packets {
                let number = LINKS.iter().position(|link| *link == packet.link).unwrap();
                packet.micros %= 2_000_000_000_000_000;
                octets.extend(pcapng_packet(order, obsolete, number as u16, resolutions[number], &packet));
                all.push(packet);
            }
        }
        let (seen, told, _) = through(compression, &octets);
        // Units of less than a microsecond that are no part of it round down.
        let fine = |packet: &Packet| resolutions[LINKS.iter().position(|link| *link == packet.link).unwrap()] != 0x80 | 20;
        prop_assert_eq!(seen.len(), all.len());
        for (seen, written) in seen.iter().zip(&all) {
            let micros = if fine(written) { written.micros } else { seen.micros };
            prop_assert!(seen.micros.abs_diff(written.micros) <= 1);
            prop_assert_eq!(&Packet { micros, ..seen.clone() }, written);
        }
        prop_assert_eq!(told, vec![]);
    }

    #[test]
    fn one_link_type_in_pcapng_as_libpcap_reads_it(
        order in order(),
        obsolete in any::<bool>(),
        resolution in prop::sample::select(vec![3_u8, 6, 9, 0x80 | 10, 0x80 | 32]),
        packets in packets(Just(1)),
    ) {
        let mut octets = [section(order), interface(order, 1, resolution)].concat();
        for packet in &packets {
            let packet = Packet { micros: packet.micros % 2_000_000_000_000_000, ..packet.clone() };
            octets.extend(pcapng_packet(order, obsolete, 0, resolution, &packet));
        }
        let (seen, _, theirs) = through(0, &octets);
        let seen: Vec<_> = seen.into_iter().map(|packet| (packet.micros, packet.wire_len, packet.data)).collect();
        prop_assert_eq!(seen, theirs.unwrap());
    }

    #[test]
    fn damage_anywhere_costs_few_packets(
        pcapng in any::<bool>(),
        packets in prop::collection::vec(packet(Just(1)), 6..12),
        place in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>(), 1..100),
    ) {
        // Close in time, as packets are.
        let packets: Vec<Packet> = packets.into_iter().enumerate().map(|(index, mut packet)| {
            packet.micros = 1_700_000_000_000_000 + index as u64;
            packet.data.resize(packet.data.len().max(1), 7);
            packet.wire_len = packet.wire_len.max(packet.data.len() as u32);
            packet
        }).collect();
        let order = Order::Little;
        let mut parts = vec![if pcapng { [section(order), interface(order, 1, 6)].concat() } else { pcap_header(order, MICRO, 1) }];
        parts.extend(packets.iter().map(|packet| {
            if pcapng { pcapng_packet(order, false, 0, 6, packet) } else { pcap_packet(order, MICRO, packet) }
        }));
        // Between two packets, with at least three after it.
        let at = 1 + place.index(packets.len() - 4);
        // A length that no packet has, else what follows would be taken for one.
        parts.insert(at, [&[0xff; 16][..], &garbage].concat());
        let (seen, told, _) = through(0, &parts.concat());
        prop_assert_eq!(seen, packets);
        prop_assert_eq!(told.len(), 1);
    }
}
