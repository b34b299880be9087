//! Packets that are forwarded without passing where frames are captured.

use super::facts::{Flowtable, Snapshot};
use super::finding::Finding;

pub(super) fn check(facts: &Snapshot, out: &mut Vec<Finding>) {
    let before = out.len();
    let offload = &facts.offload;
    let tables = offload.flowtables.as_deref().unwrap_or_default();
    let names = |hardware: bool| -> Vec<String> {
        tables.iter().filter(|table| table.hardware == hardware).map(describe).collect()
    };
    let mut hardware = names(true);
    let mut software = names(false);
    if offload.openwrt_hardware == Some(true) {
        hardware.push("OpenWrt's firewall.flow_offloading_hw".to_owned());
    } else if offload.openwrt_software == Some(true) && tables.is_empty() {
        software.push("OpenWrt's firewall.flow_offloading".to_owned());
    }
    if !hardware.is_empty() {
        out.push(Finding::bad(
            "offload.hardware",
            format!("{}: hardware forwards established connections, and they are not seen at all", hardware.join(", ")),
            "switch it off (uci set firewall.@defaults[0].flow_offloading_hw=0), or have the broker on this machine",
        ));
    }
    if !software.is_empty() {
        out.push(Finding::warning(
            "offload.software",
            format!("{}: of forwarded connections one direction may pass around a bridge unseen", software.join(", ")),
            "switch it off (uci set firewall.@defaults[0].flow_offloading=0), or watch the ports instead of the bridge",
        ));
    }
    if out.len() > before {
        return;
    }
    match (&offload.flowtables, offload.openwrt_software) {
        (None, None) => out.push(Finding::info(
            "offload.unknown",
            "flow tables of nftables could not be listed: whether connections pass around the stack is not known",
            "run as root, with nft installed",
        )),
        _ => out.push(Finding::ok("offload.none", "no connection is forwarded around the stack")),
    }
}

fn describe(table: &Flowtable) -> String {
    if table.devices.is_empty() {
        format!("flow table {}", table.name)
    } else {
        format!("flow table {} on {}", table.name, table.devices.join(", "))
    }
}
