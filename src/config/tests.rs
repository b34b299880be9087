//! What the configuration takes and what it says of the rest.

use super::*;
use proptest::prelude::*;

const TLS: bool = cfg!(feature = "tls");

fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    Config::parse(text, &Overrides::default(), "gw-1.example")
}

/// The faults of `text` as they are shown.
fn faults(text: &str) -> Vec<String> {
    parse(text).expect_err("not valid").iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    let config = parse("").expect("valid");
    assert_eq!(config.sensor().as_str(), "gw-1");
    assert!(config.capture().interfaces.is_empty());
    assert_eq!(config.capture().snaplen, 65535);
    assert_eq!(config.mqtt_ports(), [1883]);
    assert_eq!(config.flow().idle_timeout, Duration::from_secs(60));
    assert_eq!(config.rules().publish_flood_retained, 5000);
    assert_eq!(config.store().byte_budget, 4 << 20);
    assert_eq!(config.publish().broker, "mqtt://127.0.0.1:1883".parse().ok());
    assert_eq!(config.status_socket(), Some(Path::new("/run/picket/picket.sock")));
    assert_eq!(config.log_level(), log::LevelFilter::Info);
}

#[test]
fn the_effective_text_reads_back_as_the_same_configuration() {
    let text = "
        [sensor]\nname = 'a'
        [capture]\ninterfaces = ['lo', 'br-lan']\nbuffer-mib = 1024
        [flow]\nidle-timeout = '1500ms'
        [model]\npath = ''\non-missing = 'refuse'
        [store]\nbyte-budget = 70000
        [publish]\nprotocol = '3.1.1'\n#tls
        [status]\nsocket = ''
        [log]\nlevel = 'off'";
    let tls = "broker = 'mqtts://b'\nca-file = '/c'\ncert-file = '/d'\nkey-file = '/e'";
    let text = &text.replace("#tls", if TLS { tls } else { "" });
    let config = parse(text).expect("valid");
    assert_eq!(config.capture().buffer_bytes(), 1 << 30);
    assert_eq!(parse(&config.effective_toml()).expect("valid"), config);
}

#[test]
fn every_fault_is_reported_with_key_and_line() {
    let found = faults(
        "[capture]\nsnaplen = -1\nimmediate = 'yes'\ncolour = 1\n\n[rules.tcp-scan]\nports = 0\n\
         [rules]\ntpc-scan = {}\n",
    );
    assert_eq!(
        found,
        [
            "capture.snaplen (line 2): must be in 96..=262144, not -1",
            "capture.immediate (line 3): must be true or false",
            "capture.colour (line 4): no such key",
            "rules.tcp-scan.ports (line 7): must be in 1..=60000, not 0",
            "rules.tpc-scan (line 9): no such key; did you mean tcp-scan?",
        ]
    );
}

#[test]
fn text_that_is_not_toml_names_the_line() {
    let found = faults("[capture]\nsnaplen = = 3\n");
    assert!(found[0].starts_with("line 2: not TOML: "), "{found:?}");
}

#[test]
fn a_section_is_not_a_value_nor_the_other_way() {
    assert_eq!(
        faults("capture = 3\n[sensor.name]\nx = 1\n"),
        [
            "capture (line 1): is a section: write [capture] on a line of its own",
            "sensor.name (line 2): must be a text in quotes",
        ]
    );
}

#[test]
fn what_must_fit_together() {
    for (text, key) in [
        ("[flow]\nidle-timeout = '10m'", "flow.idle-timeout"),
        ("[publish]\npassword-file = '/p'", "publish.password-file"),
        ("[publish]\nbroker = 'mqtts://b'", if TLS { "publish.ca-file" } else { "publish.broker" }),
        ("[publish]\nca-file = '/c'", "publish.ca-file"),
        ("[publish]\ncert-file = '/c'", "publish.cert-file"),
        ("[publish]\nkey-file = '/c'", "publish.key-file"),
        ("[publish]\nkeep-alive = '5500ms'", "publish.keep-alive"),
        ("[capture]\nuser = 'root'", "capture.user"),
        ("[capture]\ninterfaces = ['lo', 'lo']", "capture.interfaces"),
        ("[mqtt]\nports = []", "mqtt.ports"),
        ("[store]\npath = ''", "store.path"),
    ] {
        let faults = parse(text).expect_err(text);
        assert_eq!(faults.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), [key], "{text}");
    }
}

