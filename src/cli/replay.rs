//! `picket replay`: what would have been reported.

use std::io::{self, BufWriter, Write as _};
use std::time::Instant;

use super::args::Replay;
use super::output::Printer;
use super::{configuration, offline};
use crate::capture::FileCounters;
use crate::config::{Config, Overrides};
use crate::decode::SkipReason;
use crate::detect::scorer::{NoModel, Scorer};
use crate::engine::{Engine, Settings, Stats};
use crate::error::{ExitError, sysexits};
use crate::memory::OwnedMemory;
use crate::model::ModelSet;
use crate::mqtt::packet::PacketType;
use crate::publish::payload::Identity;
use crate::settings;

pub(super) fn run(args: &Replay) -> Result<(), ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let mut settings = settings::of(&config);
    settings.rules &= !args.no_rules;
    let models = load_models(args, &config)?;
    if models.is_empty() && args.no_rules {
        return Err(ExitError::new(
            sysexits::USAGE,
            "replay: --no-rules: there is no model either, so nothing would be looked for",
        )
        .hint("give --model FILE"));
    }
    let labels = models.labels();
    if models.is_empty() {
        replay(args, &config, settings, NoModel, labels)
    } else {
        replay(args, &config, settings, models, labels)
    }
}

/// The models asked for; or the configured ones that exist, since a replay without a model is still a replay.
fn load_models(args: &Replay, config: &Config) -> Result<ModelSet, ExitError> {
    let mut models = ModelSet::empty();
    if args.no_model {
        return Ok(models);
    }
    let configured = config.model().paths().into_iter().filter(|path| path.exists());
    let paths: Vec<_> = if args.models.is_empty() { configured.collect() } else { args.models.clone() };
    for path in &paths {
        models.add(path)?;
    }
    Ok(models)
}

#[expect(clippy::disallowed_methods, reason = "measures the replay itself; nothing of it reaches the engine")]
fn replay<S: Scorer>(
    args: &Replay,
    config: &Config,
    settings: Settings,
    scorer: S,
    models: Vec<String>,
) -> Result<(), ExitError> {
    let sensor = config
        .sensor()
        .as_str()
        .parse()
        .map_err(|error| ExitError::new(sysexits::CONFIG, format!("{error}")))?;
    let identity = Identity { sensor, models };
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(settings, memory.lend(), scorer);
    let mut printer = Printer::new(BufWriter::new(io::stdout().lock()), args.output, args.events, identity);
    let started = Instant::now();
    let (read, outcome) = offline::drive(&args.captures, &mut engine, &mut printer);
    let took = started.elapsed();
    let written = printer.finish();
    if args.stats {
        // Nobody is left to tell when stderr is closed.
        let _ = print_stats(&engine.stats(), &read, took.as_secs_f64());
    }
    outcome?;
    match written {
        // The reader had enough, as `head` has.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ExitError::new(sysexits::IOERR, format!("replay: cannot write alerts: {error}")))
        }
        _ => Ok(()),
    }
}

fn print_stats(stats: &Stats, read: &FileCounters, seconds: f64) -> io::Result<()> {
    let mut err = io::stderr().lock();
    let rate = if seconds > 0.0 { stats.frames as f64 / seconds } else { 0.0 };
    writeln!(
        err,
        "frames                {} ({} octets) in {seconds:.3} s, {rate:.0} a second",
        stats.frames, stats.octets
    )?;
    let losses = read.losses;
    for (count, what) in [
        (read.filtered, "did not pass the filter"),
        (read.copies, "outgoing copies on a loopback device"),
        (losses.oversize, "longer than 262,144 octets"),
        (losses.invalid, "of unknown interfaces or impossible lengths"),
        (losses.dropped, "lost by the capturing program, as it says"),
    ] {
        if count > 0 {
            writeln!(err, "not read              {count} {what}")?;
        }
    }
    if losses.damages > 0 {
        writeln!(err, "damaged places        {} ({} octets)", losses.damages, losses.damaged_octets)?;
    }
    writeln!(err, "tcp / udp             {} / {}", stats.tcp, stats.udp)?;
    for (reason, count) in SkipReason::ALL.iter().zip(stats.skipped).filter(|(_, count)| *count > 0) {
        writeln!(err, "skipped               {count} {}", reason.name())?;
    }
    let messages: u64 = stats.control_packets.iter().sum();
    writeln!(err, "control packets       {messages}")?;
    for (packet_type, count) in
        PacketType::ALL.iter().zip(stats.control_packets).filter(|(_, count)| *count > 0)
    {
        writeln!(err, "  {:<19} {count}", packet_type.name())?;
    }
    writeln!(err, "violations            {} ({} bad lengths)", stats.violations, stats.bad_lengths)?;
    writeln!(err, "unframed octets       {}", stats.unframed_octets)?;
    for (title, counters) in
        [("carriers", &stats.carriers.named()[..]), ("datagrams", &stats.datagrams.named()[..])]
    {
        let told: Vec<String> = counters
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
            .collect();
        if !told.is_empty() {
            writeln!(err, "{title:<22}{}", told.join(", "))?;
        }
    }
    let stream = stats.stream;
    writeln!(
        err,
        "segments              {} retransmitted, {} held, {} keep-alive probes, {} stray; {} duplicate frames",
        stream.retransmitted, stream.held, stream.keep_alives, stats.stray, stats.duplicates
    )?;
    writeln!(
        err,
        "gaps                  {} of {} octets, {} of them late; {} segments not held, {} out of window, {} jumps",
        stream.gaps,
        stream.gap_octets,
        stream.late_octets,
        stream.not_held,
        stream.out_of_window,
        stream.jumps
    )?;
    writeln!(
        err,
        "odd segments          {} overlap conflicts, {} resets refused, {} resets with data, {} SYN in connections, {} urgent; {} connections revived",
        stream.conflicts,
        stream.resets_refused,
        stream.resets_with_data,
        stream.syns_in_connection,
        stream.urgent,
        stream.revived
    )?;
    let parts = stats.fragments;
    writeln!(
        err,
        "fragments             {} of {} datagrams put together, {} timed out, {} evicted; {} repeated, {} overlapping, {} conflicts, {} tiny, {} unusable",
        parts.received,
        parts.reassembled,
        parts.timed_out,
        parts.evicted,
        parts.repeated,
        parts.overlaps,
        parts.conflicts,
        parts.tiny,
        parts.unusable
    )?;
    writeln!(
        err,
        "connections           {} opened, {} evicted; hosts {} evicted; clients {} evicted",
        stats.connections_opened, stats.connections_evicted, stats.hosts_evicted, stats.clients_evicted
    )?;
    writeln!(
        err,
        "scored vectors        {} ({} without a verdict); {} passed over",
        stats.scored, stats.unscored, stats.rows_passed_over
    )?;
    writeln!(
        err,
        "alerts                {} ({} incidents found no place)",
        stats.alerts, stats.incidents_refused
    )?;
    writeln!(err, "time jumps            {}", stats.time_jumps)
}
