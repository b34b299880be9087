//! What a valid configuration will run into on this machine. For `picket check`, and for the log at start.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Config;

/// One thing worth knowing before the daemon starts. Not an error: the machine may change until then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advice {
    /// The key it is about; empty when it is about the file as a whole.
    pub key: &'static str,
    /// What will happen and what helps.
    pub text: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.key, self.text) }
    }
}

/// Looks at the machine for what `config`, read from `file`, names. Reads metadata only.
#[must_use]
pub fn advice(config: &Config, file: Option<&Path>) -> Vec<Advice> {
    let mut list = Vec::new();
    let mut say = |key, text: String| list.push(Advice { key, text });

    if let Some(file) = file.filter(|file| mode(file).is_some_and(|mode| mode & 0o002 != 0)) {
        say("", format!("{} can be changed by everybody: chmod o-w it", file.display()));
    }
    for interface in &config.capture.interfaces {
        // `any` is libpcap's name for all of them.
        if interface.as_str() != "any" && !Path::new("/sys/class/net").join(interface.as_str()).exists() {
            say("capture.interfaces", format!("there is no interface {interface} now"));
        }
    }
    let user = &config.capture.user;
    if !matches!(nix::unistd::User::from_name(user), Ok(Some(_))) {
        say(
            "capture.user",
            format!(
                "there is no user {user}, so `picket run` will not start as root: useradd --system {user}"
            ),
        );
    }
    let publish = &config.publish;
    let identity = publish.identity.as_ref();
    let more = config.model.more.iter().map(|path| ("model.more", Some(path.as_path())));
    for (key, path) in more.chain([
        ("model.path", config.model.path.as_deref()),
        ("publish.password-file", publish.password_file.as_deref()),
        ("publish.ca-file", publish.ca_file.as_deref()),
        ("publish.cert-file", identity.map(|identity| identity.cert_file.as_path())),
        ("publish.key-file", identity.map(|identity| identity.key_file.as_path())),
    ]) {
        let Some(path) = path else { continue };
        if let Err(error) = std::fs::metadata(path) {
            say(key, format!("{}: {}", path.display(), crate::error::plain(&error)));
        }
    }
    for (key, path) in [
        ("publish.password-file", publish.password_file.as_deref()),
        ("publish.key-file", identity.map(|identity| identity.key_file.as_path())),
    ] {
        let Some(path) = path else { continue };
        if mode(path).is_some_and(|mode| mode & 0o004 != 0) {
            say(key, format!("{} can be read by everybody: chmod 640 it", path.display()));
        }
    }
    let clear = publish.broker.as_ref().filter(|broker| !broker.is_tls() && !is_loopback(broker.host()));
    if let Some(broker) = clear.filter(|_| publish.user.is_some()) {
        say("publish.broker", format!("the password goes to {} in clear text: use mqtts://", broker.host()));
    }
    list
}

/// Permission bits, where the file can be seen.
fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

/// Whether a host is certainly this machine.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn keys(text: &str) -> Vec<&'static str> {
        let config = Config::parse(text, &Overrides::default(), "gw").expect("valid");
        advice(&config, None).iter().map(|advice| advice.key).collect()
    }

    #[test]
    fn missing_things_are_named_by_key() {
        let found = keys(
            "[capture]\ninterfaces = ['nosuchif0']\nuser = 'nosuchuser'\n\
             [model]\npath = '/nonexistent/m.onnx'\n",
        );
        assert_eq!(found, ["capture.interfaces", "capture.user", "model.path"]);
    }

    #[test]
    fn a_password_over_an_open_line_is_named() {
        let rest = "[capture]\nuser = 'nobody'\n[model]\npath = ''\n[publish]\nuser = 'u'\n";
        assert_eq!(keys(&format!("{rest}broker = 'mqtt://192.0.2.1'")), ["publish.broker"]);
        assert_eq!(keys(&format!("{rest}broker = 'mqtt://127.0.0.1'")), [""; 0]);
    }

    #[test]
    fn open_files_are_named() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let secret = dir.path().join("password");
        std::fs::write(&secret, "x").expect("written");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("mode set");
        let text = format!(
            "[capture]\nuser = 'nobody'\n[model]\npath = ''\n[publish]\nuser = 'u'\npassword-file = '{}'",
            secret.display()
        );
        assert_eq!(keys(&text), ["publish.password-file"]);
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o640)).expect("mode set");
        assert_eq!(keys(&text), [""; 0]);
    }
}
