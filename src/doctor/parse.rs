//! Reads what the kernel and its tools say. Foreign text: what is not understood is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::facts::{Flowtable, Listener};

/// The listening sockets of `/proc/net/tcp` or `/proc/net/tcp6` (proc(5)): `sl local_address rem_address st ...`.
pub(super) fn listeners(text: &str) -> Vec<Listener> {
    let listener = |line: &str| {
        let mut words = line.split_whitespace();
        let (address, port) = words.nth(1)?.split_once(':')?;
        // TCP_LISTEN, net/tcp_states.h
        if words.nth(1)? != "0A" {
            return None;
        }
        Some(Listener { address: hex_address(address)?, port: u16::from_str_radix(port, 16).ok()? })
    };
    let mut list: Vec<Listener> = text.lines().filter_map(listener).collect();
    list.sort_unstable();
    list.dedup();
    list
}

/// Words of four octets, each in the order of this machine.
fn hex_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (at, part) in octets.chunks_mut(4).enumerate() {
                part.copy_from_slice(&word(at * 8)?);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// The flow tables that `nft list flowtables` prints.
pub(super) fn flowtables(text: &str) -> Vec<Flowtable> {
    let mut tables: Vec<Flowtable> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("flowtable ") {
            let name = name.trim_end_matches('{').trim().to_owned();
            tables.push(Flowtable { name, hardware: false, devices: Vec::new() });
        } else if let (Some(table), Some(devices)) = (tables.last_mut(), line.strip_prefix("devices = {")) {
            let names = devices.trim_end_matches(';').trim().trim_end_matches('}');
            table.devices = names
                .split(',')
                .map(|name| name.trim().trim_matches('"').to_owned())
                .filter(|name| !name.is_empty())
                .collect();
        } else if let (Some(table), Some(flags)) = (tables.last_mut(), line.strip_prefix("flags ")) {
            table.hardware = flags.trim_end_matches(';').split(',').any(|flag| flag.trim() == "offload");
        }
    }
    tables
}

/// `flow_offloading` and `flow_offloading_hw` of the section `defaults` of OpenWrt's `/etc/config/firewall`.
pub(super) fn firewall(text: &str) -> (bool, bool) {
    let (mut in_defaults, mut software, mut hardware) = (false, false, false);
    for line in text.lines() {
        let bare = |word: &str| word.trim_matches(['\'', '"']).to_owned();
        let words: Vec<String> = line.split_whitespace().map(bare).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["config", kind, ..] => in_defaults = *kind == "defaults",
            ["option", name, value, ..] if in_defaults => {
                let on = matches!(*value, "1" | "on" | "true" | "yes" | "enabled");
                match *name {
                    "flow_offloading" => software = on,
                    "flow_offloading_hw" => hardware = on,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    // Without the first, fw4 does not look at the second.
    (software, software && hardware)
}

/// Type and device of the file system that holds `path`, by `/proc/self/mountinfo` (proc(5)). Of several mounts in one place the
/// last hides the others.
pub(super) fn mount_of(text: &str, path: &Path) -> Option<(String, String)> {
    let mut best: Option<(usize, (String, String))> = None;
    for line in text.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let Some(place) = before.split(' ').nth(4).map(unescape) else { continue };
        let mut rest = after.split(' ');
        let (Some(kind), Some(device)) = (rest.next(), rest.next()) else { continue };
        if path.starts_with(&place) && best.as_ref().is_none_or(|(length, _)| place.len() >= *length) {
            best = Some((place.len(), (kind.to_owned(), unescape(device))));
        }
    }
    best.map(|(_, found)| found)
}

/// Blanks and backslashes stand there as three octal digits.
fn unescape(text: &str) -> String {
    let mut pieces = text.split('\\');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, piece.get(3..)) {
            (Some(code), Some(rest)) => {
                out.push(char::from(code));
                out += rest;
            }
            _ => {
                out.push('\\');
                out += piece;
            }
        }
    }
    out
}

