//! Judgements on machines made by hand.

use std::path::PathBuf;

use super::examine;
use super::facts::{
    Clock, Disk, Flowtable, Interface, Listener, ModelFact, Offload, Rights, Sampled, Snapshot, Uplink,
    Wanted,
};
use super::finding::{Report, Severity};
use super::sample::{ENOUGH, Sampler};
use crate::frame::{Frame, LinkType};
use crate::time::Timestamp;

/// A gateway on which nothing is wrong: a bridge of two ports with the broker on it.
fn sound() -> Snapshot {
    let plain =
        |name: &str| Interface { name: name.into(), up: true, mtu: Some(1500), ..Interface::default() };
    Snapshot {
        config: Wanted {
            interfaces: vec!["br-lan".into(), "lo".into()],
            snaplen: 65_535,
            mqtt_ports: vec![1883],
            user: "picket".into(),
            store: "/var/lib/picket".into(),
            byte_budget: 4 << 20,
            refuses_without_model: false,
        },
        interfaces: vec![
            Interface { ports: Some(vec!["lan1".into(), "lan2".into()]), ..plain("br-lan") },
            Interface { master: Some("br-lan".into()), ..plain("lan1") },
            Interface { master: Some("br-lan".into()), ..plain("lan2") },
            Interface { loopback: true, ..plain("lo") },
            plain("wan"),
        ],
        listeners: Some(vec![Listener { address: "0.0.0.0".parse().unwrap(), port: 1883 }]),
        offload: Offload { flowtables: Some(vec![]), ..Offload::default() },
        samples: Some(vec![Sampled {
            interface: "br-lan".into(),
            seconds: 5,
            frames: 900,
            largest: 1514,
            two_sided: 20,
            mqtt_packets: 300,
            ..Sampled::default()
        }]),
        rights: Rights {
            root: true,
            net_raw: true,
            user_exists: true,
            security_modules: Some(vec!["landlock".into()]),
        },
        clock: Clock { now: 1_800_000_000, synchronised: Some(true), rtc: true },
        disk: Some(Disk {
            free: 1 << 30,
            kind: "ext4".into(),
            device: "/dev/sda1".into(),
            owner: Some("picket".into()),
            read_only: false,
        }),
        models: vec![ModelFact {
            path: PathBuf::from("/m.onnx"),
            outcome: Ok("picket-default/0.2.0".into()),
        }],
        uplink: Uplink::Connected { denied: vec![], tells: true },
        advice: vec![],
    }
}

fn ids(report: &Report, least: Severity) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.severity >= least).map(|finding| finding.id).collect()
}

/// Changes the sound machine, and wants exactly these findings beside those that are well.
#[track_caller]
fn expect(change: impl FnOnce(&mut Snapshot), findings: &[(&str, Severity)]) {
    let mut facts = sound();
    change(&mut facts);
    let report = examine(&facts);
    let found: Vec<(&str, Severity)> = report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Ok)
        .map(|finding| (finding.id, finding.severity))
        .collect();
    assert_eq!(found, findings, "{report}");
    for finding in report.findings.iter().filter(|finding| finding.severity >= Severity::Warning) {
        assert!(!finding.remedy.is_empty(), "{finding:?}");
    }
}

#[test]
fn a_sound_machine_has_an_ok_for_every_area() {
    let report = examine(&sound());
    assert_eq!(report.worst(), Severity::Ok, "{report}");
    let areas = [
        "capture.ok",
        "broker.found",
        "offload.none",
        "sample.ok",
        "rights.capture",
        "clock.synchronised",
        "disk.ok",
        "model.ok",
        "uplink.ok",
        "config.ok",
    ];
    assert_eq!(ids(&report, Severity::Ok), areas);
    assert!(report.to_string().ends_with("0 bad, 0 warnings\n"), "{report}");
}

