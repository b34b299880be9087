//! `picket model list`, `status` and `rollback`: the models on this sensor, asked of the running daemon.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::args::ModelState;
use super::configuration;
use crate::config::Overrides;
use crate::error::{ExitError, plain, sysexits};
use crate::escape::escape;
use crate::store::socket;

/// How long the daemon may take to go back.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn list(args: &ModelState) -> Result<(), ExitError> {
    let said = ask(args, "update")?;
    print(args, &said["models"], &table(&said));
    Ok(())
}

pub(super) fn status(args: &ModelState) -> Result<(), ExitError> {
    let said = ask(args, "update")?;
    print(args, &said, &describe(&said));
    Ok(())
}

/// Asks for it, and waits until it is done: the daemon answers before it has carried it out.
#[expect(clippy::disallowed_methods, reason = "the daemon is waited for")]
pub(super) fn roll_back(args: &ModelState) -> Result<(), ExitError> {
    let before = ask(args, "update")?;
    let in_use = |said: &Value| said["reported"]["active"].clone();
    if in_use(&before).is_null() {
        return Err(failed(sysexits::UNAVAILABLE, "the factory's model is in use: there is none before it"));
    }
    ask(args, "rollback")?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let said = ask(args, "update")?;
        if said["reported"]["state"] == "rolled_back" && in_use(&said) != in_use(&before) {
            print(args, &said, &describe(&said));
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    Err(failed(sysexits::TEMPFAIL, "the daemon did not go back in time")
        .hint("see picket model status and its log"))
}

/// What the daemon answers.
fn ask(args: &ModelState, request: &str) -> Result<Value, ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let path = config
        .status_socket()
        .ok_or_else(|| failed(sysexits::CONFIG, "status.socket is empty: the daemon has no status socket"))?;
    let answer = socket::ask(path, request)
        .and_then(|mut lines| lines.next().unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into())));
    let line = answer.map_err(|error| {
        failed(sysexits::UNAVAILABLE, &format!("{}: {}", path.display(), plain(&error)))
            .hint("is picket running, and with this configuration?")
    })?;
    let said: Value = serde_json::from_str(&line).map_err(|error| {
        failed(sysexits::DATAERR, &format!("{}: no answer of picket: {error}", path.display()))
    })?;
    match said["error"].as_str() {
        Some(why) => Err(failed(sysexits::UNAVAILABLE, &escape(why.as_bytes()))),
        None => Ok(said),
    }
}

fn failed(code: u8, why: &str) -> ExitError {
    ExitError::new(code, format!("model: {why}"))
}

fn print(args: &ModelState, document: &Value, text: &str) {
    let json;
    let text = if args.json {
        json = format!("{document}\n");
        &json
    } else {
        text
    };
    // A closed stdout means that nobody reads.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => escape(text.as_bytes()),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn table(said: &Value) -> String {
    let mut lines = format!("{:<8} {:>8}  {:<24} {:<16} {}\n", "slot", "release", "model", "sha256", "");
    for held in said["models"].as_array().into_iter().flatten() {
        let name = [text(&held["name"]), text(&held["version"])].join(" ");
        let digest: String = text(&held["sha256"]).chars().take(16).collect();
        let (slot, release) = (text(&held["slot"]), text(&held["release"]));
        lines += &format!(
            "{slot:<8} {release:>8}  {:<24} {digest:<16} {}\n",
            name.trim_end(),
            text(&held["role"])
        );
    }
    lines
}

fn describe(said: &Value) -> String {
    let reported = &said["reported"];
    let mut lines = String::new();
    let mut line = |key: &str, value: String| lines += &format!("{key:<10} {value}\n");
    line("state", text(&reported["state"]));
    for key in ["reason", "detail", "request"] {
        if !reported[key].is_null() {
            line(key, text(&reported[key]));
        }
    }
    let release = |value: &Value| match value["release"].as_u64() {
        Some(number) => format!("release {number}"),
        None => "the factory's model".to_owned(),
    };
    line("in use", release(&reported["active"]));
    if !reported["target"].is_null() {
        line("target", release(&reported["target"]));
    }
    if let Some(progress) = reported["progress"].as_object() {
        line("progress", format!("{} of {} blocks", text(&progress["blocks"]), text(&progress["of"])));
    }
    if let Some(shadow) = reported["shadow"].as_object() {
        let number = |key: &str| shadow.get(key).and_then(Value::as_u64).unwrap_or_default();
        let rows = number("rows");
        let share = number("agreed").saturating_mul(1000) / rows.max(1);
        line(
            "shadow",
            format!(
                "{rows} rows, {}.{} % agreed; hostile {} before, {} now; {} us a row",
                share / 10,
                share % 10,
                number("old_hostile"),
                number("new_hostile"),
                number("p99_us")
            ),
        );
    }
    line("floor", text(&reported["floor"]));
    line("root", text(&reported["root_version"]));
    let list: Vec<String> = reported["bad"].as_array().into_iter().flatten().map(text).collect();
    line("failed", if list.is_empty() { "none".to_owned() } else { list.join(", ") });
    for (reason, count) in said["dropped"].as_object().into_iter().flatten() {
        line("dropped", format!("{} {}", text(count), escape(reason.as_bytes())));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_list() {
        let said = serde_json::json!({
            "reported": {"state": "shadow", "reason": null, "detail": null, "request": "r", "active": null,
                "target": {"release": 7}, "progress": null, "floor": 3, "root_version": 2, "bad": [4, 5],
                "shadow": {"rows": 200, "agreed": 199, "old_hostile": 3, "new_hostile": 4, "p99_us": 9}},
            "models": [{"slot": "A", "release": 7, "name": "default", "version": "0.2.0",
                "sha256": "0123456789abcdef0123", "role": "being tried"}],
            "dropped": {"foreign_transfer": 12}
        });
        let text = describe(&said);
        assert!(text.contains("in use     the factory's model\ntarget     release 7\n"), "{text}");
        assert!(
            text.contains("shadow     200 rows, 99.5 % agreed; hostile 3 before, 4 now; 9 us a row\n"),
            "{text}"
        );
        assert!(
            text.contains("failed     4, 5\n") && text.contains("dropped    12 foreign_transfer\n"),
            "{text}"
        );
        let table = table(&said);
        assert!(
            table.contains("A               7  default 0.2.0            0123456789abcdef being tried\n"),
            "{table}"
        );
    }
}