#[test]
fn who_asks_for_tls_is_told_that_there_is_none() {
    for (text, key) in [
        ("[publish]\nbroker = 'mqtts://b'\nca-file = '/c'", "publish.broker"),
        ("[update]\nenabled = true\nca-file = '/c'", "update.ca-file"),
        ("[update]\nenabled = true\ntransport = 'https'", "update.transport"),
    ] {
        let parsed = parse(text);
        assert_eq!(parsed.is_ok(), TLS, "{text}");
        if let Err(faults) = parsed {
            assert_eq!(faults.first().map(|fault| fault.key.as_str()), Some(key), "{text}");
            assert!(faults.iter().any(|fault| fault.to_string().contains("the feature `tls`")), "{text}");
        }
    }
}

#[test]
fn the_command_line_wins_and_is_named_in_faults() {
    let text = "[capture]\ninterfaces = ['eth0']\n[publish]\nbroker = 'mqtt://old'";
    let over = Overrides {
        interfaces: vec!["lo".into()],
        models: vec!["a.onnx".into(), "b.onnx".into()],
        broker: Some("mqtt://new:1".into()),
    };
    let config = Config::parse(text, &over, "").expect("valid");
    assert_eq!(config.interfaces_to_capture().expect("one")[0].as_str(), "lo");
    assert_eq!(config.publish().broker.as_ref().expect("one").host(), "new");

    let over = Overrides { interfaces: vec!["a/b".into()], models: Vec::new(), broker: Some("new".into()) };
    let keys: Vec<_> = Config::parse(text, &over, "").expect_err("bad").into_iter().map(|f| f.key).collect();
    assert_eq!(keys, ["-i", "--broker"]);
}

#[test]
fn capturing_needs_an_interface() {
    let config = parse("").expect("valid");
    let fault = config.interfaces_to_capture().expect_err("none");
    assert_eq!(fault.key, "capture.interfaces");
}

#[test]
fn a_file_that_is_missing_unreadable_or_huge() {
    let none = Overrides::default();
    let dir = tempfile::tempdir().expect("temporary folder");
    let missing = dir.path().join("none.toml");
    assert!(matches!(Config::load(Some(&missing), &none), Err(ConfigError::Read { .. })));
    let huge = dir.path().join("huge.toml");
    std::fs::write(&huge, "#".repeat((1 << 20) + 1)).expect("written");
    let error = Config::load(Some(&huge), &none).expect_err("too large");
    assert!(error.to_string().ends_with("is larger than 1 MiB"), "{error}");
    let binary = dir.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe, 0]).expect("written");
    assert!(matches!(Config::load(Some(&binary), &none), Err(ConfigError::Read { .. })));
}

/// Every key of the file with its sections.
fn all_keys() -> Vec<String> {
    fn walk(table: &toml::Table, path: &str, keys: &mut Vec<String>) {
        for (name, value) in table {
            let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match value {
                toml::Value::Table(inner) => walk(inner, &full, keys),
                _ => keys.push(full),
            }
        }
    }
    let mut keys = Vec::new();
    walk(&write::known_keys(), "", &mut keys);
    keys
}

#[test]
fn hostile_values_of_every_key_are_faults_with_its_path() {
    let keys = all_keys();
    assert!(keys.len() > 35, "{keys:?}");
    let long = format!("'{}'", "x".repeat(100_000));
    let hostile = [
        "-9223372036854775808",
        "99999999999999999999999999",
        "nan",
        "1e400",
        "1979-05-27",
        "{}",
        "[[]]",
        "\"a\\u0000b\"",
        long.as_str(),
    ];
    for key in &keys {
        for value in hostile {
            let text = format!("{key} = {value}\n");
            let faults = parse(&text).expect_err(&format!("{key} took {value:.40}"));
            assert_eq!(faults[0].key, *key, "{value:.40}: {faults:?}");
            assert!(faults[0].to_string().len() < 200, "{faults:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_taken_or_refused_without_a_panic(text in any::<String>()) {
        let outcome = parse(&text);
        prop_assert!(outcome.is_ok() || !outcome.unwrap_err().is_empty());
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_refused_by_its_path(
        index in any::<prop::sample::Index>(),
        value in prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            (0..70_000_i64).prop_map(|n| n.to_string()),
            (0..100_000_000_u64).prop_map(|ms| format!("'{ms}ms'")),
            any::<f64>().prop_map(|n| format!("{n:?}")),
            any::<String>().prop_map(|s| toml::Value::String(s).to_string()),
            prop::collection::vec(any::<i64>(), 0..40).prop_map(|list| format!("{list:?}")),
        ],
    ) {
        let keys = all_keys();
        let key = index.get(&keys);
        match parse(&format!("{key} = {value}\n")) {
            Ok(config) => prop_assert_eq!(parse(&config.effective_toml()), Ok(config)),
            // A broker with TLS also asks for the file of its authorities.
            Err(faults) => {
                prop_assert!(faults.iter().all(|fault| fault.key == *key || fault.key == "publish.ca-file"));
            }
        }
    }
}