#[test]
fn interfaces() {
    use Severity::{Bad, Info, Warning};
    expect(|facts| facts.config.interfaces.clear(), &[("capture.none", Bad), ("broker.local-clients", Info)]);
    expect(
        |facts| facts.config.interfaces[0] = "br0".into(),
        &[("capture.missing", Bad), ("capture.bridge", Info)],
    );
    expect(|facts| facts.interfaces[0].up = false, &[("capture.down", Bad)]);
    expect(|facts| facts.config.interfaces[0] = "lan1".into(), &[("capture.port", Warning)]);
    expect(|facts| facts.config.interfaces.push("lan1".into()), &[("capture.twice", Warning)]);
    expect(|facts| facts.config.interfaces = vec!["any".into()], &[("capture.any", Warning)]);
    expect(|facts| facts.config.interfaces[0] = "wan".into(), &[("capture.bridge", Info)]);
    expect(
        |facts| {
            facts.interfaces[1].switch_port = true;
            facts.interfaces[2].switch_port = true;
        },
        &[("capture.switch", Warning)],
    );
    expect(|facts| facts.interfaces[1].switch_port = true, &[]);
    expect(
        |facts| {
            facts.interfaces[0].merges_frames = Some(true);
            facts.config.snaplen = 256;
        },
        &[("capture.gro", Warning)],
    );
    expect(|facts| facts.interfaces[0].merges_frames = Some(true), &[]);
}

#[test]
fn brokers() {
    use Severity::{Info, Warning};
    let on = |address: &str, port| Listener { address: address.parse().unwrap(), port };
    expect(|facts| facts.listeners = None, &[("broker.unknown", Info)]);
    expect(|facts| facts.listeners = Some(vec![on("0.0.0.0", 22)]), &[("broker.none", Info)]);
    expect(|facts| facts.config.interfaces.truncate(1), &[("broker.local-clients", Info)]);
    let loopback = |facts: &mut Snapshot| {
        facts.config.interfaces.truncate(1);
        facts.listeners = Some(vec![on("127.0.0.1", 1883), on("::1", 1883), on("192.168.1.1", 8883)]);
    };
    expect(loopback, &[("broker.loopback", Warning)]);
    expect(|facts| facts.listeners = Some(vec![on("::", 8883)]), &[("broker.tls-only", Warning)]);
    expect(|facts| facts.config.mqtt_ports = vec![1884], &[("broker.port", Warning)]);
    expect(
        |facts| facts.listeners = Some(vec![on("::", 1883), on("::", 9001)]),
        &[("broker.websocket", Info)],
    );
}

#[test]
fn offloading() {
    use Severity::{Bad, Info, Warning};
    let table = |hardware| Flowtable { name: "ft".into(), hardware, devices: vec!["lan1".into()] };
    expect(|facts| facts.offload.flowtables = Some(vec![table(true)]), &[("offload.hardware", Bad)]);
    expect(|facts| facts.offload.flowtables = Some(vec![table(false)]), &[("offload.software", Warning)]);
    expect(|facts| facts.offload.flowtables = None, &[("offload.unknown", Info)]);
    let openwrt = |software, hardware| Offload {
        flowtables: None,
        openwrt_software: Some(software),
        openwrt_hardware: Some(hardware),
    };
    expect(|facts| facts.offload = openwrt(true, true), &[("offload.hardware", Bad)]);
    expect(|facts| facts.offload = openwrt(true, false), &[("offload.software", Warning)]);
    expect(|facts| facts.offload = openwrt(false, false), &[]);
}

#[test]
fn traffic() {
    use Severity::{Info, Warning};
    let sample = |change: fn(&mut Sampled)| {
        move |facts: &mut Snapshot| change(&mut facts.samples.as_mut().unwrap()[0])
    };
    expect(|facts| facts.samples = None, &[("sample.none", Info)]);
    expect(sample(|seen| seen.failed = Some("no rights".into())), &[("sample.failed", Warning)]);
    expect(sample(|seen| seen.frames = 0), &[("sample.silent", Warning)]);
    expect(sample(|seen| seen.one_sided = 5), &[("sample.one-sided", Warning)]);
    expect(sample(|seen| seen.one_sided = 1), &[]);
    expect(sample(|seen| seen.dropped = 1), &[("sample.dropped", Warning)]);
    expect(sample(|seen| seen.mqtt_packets = 0), &[("sample.no-mqtt", Info)]);
    expect(
        |facts| {
            facts.samples.as_mut().unwrap()[0].largest = 30_000;
            facts.config.snaplen = 2048;
        },
        &[("sample.cut", Warning)],
    );
    expect(sample(|seen| seen.largest = 30_000), &[]);
}

