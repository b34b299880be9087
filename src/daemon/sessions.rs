//! The table of open sessions, kept beside the status socket over a restart of the daemon.
//!
//! A session that is joined in the middle does not say its version, its client or what its topic aliases stand for. The
//! file lies in memory on a usual installation (`/run`), so it costs no flash and is gone after a reboot, as the
//! connections are: there it is written every half minute, and a daemon that crashed loses little of it. Anywhere else it
//! is written at an orderly end alone: after a crash or a power cut the sessions are joined in the middle, which is worth
//! less than 40 MB of writing a day. It holds client identifiers and topics, no payload and no secret, and only its owner
//! may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde::{Deserialize, Serialize};

use crate::detect::scorer::Scorer;
use crate::engine::{Engine, OpenAlias, OpenSession};
use crate::time::Timestamp;

/// What is kept is taken up for this long, in microseconds: later the connections are others.
const MAX_AGE: u64 = 600_000_000;
/// A file larger than any that was ever written is not read, in octets.
const MAX_OCTETS: u64 = 8 << 20;
/// Its name.
const NAME: &str = "sessions.jsonl";

/// One line of the file.
#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Saved {
        version: u8,
        micros: u64,
    },
    Session {
        client: (IpAddr, u16),
        server: (IpAddr, u16),
        opened: u64,
        level: u8,
        keep_alive: u16,
        used: bool,
        client_id: Option<Vec<u8>>,
    },
    Alias {
        client: (IpAddr, u16),
        server: (IpAddr, u16),
        opened: u64,
        by_client: bool,
        alias: u16,
        topic: Vec<u8>,
    },
}

/// The file, and what it held at the start.
#[derive(Debug)]
pub(super) struct Sessions {
    path: PathBuf,
    /// Lines that wait for the first frame.
    waiting: Vec<Line>,
    is_in_memory: bool,
    next_save: u64,
    is_failing: bool,
}

impl Sessions {
    /// The file in this folder; an earlier one is read.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join(NAME);
        let waiting = match read(&path) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                log::warn!("sessions open before the restart are not known: {}: {error}", path.display());
                Vec::new()
            }
        };
        Self { path, waiting, is_in_memory: is_in_memory(folder), next_save: 0, is_failing: false }
    }

    /// Once the engine's time runs: makes it know the sessions that were open.
    pub(super) fn resume<S: Scorer>(&mut self, engine: &mut Engine<'_, S>, now: Timestamp) {
        if self.waiting.is_empty() || engine.stats().frames == 0 {
            return;
        }
        let lines = std::mem::take(&mut self.waiting);
        let Some(Line::Saved { version: 1, micros }) = lines.first() else {
            return;
        };
        if now.as_micros().abs_diff(*micros) > MAX_AGE {
            return;
        }
        let mut sessions = 0;
        for line in lines {
            match line {
                Line::Saved { .. } => {}
                Line::Session { client, server, opened, level, keep_alive, used, client_id } => {
                    let client_id = client_id.and_then(|id| heapless::Vec::from_slice(&id).ok());
                    let opened = Timestamp::from_micros(opened);
                    let open = OpenSession { client, server, opened, level, keep_alive, used, client_id };
                    sessions += u32::from(engine.resume(&open));
                }
                Line::Alias { client, server, opened, by_client, alias, topic } => {
                    let Ok(topic) = heapless::Vec::from_slice(&topic) else { continue };
                    let opened = Timestamp::from_micros(opened);
                    engine.resume_alias(&OpenAlias { client, server, opened, by_client, alias, topic });
                }
            }
        }
        log::info!("open sessions taken up from before the restart: {sessions}");
    }

    /// Writes the table when it is due: every 30 s where that costs no flash.
    pub(super) fn keep<S: Scorer>(&mut self, engine: &Engine<'_, S>, now: Timestamp) {
        const EVERY: u64 = 30;
        if !self.is_in_memory {
            return;
        }
        let second = now.as_secs();
        if self.next_save == 0 {
            self.next_save = second + EVERY;
        }
        // A clock set back would otherwise put it off for as long.
        if second >= self.next_save || second + EVERY < self.next_save {
            self.next_save = second + EVERY;
            self.save(engine, now);
        }
    }

    /// Writes the table.
    pub(super) fn save<S: Scorer>(&mut self, engine: &Engine<'_, S>, now: Timestamp) {
        let outcome = write(&self.path, engine, now);
        if let Err(error) = &outcome
            && !self.is_failing
        {
            log::warn!("open sessions are not kept over a restart: {}: {error}", self.path.display());
        }
        self.is_failing = outcome.is_err();
    }
}

/// Whether what is written there stays in memory. What cannot be told counts as flash.
fn is_in_memory(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|system| system.filesystem_type() == TMPFS_MAGIC)
}

fn read(path: &Path) -> io::Result<Vec<Line>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_OCTETS {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large"));
    }
    BufReader::new(file.take(MAX_OCTETS))
        .lines()
        .map(|line| serde_json::from_str(&line?).map_err(io::Error::other))
        .collect()
}

