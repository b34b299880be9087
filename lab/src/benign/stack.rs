//! Client stacks that are not Rust: the paho library for Python, and mosquitto's command-line clients. The plan of
//! the device stays here; the other program only says it on the wire.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::behaviour::{Behaviour, Message, Then};
use super::device::Tally;
use super::profile::{Device, Profile};
use crate::broker::find;
use crate::child::{self, Guarded};
use crate::error::LabError;
use crate::mqtt::packet::Version;
use crate::sandbox::Host;
use crate::stop::Stop;
use crate::target::Target;

/// The device program for Python. Its first line of input says how to connect, each other line is a message.
const PAHO: &str = include_str!("../../devices/paho_device.py");

/// Where `make corpus` puts Python's paho.
const VENV: &str = "lab-data/venv/bin/python";

/// Longest time that one run of `mosquitto_pub` may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// Whether a client stack is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stack {
    /// The kind of device that needs it.
    pub profile: Profile,
    /// What it says about itself, if it is there.
    pub version: Option<String>,
    /// Why it is not there, and how to get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Finds a stack: what it says about itself.
type Find = fn() -> Result<String, LabError>;

/// Looks for those stacks that may be missing and that are wanted.
#[must_use]
pub fn look(wanted: impl Fn(Profile) -> bool) -> Vec<Stack> {
    let finders: [(Profile, Find); 2] = [(Profile::Paho, paho_version), (Profile::Script, script_version)];
    finders
        .into_iter()
        .filter(|(profile, _)| wanted(*profile))
        .map(|(profile, find)| match find() {
            Ok(version) => Stack { profile, version: Some(version.trim().into()), missing: None },
            Err(error) => Stack { profile, version: None, missing: Some(error.to_string()) },
        })
        .collect()
}

fn paho_version() -> Result<String, LabError> {
    python().and_then(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import paho.mqtt as m; print('paho-mqtt', m.__version__)"]);
        child::run(command)
    })
}

fn script_version() -> Result<String, LabError> {
    let program = find("mosquitto_pub")?;
    find("mosquitto_sub")?;
    // Its help starts with its version, and its exit code is not 0.
    let help = Command::new(program).arg("--help").output().map_err(LabError::io("mosquitto_pub"))?;
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    Ok(text.lines().find(|line| line.contains("version")).unwrap_or("mosquitto_pub").to_owned())
}

/// The Python that has paho: named by the environment, in the working directory, or beside the sources.
fn python() -> Result<PathBuf, LabError> {
    let named = std::env::var_os("PICKET_LAB_PYTHON").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(VENV);
    named.into_iter().chain([VENV.into(), beside]).find(|path| path.is_file()).ok_or_else(|| {
        LabError::Unavailable { what: "paho for Python".into(), hint: "scripts/install-deps.sh --lab".into() }
    })
}

/// First line for the device program.
#[derive(Serialize)]
struct Options<'a> {
    host: String,
    port: u16,
    from: String,
    client_id: &'a str,
    version: u8,
    keep_alive: u16,
    clean: bool,
    username: Option<&'a str>,
    password: Option<&'a str>,
    filters: Vec<String>,
}

/// A message for the device program.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    payload: String,
    qos: u8,
    retain: bool,
}

/// Plays the device with paho.
pub(super) fn paho(device: &Device, target: Target, stop: &Stop) -> Tally {
    or_complain(try_paho(device, target, stop), device)
}

