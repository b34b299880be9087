//! Whether the configured interfaces are there, and whether they are the right ones.

use super::facts::{Interface, Snapshot};
use super::finding::Finding;

/// Below this much of a frame, one that the kernel put together is cut.
const WHOLE: u32 = 65_535;

pub(super) fn check(facts: &Snapshot, out: &mut Vec<Finding>) {
    let before = out.len();
    let wanted = &facts.config.interfaces;
    if wanted.is_empty() {
        let bridges: Vec<&str> = bridges(facts).map(|(one, _)| one.name.as_str()).collect();
        let remedy = match bridges.first() {
            Some(bridge) => format!("name one in capture.interfaces, such as {bridge}"),
            None => "name one in capture.interfaces".to_owned(),
        };
        out.push(Finding::bad(
            "capture.none",
            "no interface is configured: picket run does not start",
            remedy,
        ));
        return;
    }
    for name in wanted.iter().filter(|name| *name != "any") {
        match facts.interfaces.iter().find(|one| one.name == *name) {
            None => out.push(missing(facts, name)),
            Some(one) => present(facts, one, out),
        }
    }
    if wanted.iter().any(|name| name == "any") && bridges(facts).next().is_some() {
        out.push(Finding::warning(
            "capture.any",
            "any watches bridges and their ports: the same frames are counted several times",
            "name the bridge instead, and lo if a broker here is used from here",
        ));
    }
    for (bridge, ports) in bridges(facts) {
        let related = |name: &String| name == &bridge.name || ports.contains(name) || name == "any";
        if !wanted.iter().any(related) {
            out.push(Finding::info(
                "capture.bridge",
                format!("the bridge {} ({}) is not watched", bridge.name, ports.join(", ")),
                format!("add {} to capture.interfaces if MQTT passes there", bridge.name),
            ));
        }
    }
    if out.len() == before {
        out.push(Finding::ok("capture.ok", format!("{} there and up", list(wanted))));
    }
}

fn missing(facts: &Snapshot, name: &str) -> Finding {
    let known: Vec<&str> = facts.interfaces.iter().map(|one| one.name.as_str()).collect();
    Finding::bad(
        "capture.missing",
        format!("there is no interface {name}"),
        format!("capture.interfaces: name one of {}", known.join(", ")),
    )
}

fn present(facts: &Snapshot, one: &Interface, out: &mut Vec<Finding>) {
    let name = &one.name;
    if !one.up {
        out.push(Finding::bad(
            "capture.down",
            format!("{name} is down: nothing of it is seen"),
            format!("ip link set {name} up, or wait: it is looked for every second"),
        ));
    }
    if let Some(master) = &one.master {
        let (id, message) = if facts.config.watches(master) {
            (
                "capture.twice",
                format!("{name} and {master}, of which it is a port, are both watched: frames count twice"),
            )
        } else {
            ("capture.port", format!("{name} is a port of {master}: what passes its other ports is not seen"))
        };
        out.push(Finding::warning(id, message, format!("watch {master} instead of {name}")));
    }
    let switched: Vec<&str> = one
        .ports
        .iter()
        .flatten()
        .filter(|port| facts.interfaces.iter().any(|other| other.name == **port && other.switch_port))
        .map(String::as_str)
        .collect();
    if switched.len() > 1 {
        out.push(Finding::warning(
            "capture.switch",
            format!(
                "{} of {name} are ports of a switch chip: traffic between them never reaches the CPU",
                switched.join(", ")
            ),
            "put the broker on this machine or behind another port, or mirror a port of the switch",
        ));
    }
    if one.merges_frames == Some(true) && facts.config.snaplen < WHOLE {
        out.push(Finding::warning(
            "capture.gro",
            format!(
                "{name} hands over frames put together (GRO), and capture.snaplen cuts them at {} octets",
                facts.config.snaplen
            ),
            format!("set capture.snaplen to 65535, or ethtool -K {name} gro off lro off"),
        ));
    }
}

fn bridges(facts: &Snapshot) -> impl Iterator<Item = (&Interface, &Vec<String>)> {
    facts
        .interfaces
        .iter()
        .filter_map(|one| Some((one, one.ports.as_ref()?)))
        .filter(|(_, ports)| !ports.is_empty())
}

fn list(names: &[String]) -> String {
    match names {
        [one] => format!("{one} is"),
        several => format!("{} are", several.join(", ")),
    }
}
