//! The four steps of QoS 2 (section 4.3.3).

use picket::alert::Severity::{Low, Medium};
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{Ack, Publish};

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::Qos2Repeated, Low, ["mqtt311:4.3.3-1", "mqtt5:4.3.3-4"])
        .ignored(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Publish::new(v, "a").qos(2, 1).dup()).waits(6).leaves()
        })
        .also(["cve:CVE-2023-28366"; 2])
        .legal(whole)
        .into(list);
    Cases::v311(V::Qos2Repeated, Low, "cve:CVE-2023-28366")
        .answered(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Publish::new(v, "a").qos(2, 1).dup()).down(Ack::pubrec(1)).leaves()
        })
        .also(["mqtt311:4.3.3-1"])
        .legal(whole)
        .into(list);
    Cases::both(V::Qos2AfterRelease, Medium, ["mqtt311:4.3.3-1", "mqtt5:4.3.3-6"])
        .closed(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Ack::pubrel(1)).up(Publish::new(v, "a").qos(2, 1).dup()).server_closes()
        })
        .legal(|s, v| {
            let s = s.session().up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            let s = s.up(Ack::pubrel(1)).down(Ack::pubcomp(1));
            let s = s.up(Publish::new(v, "a").qos(2, 1)).down(Ack::pubrec(1));
            s.up(Ack::pubrel(1)).down(Ack::pubcomp(1)).leaves()
        })
        .into(list);
    Cases::both(V::PubRecMissing, Low, ["mqtt311:4.3.3-2", "mqtt5:4.3.3-8"])
        .not_due(|s, v| {
            let s = s.session_of(|c| c.keep_alive(600)).up(Publish::new(v, "a").qos(2, 1));
            s.waits(100).leaves()
        })
        .legal(whole)
        .into(list);
    Cases::both(V::PubRelMissing, Low, ["mqtt311:4.3.3-1", "mqtt5:4.3.3-5"])
        .not_due(|s, v| {
            let s = s.session_of(|c| c.keep_alive(600)).up(Publish::new(v, "a").qos(2, 1));
            s.down(Ack::pubrec(1)).waits(100).leaves()
        })
        .legal(whole)
        .into(list);
    Cases::both(V::PubCompMissing, Low, ["mqtt311:4.3.3-2", "mqtt5:4.3.3-11"])
        .not_due(|s, v| {
            let s = s.session_of(|c| c.keep_alive(600)).up(Publish::new(v, "a").qos(2, 1));
            s.down(Ack::pubrec(1)).up(Ack::pubrel(1)).waits(100).leaves()
        })
        .legal(whole)
        .into(list);
}

/// All four steps, slowly.
fn whole(scene: crate::scene::Scene, version: crate::support::mqtt::Version) -> crate::scene::Scene {
    let scene = scene.session_of(|c| c.keep_alive(600)).up(Publish::new(version, "a").qos(2, 1)).waits(20);
    let scene = scene.down(Ack::pubrec(1)).waits(20).up(Ack::pubrel(1)).waits(20);
    scene.down(Ack::pubcomp(1)).waits(70).leaves()
}