fn write<S: Scorer>(path: &Path, engine: &Engine<'_, S>, now: Timestamp) -> io::Result<()> {
    // Beside it first, so that there is always a whole one.
    let new = path.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    let mut out = BufWriter::new(file);
    let mut put = |line: &Line| -> io::Result<()> {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")
    };
    put(&Line::Saved { version: 1, micros: now.as_micros() })?;
    for open in engine.sessions() {
        put(&Line::Session {
            client: open.client,
            server: open.server,
            opened: open.opened.as_micros(),
            level: open.level,
            keep_alive: open.keep_alive,
            used: open.used,
            client_id: open.client_id.map(|id| id.to_vec()),
        })?;
    }
    for open in engine.aliases() {
        put(&Line::Alias {
            client: open.client,
            server: open.server,
            opened: open.opened.as_micros(),
            by_client: open.by_client,
            alias: open.alias,
            topic: open.topic.to_vec(),
        })?;
    }
    out.flush()?;
    drop(out);
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::scorer::NoModel;
    use crate::engine::{Settings, Sink};
    use crate::frame::{Frame, LinkType};
    use crate::memory::OwnedMemory;

    struct Packets(Vec<(u8, Vec<u8>, Vec<u8>)>);
    impl Sink for Packets {
        const WANTS_PACKETS: bool = true;
        fn control_packet(&mut self, seen: &crate::engine::Observed<'_, '_>) {
            let client = seen.client_id.unwrap_or_default().to_vec();
            self.0.push((seen.version.level(), client, seen.topic.to_vec()));
        }
    }

    fn segment(seq: u32, flags: u8, payload: &[u8], from_client: bool, second: u64) -> (Timestamp, Vec<u8>) {
        let (client, server) = (([10, 0, 0, 7], 40_000), ([10, 0, 0, 1], 1883));
        let (src, dst) = if from_client { (client, server) } else { (server, client) };
        let mut builder = etherparse::PacketBuilder::ipv4(src.0, dst.0, 64).tcp(src.1, dst.1, seq, 1000);
        builder = if flags & 2 != 0 { builder.syn() } else { builder };
        builder = if flags & 16 != 0 { builder.ack(1) } else { builder };
        let mut out = Vec::new();
        builder.write(&mut out, payload).unwrap();
        (Timestamp::from_secs(1_790_000_000 + second), out)
    }

    fn run(engine: &mut Engine<'_, NoModel>, frames: &[(Timestamp, Vec<u8>)], sink: &mut Packets) {
        for (ts, data) in frames {
            let wire_len = u32::try_from(data.len()).unwrap();
            engine.on_frame(&Frame { ts: *ts, nanos: 0, link: LinkType::RawIp, wire_len, data }, sink);
        }
    }

    /// A session of version 5 that sets an alias, and goes on with the alias alone after the restart. Long after it, only
    /// the version can be told again, from the shape of the packet.
    #[test]
    fn version_client_and_alias_are_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let connect = b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\0\0\x03dev";
        let connack = b"\x20\x06\0\0\x03\x22\0\x0a";
        let set = b"\x30\x09\0\x01t\x03\x23\0\x01hi";
        let used = b"\x30\x08\0\0\x03\x23\0\x01hi";
        let before = [
            segment(0, 2, b"", true, 0),
            segment(0, 2 | 16, b"", false, 0),
            segment(1, 16, connect, true, 0),
            segment(1, 16, connack, false, 0),
            segment(19, 16, set, true, 1),
        ];
        let mut memory = OwnedMemory::new();
        let mut seen = Packets(Vec::new());
        let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
        run(&mut engine, &before, &mut seen);
        assert_eq!(seen.0.last().unwrap(), &(5, b"dev".to_vec(), b"t".to_vec()), "{:?}", seen.0);
        let mut sessions = Sessions::open(folder.path());
        sessions.save(&engine, before[4].0);

        for (second, expected) in [(20, (5, b"dev".to_vec(), b"t".to_vec())), (700, (5, vec![], vec![]))] {
            let mut memory = OwnedMemory::new();
            let settings = Settings { key: crate::flow::table::HashKey(3, 4), ..Settings::default() };
            let mut engine = Engine::new(settings, memory.lend(), NoModel);
            let mut sessions = Sessions::open(folder.path());
            let mut seen = Packets(Vec::new());
            let other = etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 3], 64).udp(5, 6);
            let mut data = Vec::new();
            other.write(&mut data, b"").unwrap();
            let (ts, after) = segment(30, 16, used, true, second);
            run(&mut engine, &[(ts, data)], &mut seen);
            sessions.resume(&mut engine, ts);
            run(&mut engine, &[(ts, after)], &mut seen);
            assert_eq!(seen.0, [expected], "{second}");
        }
    }

    #[test]
    fn flash_is_written_to_at_the_end_alone() {
        let mut memory = OwnedMemory::new();
        let engine = Engine::new(Settings::default(), memory.lend(), NoModel);
        for (is_in_memory, expected) in
            [(true, [false, false, true, true]), (false, [false, false, false, true])]
        {
            let folder = tempfile::tempdir().unwrap();
            let mut sessions = Sessions { is_in_memory, ..Sessions::open(folder.path()) };
            let is_there = || folder.path().join(NAME).exists();
            let mut seen = vec![is_there()];
            for second in [1000, 1030] {
                sessions.keep(&engine, Timestamp::from_secs(second));
                seen.push(is_there());
            }
            sessions.save(&engine, Timestamp::from_secs(1031));
            seen.push(is_there());
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn file_systems_in_memory_are_known() {
        assert!(!is_in_memory(Path::new("/proc")));
        assert!(!is_in_memory(Path::new("/nowhere/at/all")));
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let shm = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/dev/shm"));
        if shm.is_some_and(|line| line.split(' ').nth(2) == Some("tmpfs")) {
            assert!(is_in_memory(Path::new("/dev/shm")));
        }
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for content in [&b"nonsense"[..], b"{\"saved\":{\"version\":9,\"micros\":0}}\n", b"\xff\n"] {
            fs::write(folder.path().join(NAME), content).unwrap();
            let mut sessions = Sessions::open(folder.path());
            let mut memory = OwnedMemory::new();
            let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
            sessions.resume(&mut engine, Timestamp::from_secs(1));
            assert_eq!(engine.sessions().count(), 0);
        }
    }
}
