//! Real interfaces. All but the first tests need root: they run in a network namespace of their own, made by
//! starting this test binary again under `unshare --net`, and print a line when they are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may panic, wait, read the clock and say why it was skipped"
)]

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use picket::capture::{
    BlindReason, CaptureError, Event, FrameSource, InterfaceStatus, LiveOptions, LiveSource, State,
};
use picket::frame::LinkType;
use picket::time::Timestamp;

#[path = "support/again.rs"]
#[expect(dead_code, reason = "nothing here has to be alone")]
mod again;
#[path = "support/namespace.rs"]
mod namespace;

use namespace::{in_namespace, ip};

/// A pair of connected interfaces `va` and `vb`, both up, on which nothing is sent but by the test: without an IPv6
/// address there is no neighbour discovery, whose frames the kernel may count before the filter is set.
fn make_pair() {
    ip("link add va type veth peer name vb");
    ip("link set va addrgenmode none");
    ip("link set vb addrgenmode none");
    ip("link set va up");
    ip("link set vb up");
}

/// The Ethernet type for local experiments: nothing else in a namespace sends it.
const MARKED: &str = "ether proto 0x88b5";

/// Sends frames out of `interface` whose 15th octet counts `numbers`.
fn send_marked(interface: &str, numbers: std::ops::Range<u8>) {
    send_paced(interface, numbers, Duration::ZERO);
}

/// The same with a pause before each.
fn send_paced(interface: &str, numbers: std::ops::Range<u8>, pause: Duration) {
    let mut sender = pcap::Capture::from_device(interface).unwrap().open().unwrap();
    for number in numbers {
        std::thread::sleep(pause);
        let mut frame = [0; 60];
        frame[..12].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1]);
        frame[12..14].copy_from_slice(&0x88b5_u16.to_be_bytes());
        frame[14] = number;
        sender.sendpacket(&frame[..]).unwrap();
    }
}

fn options(filter: &str) -> LiveOptions {
    LiveOptions {
        filter: Some(filter.to_owned()),
        tick: Duration::from_millis(50),
        buffer_bytes: 2 << 20,
        ..LiveOptions::default()
    }
}

/// What arrives until three ticks in a row were idle.
fn collect(source: &mut LiveSource) -> Vec<(Timestamp, LinkType, Vec<u8>)> {
    let (mut frames, mut idle) = (Vec::new(), 0);
    while idle < 3 {
        match source.next_frame().unwrap() {
            Event::Frame(frame) => {
                idle = 0;
                frames.push((frame.ts, frame.link, frame.data.to_vec()));
            }
            Event::Idle(_) => idle += 1,
            Event::Notice(_) | Event::End => panic!("a live source does not end"),
        }
    }
    frames
}

/// How long a change of state may take to be noticed on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Reads on, at most [`LIMIT`], until the first interface is as wanted.
#[track_caller]
fn wait_for(source: &mut LiveSource, wanted: fn(&InterfaceStatus) -> bool) {
    let start = Instant::now();
    while !wanted(source.status().next().unwrap()) {
        let status: Vec<_> = source.status().collect();
        assert!(start.elapsed() < LIMIT, "{status:?}");
        source.next_frame().unwrap();
    }
}

fn is_ok(status: &InterfaceStatus) -> bool {
    status.state == State::Ok
}

fn is_blind(status: &InterfaceStatus) -> bool {
    status.state != State::Ok
}

