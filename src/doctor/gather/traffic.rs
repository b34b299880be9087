//! A short look at live traffic: each interface by itself, all at the same time, as some frames pass several.

use std::thread;
use std::time::{Duration, Instant};

use crate::capture::{Event, FrameSource, LiveOptions, LiveSource};
use crate::config::{Config, Interface};
use crate::doctor::facts::Sampled;
use crate::doctor::listen::BROKER_PORTS;
use crate::doctor::sample::{Sampler, failed};

/// Octets of memory for waiting frames, per interface.
const BUFFER: u32 = 8 << 20;
/// Frames looked at of one interface at most, so that a look is bounded in work as well as in time.
const FRAMES: u64 = 2_000_000;
/// Stack of a thread, in octets.
const STACK: usize = 256 * 1024;

/// Looks for so many seconds at the configured interfaces, all of what passes them.
pub(super) fn look(config: &Config, seconds: u32) -> Vec<Sampled> {
    let capture = config.capture();
    let options = LiveOptions {
        snaplen: capture.snaplen,
        buffer_bytes: BUFFER,
        promiscuous: capture.promiscuous,
        ..LiveOptions::default()
    };
    let mut ports = config.mqtt_ports().to_vec();
    ports.extend(BROKER_PORTS);
    thread::scope(|scope| {
        let looks: Vec<_> = capture
            .interfaces
            .iter()
            .map(Interface::as_str)
            .map(|name| {
                let (options, ports) = (options.clone(), ports.clone());
                let look = move || one(name, options, ports, seconds);
                (
                    name,
                    thread::Builder::new()
                        .name("picket-look".to_owned())
                        .stack_size(STACK)
                        .spawn_scoped(scope, look),
                )
            })
            .collect();
        looks
            .into_iter()
            .map(|(name, look)| match look.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(seen)) => seen,
                Ok(Err(_)) => failed(name, "the look at it ended early".to_owned()),
                Err(error) => failed(name, error.to_string()),
            })
            .collect()
    })
}

#[expect(clippy::disallowed_methods, reason = "the edge: a look lasts so long by the clock")]
fn one(name: &str, options: LiveOptions, ports: Vec<u16>, seconds: u32) -> Sampled {
    let mut source = match LiveSource::open(&[name], options) {
        Ok(source) => source,
        Err(error) => return failed(name, error.to_string()),
    };
    let mut sampler = Sampler::new(name, ports);
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut frames = 0;
    while Instant::now() < end && frames < FRAMES {
        match source.next_frame() {
            Ok(Event::Frame(frame)) => {
                sampler.frame(&frame);
                frames += 1;
            }
            Ok(Event::End) => break,
            Ok(_) => {}
            Err(error) => return failed(name, error.to_string()),
        }
    }
    let dropped = source.status().map(|status| status.counters.dropped).sum();
    sampler.finish(seconds, dropped)
}
