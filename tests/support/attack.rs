//! The attacks, as parameters rather than recordings. Each starts at `at` and comes from `attacker`.

use std::net::IpAddr;

use super::capture::{Capture, SECOND, Socket};
use super::conversation::Conversation;
use super::mqtt::{self, Connect, Version};

/// Guesses `tries` passwords, `gap` microseconds apart, each over a connection of its own; all are refused.
pub fn brute_force(
    version: Version,
    attacker: IpAddr,
    broker: Socket,
    at: u64,
    tries: u16,
    gap: u64,
) -> Capture {
    (0..tries).fold(Capture::default(), |capture, n| {
        let start = at + u64::from(n) * gap;
        let mut talk = Conversation::new((attacker, 20_000 + n), broker, start).open();
        talk.send(&Connect::new(version, "guess").login("admin", format!("secret{n}")).encode());
        talk.reply(&mqtt::refused(version));
        capture.with(talk.closed_by_server())
    })
}

/// Connects `count` times, `gap` microseconds apart, and leaves at once.
pub fn connect_flood(
    version: Version,
    attacker: IpAddr,
    broker: Socket,
    at: u64,
    count: u16,
    gap: u64,
) -> Capture {
    let mut capture = Capture::default();
    for n in 0..count {
        let start = at + u64::from(n) * gap;
        let talk = Conversation::new((attacker, 20_000 + n), broker, start).open();
        let talk = talk.connect(&Connect::new(version, format!("flood{n}")));
        capture.frames.extend(talk.close().frames);
    }
    capture.sorted()
}

/// Publishes `per_second` messages for `seconds` over one connection, ten messages to a segment.
pub fn publish_flood(
    version: Version,
    attacker: IpAddr,
    broker: Socket,
    at: u64,
    per_second: u64,
    seconds: u64,
) -> Capture {
    let mut talk = Conversation::new((attacker, 20_000), broker, at).open();
    talk = talk.connect(&Connect::new(version, "hose"));
    let burst = mqtt::publish(version, "factory/line", &[0x55; 40]).repeat(10);
    let start = talk.now;
    for n in 0..per_second * seconds / 10 {
        talk.wait_until(start + n * 10 * SECOND / per_second);
        talk.send(&burst);
    }
    talk.close()
}

/// `SlowITe`: `count` sessions with the longest keep alive, never used, held for `seconds`.
pub fn slowite(
    version: Version,
    attacker: IpAddr,
    broker: Socket,
    at: u64,
    count: u16,
    seconds: u64,
) -> Capture {
    let mut capture = Capture::default();
    for n in 0..count {
        let start = at + u64::from(n) * 100_000;
        let talk = Conversation::new((attacker, 20_000 + n), broker, start).open();
        let connect = Connect::new(version, format!("slow{n}")).keep_alive(u16::MAX);
        let mut talk = talk.connect(&connect);
        talk.wait_until(start + seconds * SECOND);
        capture.frames.extend(talk.close().frames);
    }
    capture.sorted()
}

/// `count` sessions with an ordinary keep alive that do nothing but ping, held for `seconds`.
pub fn idle_sessions(
    version: Version,
    attacker: IpAddr,
    broker: Socket,
    at: u64,
    count: u16,
    seconds: u64,
) -> Capture {
    let mut capture = Capture::default();
    for n in 0..count {
        let start = at + u64::from(n) * 100_000;
        let talk = Conversation::new((attacker, 20_000 + n), broker, start).open();
        let mut talk = talk.connect(&Connect::new(version, format!("idle{n}")).keep_alive(10));
        for ping in 1..seconds / 10 {
            talk.wait_until(start + ping * 10 * SECOND);
            talk.send(&mqtt::pingreq());
            talk.reply(&mqtt::pingresp());
        }
        talk.wait_until(start + seconds * SECOND);
        capture.frames.extend(talk.close().frames);
    }
    capture.sorted()
}

/// Tries `ports` ports of `victim` from 1 on, `gap` microseconds apart; every second one answers with a reset.
pub fn tcp_scan(attacker: IpAddr, victim: IpAddr, at: u64, ports: u16, gap: u64) -> Capture {
    let mut capture = Capture::default();
    for n in 0..ports {
        let talk = Conversation::new((attacker, 40_000), (victim, 1 + n), at + u64::from(n) * gap);
        let tried = if n % 2 == 0 { talk.refused() } else { talk.unanswered() };
        capture.frames.extend(tried.frames);
    }
    capture.sorted()
}

/// Sends `count` packets that break the standard in different ways, each after a proper CONNECT.
pub fn malformed(
    version: Version,
    attacker: IpAddr,
    broker: Socket,
    at: u64,
    count: u16,
    gap: u64,
) -> Capture {
    let broken: [Vec<u8>; 5] = [
        // PUBLISH with QoS 3.
        mqtt::packet(0x36, &[&mqtt::string("a"), &[0, 1][..], b"x"].concat()),
        // PUBLISH to a wildcard.
        mqtt::publish(version, "a/#", b"x"),
        // SUBSCRIBE with wrong reserved flags.
        mqtt::packet(0x80, &[0, 1, 0, 1, b'a', 0]),
        // A second CONNECT.
        Connect::new(version, "again").encode(),
        // PUBLISH whose topic is longer than the packet.
        mqtt::packet(0x30, &[0xff, 0xff, b'a']),
    ];
    let mut capture = Capture::default();
    for n in 0..count {
        let start = at + u64::from(n) * gap;
        let talk = Conversation::new((attacker, 20_000 + n), broker, start).open();
        let mut talk = talk.connect(&Connect::new(version, "fuzzer"));
        talk.send(&broken[usize::from(n) % broken.len()]);
        capture.frames.extend(talk.closed_by_server().frames);
    }
    capture.sorted()
}