fn refusal(names: &[&str], options: LiveOptions) -> CaptureError {
    let error = LiveSource::open(names, options).err().expect("must be refused");
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn an_unknown_interface_is_refused_with_66_and_the_known_ones() {
    let error = refusal(&["nosuch0"], LiveOptions::default());
    assert!(matches!(error, CaptureError::NoSuchInterface { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 66);
    let text = error.to_string();
    assert!(text.starts_with("nosuch0: no such interface; there are: "), "{text}");
    assert!(text.contains("lo") && text.ends_with("any"), "{text}");
}

#[test]
fn what_cannot_be_meant_is_refused_with_78() {
    let error = refusal(&["lo"], options("tcp prot 1883"));
    assert!(matches!(error, CaptureError::Filter { .. }), "{error:?}");
    assert_eq!(error.exit_code(), 78);

    let error = refusal(&[], LiveOptions::default());
    assert!(matches!(error, CaptureError::NoInterface), "{error:?}");
    assert_eq!(error.exit_code(), 78);

    let error = refusal(&["any", "lo"], LiveOptions::default());
    assert!(matches!(error, CaptureError::AnyAndOthers), "{error:?}");
    assert_eq!(error.exit_code(), 78);
}

#[test]
fn without_the_right_to_capture_77() {
    in_namespace("without_the_right_to_capture_77", || {
        ip("link set lo up");
        make_pair();
        ip("link set va down");
        let nobody = nix::unistd::Uid::from_raw(65_534);
        nix::unistd::setuid(nobody).unwrap();
        // Neither the kind of interface nor its being down may hide the reason.
        for name in ["lo", "any", "va", "vb"] {
            let error = refusal(&[name], LiveOptions::default());
            assert!(matches!(error, CaptureError::NoPermission { .. }), "{name}: {error:?}");
            assert_eq!(error.exit_code(), 77);
            assert!(error.to_string().contains("setcap cap_net_raw+ep"), "{error}");
        }
    });
}

/// Sends numbered datagrams over the loopback device `interface` stands for, and wants each once.
fn each_datagram_once(interface: &str, link: LinkType, immediate: bool) {
    // At once, a ring of 32 MiB holds about 500 copies.
    const COUNT: u32 = 200;
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = receiver.local_addr().unwrap().port();
    let options = LiveOptions { immediate, buffer_bytes: 32 << 20, ..options(&format!("udp port {port}")) };
    let mut source = LiveSource::open(&[interface], options).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..COUNT {
        sender.send_to(&number.to_be_bytes(), ("127.0.0.1", port)).unwrap();
    }
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    for (_, frame_link, data) in collect(&mut source) {
        assert_eq!(frame_link, link);
        // Link header, IPv4 20, UDP 8, then the number.
        let header = if link == LinkType::LinuxSll { 16 } else { 14 };
        let number = data[header + 28..header + 32].try_into().unwrap();
        *seen.entry(u32::from_be_bytes(number)).or_default() += 1;
    }
    let once = seen.len() == COUNT as usize && seen.values().all(|&copies| copies == 1);
    assert!(once, "{interface}, immediate {immediate}: {seen:?}");
    // The kernel's counters are read once a second.
    wait_for(&mut source, |status| status.counters.received > 0);
    let status = source.status().next().unwrap();
    assert_eq!(status.counters.delivered, u64::from(COUNT));
    assert_eq!(status.counters.received, 2 * u64::from(COUNT), "the kernel counts both copies");
    assert_eq!(status.counters.dropped, 0);
}

#[test]
fn loopback_frames_come_once() {
    in_namespace("loopback_frames_come_once", || {
        ip("link set lo up");
        for immediate in [false, true] {
            each_datagram_once("lo", LinkType::Ethernet, immediate);
            each_datagram_once("any", LinkType::LinuxSll, immediate);
        }
    });
}

#[test]
fn loopback_frames_come_once_by_any_other_name() {
    in_namespace("loopback_frames_come_once_by_any_other_name", || {
        // An interface that is up may refuse another name.
        ip("link set lo down");
        ip("link set lo name loop0");
        ip("link set loop0 up");
        each_datagram_once("loop0", LinkType::Ethernet, false);
        each_datagram_once("any", LinkType::LinuxSll, false);
    });
}

#[test]
fn a_deleted_interface_is_blind_and_comes_back() {
    in_namespace("a_deleted_interface_is_blind_and_comes_back", || {
        ip("link add vc type veth peer name vd");
        ip("link set vc up");
        ip("link set vd up");
        make_pair();
        let mut source = LiveSource::open(&["va", "vc"], options(MARKED)).unwrap();
        send_marked("vb", 0..10);
        assert_eq!(collect(&mut source).len(), 10);

        ip("link delete va");
        wait_for(&mut source, is_blind);
        // libpcap notices first, the check that follows names the cause.
        wait_for(&mut source, |status| {
            matches!(status.state, State::Blind { reason: BlindReason::Gone, .. })
        });
        let State::Blind { since, .. } = source.status().next().unwrap().state else { unreachable!() };
        assert!(since > Timestamp::from_secs(1_700_000_000), "the wall clock");
        // The other goes on, and nothing spins meanwhile.
        send_marked("vd", 0..5);
        assert_eq!(collect(&mut source).len(), 5);
        let start = Instant::now();
        let mut events = 0;
        while start.elapsed() < Duration::from_millis(1500) {
            source.next_frame().unwrap();
            events += 1;
        }
        assert!(events <= 40, "{events} events in 1.5 s of 50 ms ticks");

        make_pair();
        wait_for(&mut source, is_ok);
        send_marked("vb", 10..17);
        assert_eq!(collect(&mut source).len(), 7);
        wait_for(&mut source, |status| status.counters.received == 17);
        let status = source.status().next().unwrap();
        assert_eq!(status.recoveries, 1);
        assert_eq!(status.counters.delivered, 17, "counted over the reopening");
    });
}

#[test]
fn an_interface_that_is_down_is_blind_and_comes_back() {
    in_namespace("an_interface_that_is_down_is_blind_and_comes_back", || {
        make_pair();
        ip("link set va down");
        let mut source = LiveSource::open(&["va"], options(MARKED)).unwrap();
        assert!(matches!(
            source.status().next().unwrap().state,
            State::Blind { reason: BlindReason::Down, .. }
        ));
        let (mut round, mut at_once) = (0, false);
        while round < 2 || !at_once && round < 12 {
            round += 1;
            ip("link set va up");
            wait_for(&mut source, is_ok);
            send_marked("vb", 0..10);
            assert_eq!(collect(&mut source).len(), 10, "round {round}");
            ip("link set va down");
            let went_down = Instant::now();
            wait_for(&mut source, is_blind);
            at_once |= went_down.elapsed() < Duration::from_millis(400);
            wait_for(&mut source, |status| {
                matches!(status.state, State::Blind { reason: BlindReason::Down, .. })
            });
            assert_eq!(source.status().next().unwrap().recoveries, round);
        }
        assert!(at_once, "the socket tells at once, not only the check every second");
    });
}

#[test]
fn a_renamed_interface_is_gone_and_one_that_takes_its_name_is_used() {
    in_namespace("a_renamed_interface_is_gone_and_one_that_takes_its_name_is_used", || {
        make_pair();
        let mut source = LiveSource::open(&["va"], options(MARKED)).unwrap();
        ip("link set va name old"); // allowed while up since Linux 6.2, else it goes down first
        wait_for(&mut source, |status| {
            matches!(status.state, State::Blind { reason: BlindReason::Gone, .. })
        });
        ip("link set old name va");
        wait_for(&mut source, is_ok);

        // The name passes to another device between two checks, and the old one lives on.
        ip("link add vc type veth peer name vd");
        ip("link set vc up");
        ip("link set vd up");
        ip("link set va name old");
        ip("link set vc name va");
        wait_for(&mut source, |status| status.recoveries == 2);
        send_marked("vb", 0..3);
        send_marked("vd", 10..20);
        let frames = collect(&mut source);
        let numbers: Vec<u8> = frames.iter().map(|(_, _, data)| data[14]).collect();
        assert!(numbers.iter().copied().eq(10..20), "{numbers:?}");
    });
}

#[test]
fn several_interfaces_merge_in_order_of_time() {
    in_namespace("several_interfaces_merge_in_order_of_time", || {
        make_pair();
        // A frame sent out of `vb` is outgoing there and incoming on `va`: both are seen, in that order.
        let mut source = LiveSource::open(&["va", "vb", "va"], options(MARKED)).unwrap();
        assert_eq!(source.status().len(), 2, "a name given twice counts once");
        send_marked("vb", 0..200);
        std::thread::sleep(Duration::from_millis(100));
        let frames = collect(&mut source);
        assert_eq!(frames.len(), 400);
        assert!(frames.is_sorted_by_key(|(ts, ..)| *ts), "waiting frames come in order");
        let numbers: Vec<u8> = frames.iter().map(|(_, _, data)| data[14]).collect();
        let twice: Vec<u8> = (0..200).flat_map(|number| [number, number]).collect();
        assert_eq!(numbers, twice);
    });
}

#[test]
fn nothing_earlier_follows_an_idle_tick() {
    in_namespace("nothing_earlier_follows_an_idle_tick", || {
        make_pair();
        let sender = std::thread::spawn(|| send_paced("vb", 0..100, Duration::from_millis(7)));
        let options = LiveOptions { tick: Duration::from_millis(3), ..options(MARKED) };
        let mut source = LiveSource::open(&["va"], options).unwrap();
        let (mut settled, mut frames, mut ticks) = (Timestamp::ZERO, 0, 0);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1500) {
            match source.next_frame().unwrap() {
                Event::Frame(frame) => {
                    assert!(frame.ts >= settled, "{} after {settled}", frame.ts);
                    frames += 1;
                }
                Event::Idle(now) => {
                    settled = now;
                    ticks += 1;
                }
                Event::Notice(_) | Event::End => panic!("a live source does not end"),
            }
        }
        sender.join().unwrap();
        assert!(frames > 50 && ticks > 30, "{frames} frames, {ticks} ticks");
    });
}

#[test]
fn what_the_kernel_drops_is_counted() {
    in_namespace("what_the_kernel_drops_is_counted", || {
        make_pair();
        let options = LiveOptions { buffer_bytes: 1 << 17, ..options(MARKED) };
        let mut source = LiveSource::open(&["va"], options).unwrap();
        for _ in 0..40 {
            send_marked("vb", 0..250);
        }
        let frames = collect(&mut source).len() as u64;
        wait_for(&mut source, |status| status.counters.received >= 10_000);
        let counters = source.status().next().unwrap().counters;
        assert_eq!(counters.delivered, frames);
        assert!(counters.dropped > 0, "{counters:?}");
        assert_eq!(counters.delivered + counters.dropped, counters.received);
    });
}