/// Whether `ethtool -k` says that received frames are put together.
pub(super) fn merges_frames(text: &str) -> bool {
    ["generic-receive-offload", "large-receive-offload"].iter().any(|name| {
        text.lines()
            .filter_map(|line| line.trim().split_once(": "))
            .any(|(key, value)| key == *name && value.starts_with("on"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn listening_sockets_of_both_versions_of_ip() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n\
            \x20  0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n\
            \x20  1: 0200A8C0:D431 0100A8C0:075B 01 00000000:00000000 00:00000000 00000000     0\n\
            nonsense\n";
        assert_eq!(listeners(text), [Listener { address: "127.0.0.1".parse().unwrap(), port: 1883 }]);
        let text = "   0: 00000000000000000000000000000000:22B3 00000000000000000000000000000000:0000 0A 0\n\
            \x20  1: 00000000000000000000000001000000:2329 00000000000000000000000000000000:0000 0A 0\n\
            \x20  2: 0000000000000000FFFF00000100007F:2329 00000000000000000000000000000000:0000 0A 0\n";
        let found: Vec<String> =
            listeners(text).iter().map(|one| format!("{} {}", one.address, one.port)).collect();
        assert_eq!(found, [":: 8883", "::1 9001", "::ffff:127.0.0.1 9001"]);
    }

    #[test]
    fn flow_tables_as_nft_prints_them() {
        let text = "table inet fw4 {\n\tflowtable ft {\n\t\thook ingress priority filter\n\t\tdevices = { \"eth0\", lan1 }\n\t\tflags offload\n\t\tcounter\n\t}\n}\n\
            table ip x {\n\tflowtable soft {\n\t\tdevices = { wlan0 };\n\t}\n}\n";
        assert_eq!(
            flowtables(text),
            [
                Flowtable { name: "ft".into(), hardware: true, devices: vec!["eth0".into(), "lan1".into()] },
                Flowtable { name: "soft".into(), hardware: false, devices: vec!["wlan0".into()] },
            ]
        );
        assert_eq!(flowtables("devices = { a }\nflags offload\n"), []);
    }

    #[test]
    fn offloading_of_openwrt() {
        let text = "config defaults\n\toption input 'REJECT'\n\toption flow_offloading '1'\n\toption flow_offloading_hw \"1\"\n\
            config zone\n\toption flow_offloading '0'\n";
        assert_eq!(firewall(text), (true, true));
        assert_eq!(firewall("config defaults\n\toption flow_offloading_hw '1'\n"), (false, false));
        assert_eq!(firewall("config zone\n\toption flow_offloading '1'\n"), (false, false));
    }

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let text = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / /var rw shared:1 - tmpfs tmpfs rw\n\
            31 30 0:6 / /var/lib\\040x rw - overlay overlayfs:/overlay rw\n32 22 8:2 / /var rw - f2fs /dev/mmcblk0p2 rw\nbroken\n";
        let of = |path: &str| mount_of(text, Path::new(path)).unwrap().0;
        assert_eq!(
            (of("/etc"), of("/var/lib/picket"), of("/var/lib x/y")),
            ("ext4".into(), "f2fs".into(), "overlay".into())
        );
        assert_eq!(of("/variable"), "ext4", "not by letters but by folders");
    }

    #[test]
    fn receive_offload_as_ethtool_prints_it() {
        assert!(merges_frames(
            "Features for eth0:\nrx-checksumming: on\ngeneric-receive-offload: on\nlarge-receive-offload: off [fixed]\n"
        ));
        assert!(!merges_frames("generic-receive-offload: off\ngeneric-segmentation-offload: on\n"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "(flowtable |devices = \\{|flags |config |option |[0-9A-F]{8}:[0-9A-F]{4} |0A| - |\\\\0|[ \n\t'\"{},]|\\PC{0,6}){0,30}") {
            let _ = (listeners(&text), flowtables(&text), firewall(&text), mount_of(&text, Path::new("/a")), merges_frames(&text));
        }
    }
}
