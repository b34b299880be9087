//! `picket status`: how the running daemon is.

use std::io::Write as _;

use super::args::{Status, TextOrJson};
use super::configuration;
use crate::config::Overrides;
use crate::error::{ExitError, plain, sysexits};
use crate::escape::escape;
use crate::store::socket;

pub(super) fn run(args: &Status) -> Result<(), ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let Some(path) = config.status_socket() else {
        return Err(ExitError::new(
            sysexits::CONFIG,
            "status: status.socket is empty: the daemon has no status socket",
        ));
    };
    let answer = socket::ask(path, "status")
        .and_then(|mut lines| lines.next().unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into())));
    let line = answer.map_err(|error| {
        ExitError::new(sysexits::UNAVAILABLE, format!("status: {}: {}", path.display(), plain(&error)))
            .hint("is picket running, and with this configuration?")
    })?;
    let document: serde_json::Value = serde_json::from_str(&line).map_err(|error| {
        ExitError::new(sysexits::DATAERR, format!("status: {}: not a status: {error}", path.display()))
    })?;
    let text = match args.output {
        TextOrJson::Text => describe(&document),
        TextOrJson::Json => format!("{line}\n"),
    };
    // A closed stdout means that nobody reads.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// The status as lines for people.
fn describe(document: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => escape(text.as_bytes()),
        serde_json::Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    let mut lines = String::new();
    for key in ["sensor", "version", "since"] {
        lines += &format!("{key:<10} {}\n", text(&document[key]));
    }
    let models: Vec<String> = document["models"].as_array().into_iter().flatten().map(text).collect();
    lines +=
        &format!("{:<10} {}\n", "models", if models.is_empty() { "none".into() } else { models.join(", ") });
    for part in ["capture", "model", "store", "broker", "sandbox", "update"] {
        let part_health = &document["health"][part];
        let reason = part_health["reason"].as_str().map(|reason| format!(": {}", escape(reason.as_bytes())));
        lines += &format!("{part:<10} {}{}\n", text(&part_health["state"]), reason.unwrap_or_default());
    }
    for key in ["stored", "acknowledged", "pending", "lost"] {
        lines += &format!("{key:<10} {}\n", text(&document["delivery"][key]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_list() {
        let document = serde_json::json!({
            "sensor": "gw", "version": "0.1.0", "models": [], "since": "2026-01-01T00:00:00.000000Z",
            "health": {"capture": {"state": "blind", "reason": "lo: interface is down"}, "model": {"state": "off", "reason": null},
                       "store": {"state": "ok", "reason": null}, "broker": {"state": "ok", "reason": null}},
            "delivery": {"stored": 3, "acknowledged": 2, "pending": 1, "lost": 0}
        });
        let text = describe(&document);
        assert!(text.contains("capture    blind: lo: interface is down\n"), "{text}");
        assert!(text.contains("models     none\n") && text.contains("pending    1\n"), "{text}");
    }
}
