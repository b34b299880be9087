//! Whether the models load, and whether the management broker takes what is published.

use super::facts::{Snapshot, Uplink};
use super::finding::Finding;

pub(super) fn models(facts: &Snapshot, out: &mut Vec<Finding>) {
    if facts.models.is_empty() {
        out.push(Finding::info(
            "model.off",
            "no model is configured: the rules work alone",
            "name one in model.path, such as /usr/share/picket/default.onnx",
        ));
    }
    for model in &facts.models {
        out.push(match &model.outcome {
            Ok(label) => Finding::ok("model.ok", format!("{label} loads ({})", model.path.display())),
            Err(why) if facts.config.refuses_without_model => Finding::bad(
                "model.refused",
                format!("{why}: picket run does not start"),
                "give a model made for this version of picket",
            ),
            Err(why) => Finding::warning(
                "model.refused",
                format!("{why}: detection goes on without it"),
                "give a model made for this version of picket",
            ),
        });
    }
}

pub(super) fn uplink(facts: &Snapshot, out: &mut Vec<Finding>) {
    let finding = match &facts.uplink {
        Uplink::Off => Finding::info(
            "uplink.off",
            "no broker is configured to publish to: alerts are only stored",
            "name one in publish.broker",
        ),
        Uplink::NotAsked => Finding::info(
            "uplink.not-asked",
            "the broker that alerts go to was not asked",
            "leave out --offline",
        ),
        Uplink::Unusable(why) => Finding::bad(
            "uplink.unusable",
            format!("{why}: picket run does not start"),
            "see the files that [publish] names: do they exist, and may this user read them?",
        ),
        Uplink::Unreachable(why) => Finding::bad(
            "uplink.unreachable",
            format!("the broker that alerts go to does not answer: {why}"),
            "see publish.broker, the network and the firewall; alerts are stored meanwhile",
        ),
        Uplink::Refused(why) => Finding::bad(
            "uplink.refused",
            format!("the broker that alerts go to refuses this sensor: {why}"),
            "see publish.user and its password, or the client's certificate",
        ),
        Uplink::Connected { denied, tells } => {
            if denied.is_empty() && !tells {
                out.push(Finding::info(
                    "uplink.silent",
                    "MQTT 3.1.1 does not let the broker say that its access list refuses a publication",
                    "publish.protocol = \"5\", if the broker speaks it",
                ));
            }
            for (topic, why) in denied {
                out.push(Finding::bad(
                    "uplink.denied",
                    format!("the access list of the broker refuses {topic}: {why}"),
                    "allow this sensor its own topics: /usr/share/doc/picket/examples/picket.acl",
                ));
            }
            if !denied.is_empty() {
                return;
            }
            Finding::ok("uplink.ok", "the broker that alerts go to takes this sensor's publications")
        }
    };
    out.push(finding);
}

pub(super) fn config(facts: &Snapshot, out: &mut Vec<Finding>) {
    for advice in &facts.advice {
        out.push(Finding::warning("config.advice", advice.clone(), "see picket check"));
    }
    if facts.advice.is_empty() {
        out.push(Finding::ok("config.ok", "the configuration is valid"));
    }
}