fn try_paho(device: &Device, target: Target, stop: &Stop) -> Result<Tally, LabError> {
    let what = "paho device";
    let mut behaviour = Behaviour::new(device);
    let hello = behaviour.hello();
    let address = target.address();
    let login = device.credentials.as_ref().map(crate::credentials::Credentials::pair);
    let options = Options {
        host: address.ip().to_string(),
        port: address.port(),
        from: device.address.map(|from| from.to_string()).unwrap_or_default(),
        client_id: &hello.client_id,
        version: device.version.level(),
        keep_alive: device.keep_alive,
        clean: device.clean,
        username: login.map(|(name, _)| name),
        password: login.map(|(_, password)| password),
        filters: hello.filters,
    };
    let mut command = Host::Here.command(python()?);
    command.args(["-c", PAHO]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Guarded::start(command, Signal::SIGTERM)?;
    let Child { stdin, stdout, .. } = child.inner();
    let (mut stdin, stdout) = (stdin.take().expect("a pipe"), stdout.take().expect("a pipe"));
    say(&mut stdin, &options).map_err(LabError::io(what))?;
    let mut due = Instant::now();
    loop {
        let action = behaviour.step();
        due += action.after;
        if !stop.sleep_until(due) {
            break;
        }
        for Message { topic, payload, retain } in &action.messages {
            let payload = String::from_utf8_lossy(payload).into_owned();
            let line = Line { topic, payload, qos: device.qos, retain: *retain };
            say(&mut stdin, &line).map_err(LabError::io(what))?;
        }
    }
    // The end of its input is its sign to leave; it then says what it did.
    drop(stdin);
    let mut last = String::new();
    BufReader::new(stdout).read_line(&mut last).map_err(LabError::io(what))?;
    serde_json::from_str(&last)
        .map_err(|error| LabError::Child { what: what.into(), detail: error.to_string() })
}

fn say<T: Serialize>(to: &mut impl Write, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    to.write_all(line.as_bytes())
}

/// Plays the device with one `mosquitto_pub` for every reading, and a `mosquitto_sub` beside it.
pub(super) fn script(device: &Device, target: Target, stop: &Stop) -> Tally {
    or_complain(try_script(device, target, stop), device)
}

fn try_script(device: &Device, target: Target, stop: &Stop) -> Result<Tally, LabError> {
    // The clients read options from files in this directory: no password stands on a command line.
    let home = tempfile::tempdir().map_err(LabError::io("temporary directory"))?;
    if let Some(login) = &device.credentials {
        let (name, password) = login.pair();
        for client in ["mosquitto_pub", "mosquitto_sub"] {
            let file = home.path().join(client);
            fs::write(&file, format!("-u {name}\n-P {password}\n"))
                .map_err(LabError::io(file.display().to_string()))?;
        }
    }
    let client = |program: &str, suffix: &str| -> Result<Command, LabError> {
        let mut command = Host::Here.command(find(program)?);
        command.env("XDG_CONFIG_HOME", home.path());
        address(&mut command, target.address(), device);
        command.arg("-i").arg(format!("{}{suffix}", device.client_id));
        command.args(["-q", if device.qos == 0 { "0" } else { "1" }]);
        command.args(["-k", &device.keep_alive.max(5).to_string()]).stderr(Stdio::null());
        Ok(command)
    };
    let mut listening = client("mosquitto_sub", "-s")?;
    listening.arg("-t").arg(format!("site/{}/set", device.client_id));
    listening.stdin(Stdio::null()).stdout(Stdio::null());
    let _listening = Guarded::start(listening, Signal::SIGTERM)?;

    let mut tally = Tally::default();
    let mut behaviour = Behaviour::new(device);
    while !stop.is_set() {
        let _ = behaviour.hello();
        let action = behaviour.step();
        for message in &action.messages {
            let mut command = client("mosquitto_pub", "-p")?;
            command.arg("-t").arg(&message.topic).arg("-s").args(message.retain.then_some("-r"));
            command.stdin(Stdio::piped()).stdout(Stdio::null());
            let mut child = Guarded::start(command, Signal::SIGTERM)?;
            let mut stdin = child.inner().stdin.take().expect("a pipe");
            // One that has already failed does not read; its exit code says so.
            let _ = stdin.write_all(&message.payload);
            drop(stdin);
            if wait(&mut child, stop) {
                tally.sessions += 1;
                tally.published += 1;
            } else {
                tally.broken += 1;
            }
        }
        if let Then::Leave(pause) = action.then
            && !stop.sleep(pause)
        {
            break;
        }
    }
    Ok(tally)
}

/// Whether it ends in time, and well.
fn wait(child: &mut Guarded, stop: &Stop) -> bool {
    let late = Instant::now() + PATIENCE;
    while Instant::now() < late && !stop.is_set() {
        match child.inner().try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Err(_) => return false,
        }
    }
    false
}

fn address(command: &mut Command, broker: SocketAddr, device: &Device) {
    command.arg("-h").arg(broker.ip().to_string()).arg("-p").arg(broker.port().to_string());
    if let Some(from) = device.address {
        command.arg("-A").arg(from.to_string());
    }
    command.args(["-V", if device.version == Version::V5 { "mqttv5" } else { "mqttv311" }]);
}

/// A stack that fails is no reason to end a scenario: it is said, and the device did nothing.
fn or_complain(result: Result<Tally, LabError>, device: &Device) -> Tally {
    result.unwrap_or_else(|error| {
        eprintln!("picket-lab: {}: {error}", device.client_id);
        Tally { broken: 1, ..Tally::default() }
    })
}