#[test]
fn the_machine() {
    use Severity::{Bad, Info, Warning};
    let nobody = |facts: &mut Snapshot| (facts.rights.root, facts.rights.net_raw) = (false, false);
    expect(nobody, &[("rights.no-capture", Warning)]);
    expect(|facts| facts.rights.user_exists = false, &[("rights.no-user", Bad)]);
    expect(
        |facts| facts.rights.security_modules = Some(vec!["yama".into()]),
        &[("rights.no-landlock", Info)],
    );
    expect(|facts| facts.clock.now = 86_400, &[("clock.past", Bad)]);
    expect(|facts| facts.clock.synchronised = Some(false), &[("clock.unsynchronised", Warning)]);
    let dead = |facts: &mut Snapshot| (facts.clock.synchronised, facts.clock.rtc) = (None, false);
    expect(dead, &[("clock.unknown", Info), ("clock.no-rtc", Info)]);
    let disk = |change: fn(&mut Disk)| move |facts: &mut Snapshot| change(facts.disk.as_mut().unwrap());
    expect(|facts| facts.disk = None, &[("disk.unknown", Info)]);
    expect(disk(|disk| disk.read_only = true), &[("disk.read-only", Bad)]);
    expect(disk(|disk| disk.free = 1 << 20), &[("disk.full", Bad)]);
    expect(disk(|disk| disk.free = 6 << 20), &[("disk.low", Warning)]);
    expect(disk(|disk| disk.owner = Some("root".into())), &[("disk.owner", Warning)]);
    expect(disk(|disk| disk.owner = None), &[]);
    expect(disk(|disk| disk.kind = "tmpfs".into()), &[("disk.memory", Info)]);
    expect(disk(|disk| disk.kind = "ubifs".into()), &[("disk.flash", Info)]);
    expect(disk(|disk| disk.device = "/dev/mmcblk0p2".into()), &[("disk.flash", Info)]);
}

#[test]
fn models_and_uplink() {
    use Severity::{Bad, Info, Warning};
    expect(|facts| facts.models.clear(), &[("model.off", Info)]);
    expect(|facts| facts.models[0].outcome = Err("damaged".into()), &[("model.refused", Warning)]);
    expect(
        |facts| {
            facts.models[0].outcome = Err("damaged".into());
            facts.config.refuses_without_model = true;
        },
        &[("model.refused", Bad)],
    );
    for (uplink, id, severity) in [
        (Uplink::Off, "uplink.off", Info),
        (Uplink::NotAsked, "uplink.not-asked", Info),
        (Uplink::Unusable("x".into()), "uplink.unusable", Bad),
        (Uplink::Unreachable("x".into()), "uplink.unreachable", Bad),
        (Uplink::Refused("x".into()), "uplink.refused", Bad),
        (Uplink::Connected { denied: vec![], tells: false }, "uplink.silent", Info),
        (Uplink::Connected { denied: vec![("t".into(), "no".into())], tells: true }, "uplink.denied", Bad),
    ] {
        expect(|facts| facts.uplink = uplink, &[(id, severity)]);
    }
    expect(|facts| facts.advice.push("x".into()), &[("config.advice", Warning)]);
}

#[test]
fn an_unknown_machine_is_judged_too() {
    let report = examine(&Snapshot::default());
    assert_eq!(report.worst(), Severity::Bad);
    assert!(ids(&report, Severity::Bad).contains(&"capture.none"), "{report}");
}

/// Ethernet, IPv4, TCP: `from` to `to`, the last octet of each address standing for the host.
fn segment(from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
    let mut octets = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, from.0], [10, 0, 0, to.0], 64)
        .tcp(from.1, to.1, 1, 1000)
        .write(&mut octets, b"x")
        .unwrap();
    octets
}

#[test]
fn a_sampler_tells_connections_of_one_direction() {
    let mut sampler = Sampler::new("br-lan", vec![1883]);
    let mut see = |octets: &[u8]| {
        let wire_len = u32::try_from(octets.len()).unwrap();
        sampler.frame(&Frame {
            ts: Timestamp::ZERO,
            nanos: 0,
            link: LinkType::Ethernet,
            wire_len,
            data: octets,
        });
    };
    for _ in 0..ENOUGH {
        see(&segment((1, 40_000), (9, 1883)));
        see(&segment((9, 1883), (1, 40_000)));
        see(&segment((2, 40_000), (9, 80)));
    }
    // Too little to say anything of.
    see(&segment((3, 40_000), (9, 80)));
    see(&[0; 14]);
    let seen = sampler.finish(5, 0);
    assert_eq!((seen.two_sided, seen.one_sided), (1, 1));
    assert_eq!((seen.frames, seen.mqtt_packets), (u64::from(ENOUGH) * 3 + 2, u64::from(ENOUGH) * 2));
    assert_eq!(seen.largest, 14 + 20 + 20 + 1);
}
