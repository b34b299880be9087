//! Capturing by a `tcpdump` child: a tool that the product does not share.
//!
//! On `lo` the kernel shows every packet twice, once leaving and once arriving; libpcap itself drops the leaving
//! copy there, so that the file has each packet once. On a bridge each packet is seen once.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStderr, Stdio};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::Host;
use crate::broker::find;
use crate::child::Guarded;
use crate::error::LabError;

/// What tcpdump says at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Packets in the file.
    pub captured: u64,
    /// Packets that the kernel lost for want of buffer space.
    pub dropped: u64,
}

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Guarded,
    said: BufReader<ChildStderr>,
}

impl Capture {
    /// Starts to capture an interface into a file, and waits until it does.
    ///
    /// # Errors
    /// If tcpdump is missing or may not capture.
    pub fn start(host: &Host, interface: &str, filter: Option<&str>, file: &Path) -> Result<Self, LabError> {
        let mut command = host.command(find("tcpdump")?);
        command.args(["-n", "-i", interface, "-s", "65535", "-B", "32768", "-w"]).arg(file);
        if nix::unistd::geteuid().is_root() {
            // Otherwise it becomes a user who may not be allowed to write here.
            command.args(["-Z", "root"]);
        }
        command.args(filter).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut tcpdump = Guarded::start(command, Signal::SIGINT)?;
        let mut said = BufReader::new(tcpdump.inner().stderr.take().expect("stderr is a pipe"));
        let mut heard = String::new();
        loop {
            let before = heard.len();
            said.read_line(&mut heard).map_err(LabError::io("tcpdump"))?;
            if heard[before..].contains("listening on") {
                return Ok(Self { tcpdump, said });
            }
            if heard.len() == before {
                return Err(refusal(&heard, interface));
            }
        }
    }

    /// Ends the capture; the file is then complete.
    ///
    /// # Errors
    /// If tcpdump did not end as it should.
    pub fn finish(mut self) -> Result<Counts, LabError> {
        self.tcpdump.end().map_err(LabError::io("tcpdump"))?;
        let mut text = String::new();
        self.said.read_to_string(&mut text).map_err(LabError::io("tcpdump"))?;
        counts(&text).ok_or_else(|| LabError::Child { what: "tcpdump".into(), detail: text.trim().into() })
    }
}

/// Why tcpdump did not begin.
fn refusal(heard: &str, interface: &str) -> LabError {
    if heard.contains("ermission") || heard.contains("not permitted") {
        return LabError::NoCapture(interface.into());
    }
    let detail = heard.lines().last().unwrap_or("it said nothing").into();
    LabError::Child { what: "tcpdump".into(), detail }
}

/// Reads the last lines of tcpdump.
fn counts(text: &str) -> Option<Counts> {
    let number = |of: &str| {
        let line = text.lines().find(|line| line.trim_end().ends_with(of))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Counts { captured: number("captured")?, dropped: number("dropped by kernel")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_permission_has_an_exit_code_of_its_own() {
        let heard = "tcpdump: lo: You don't have permission to perform this capture on that device\n\
                     (socket: Operation not permitted)\n";
        assert_eq!(refusal(heard, "lo").exit_code(), 77);
        let error = refusal("tcpdump: wlan9: No such device exists\n", "wlan9");
        assert_eq!(error.to_string(), "tcpdump failed: tcpdump: wlan9: No such device exists");
    }

    #[test]
    fn the_last_lines_of_tcpdump() {
        let text = "123 packets captured\n246 packets received by filter\n1 packet dropped by kernel\n";
        assert_eq!(counts(text), Some(Counts { captured: 123, dropped: 1 }));
        assert_eq!(counts("1 packet captured\n0 packets dropped by kernel\n").map(|c| c.captured), Some(1));
        assert_eq!(counts("tcpdump: no"), None);
    }
}
