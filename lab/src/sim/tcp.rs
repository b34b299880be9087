//! TCP connections as a gateway beside the server sees them: handshake, segments, acknowledgements, loss, end.

use std::collections::VecDeque;

use etherparse::{TcpHeader, TcpOptionElement};

use super::recorder::{Host, Recorder};
use super::{SECOND, Time};
use crate::random::Random;

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Client,
    Server,
}

/// The link between a client and the gateway.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Way {
    /// From a segment to the client until its reaction is seen, in microseconds.
    pub(super) round_trip: u32,
    /// Spread of it, as a share.
    pub(super) jitter: f64,
    /// Share of segments with data that are lost.
    pub(super) loss: f64,
    /// Largest segment.
    pub(super) mss: u16,
    /// Whether segments have time stamps.
    pub(super) stamps: bool,
}

/// Time that the server takes for anything.
const SERVER: Time = 45;

/// First retransmission.
const RETRANSMIT: Time = 220_000;

/// Segments that may be on their way unacknowledged.
const WINDOW: usize = 16;

#[derive(Clone, Debug)]
struct End {
    host: Host,
    port: u16,
    first: u32,
    /// Bytes sent, SYN and FIN among them.
    sent: u64,
    /// Bytes of the other side that it has acknowledged.
    acknowledged: u64,
    /// Bytes of the other side that have arrived, with the time from which it can know them.
    arrived: VecDeque<(Time, u64)>,
    /// It sends nothing before this.
    free: Time,
    window: u16,
}

impl End {
    /// Bytes arrive, never before those ahead of them. Gives the time at which it can know them.
    fn receive(&mut self, at: Time, upto: u64) -> Time {
        let at = self.arrived.back().map_or(at, |(before, _)| at.max(*before));
        self.arrived.push_back((at, upto));
        at
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    client: End,
    server: End,
    way: Way,
}

/// What a sending leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    /// When the other side can react.
    pub(super) arrives: Time,
    /// When the other side acknowledges at the latest, and up to where.
    pub(super) acknowledge: (Time, u64),
}

impl Connection {
    pub(super) fn new(client: (Host, u16), server: (Host, u16), way: Way, random: &mut Random) -> Self {
        let mut end = |(host, port): (Host, u16), window| End {
            host,
            port,
            first: random.between((0, u32::MAX)),
            sent: 0,
            acknowledged: 0,
            arrived: VecDeque::new(),
            free: 0,
            window,
        };
        let small = if way.mss < 1460 { 5744 } else { 64_240 };
        Self { client: end(client, small), server: end(server, 65_160), way }
    }

    /// The handshake. Gives the time from which the client may send.
    pub(super) fn open(&mut self, at: Time, random: &mut Random, out: &mut Recorder) -> Time {
        let mut at = at;
        if random.chance(self.way.loss) {
            self.control(at, Side::Client, "S", out);
            self.client.sent = 0;
            at += SECOND;
        }
        self.control(at, Side::Client, "S", out);
        self.server.acknowledged = self.client.sent;
        self.control(at + SERVER, Side::Server, "SA", out);
        self.client.acknowledged = self.server.sent;
        let ready = at + SERVER + self.round_trip(random);
        self.control(ready, Side::Client, "A", out);
        self.client.free = ready + 150;
        self.server.free = ready;
        self.client.free
    }

    /// A SYN that is answered by a reset, as at a closed port.
    pub(super) fn refused(&mut self, at: Time, out: &mut Recorder) {
        self.control(at, Side::Client, "S", out);
        self.server.acknowledged = self.client.sent;
        self.control(at + SERVER, Side::Server, "RA", out);
    }

    /// Sends bytes, in as many segments as they need.
    pub(super) fn send(
        &mut self,
        at: Time,
        side: Side,
        bytes: &[u8],
        random: &mut Random,
        out: &mut Recorder,
    ) -> Sent {
        let mut at = at.max(self.end(side).free);
        let most = usize::from(self.way.mss) - if self.way.stamps { 12 } else { 0 };
        let mut last = at;
        let count = bytes.len().div_ceil(most);
        for (index, part) in bytes.chunks(most).enumerate() {
            let lost = random.chance(self.way.loss);
            if lost && side == Side::Client && random.chance(0.5) {
                // Lost before the gateway: only the second try is seen.
                at += RETRANSMIT;
            }
            let begin = self.end(side).sent;
            let acknowledged = self.known(side, at);
            let header = self.header(at, side, begin, acknowledged, "A", index + 1 == count);
            let (from, to) = self.hosts(side);
            out.tcp(at, &from, &to, header.clone(), part);
            self.end_mut(side).sent += part.len() as u64;
            if lost && side == Side::Server {
                // Lost behind the gateway: seen twice.
                at += RETRANSMIT + Time::from(self.way.round_trip);
                out.tcp(at, &from, &to, header, part);
            }
            last = at;
            at += Time::from(random.between((12, 60))) + part.len() as Time / 12;
            if count > 2 && index % 2 == 1 && index + 1 < count {
                at = self.acknowledge_part(last, at, side, index % WINDOW == WINDOW - 1, random, out);
            }
        }
        self.end_mut(side).free = at;
        let arrives = last
            + match side {
                Side::Client => SERVER,
                Side::Server => self.round_trip(random),
            };
        let upto = self.end(side).sent;
        let arrives = self.end_mut(opposite(side)).receive(arrives, upto);
        // Two full segments are acknowledged at once, a single one within 40 ms.
        let delay = if count > 1 { 40 } else { random.between((200, 40_000)) };
        Sent { arrives, acknowledge: (arrives + Time::from(delay), upto) }
    }

    /// In the middle of something long: the other side acknowledges every second segment, and the sender waits for
    /// it when the window is full. Gives the time of the next segment.
    fn acknowledge_part(
        &mut self,
        last: Time,
        next: Time,
        side: Side,
        full: bool,
        random: &mut Random,
        out: &mut Recorder,
    ) -> Time {
        let reaction = match side {
            Side::Client => SERVER,
            Side::Server => self.round_trip(random),
        };
        let other = opposite(side);
        let upto = self.end(side).sent;
        let seen = (last + reaction).max(self.end(other).free);
        let seen = self.end_mut(other).receive(seen, upto);
        self.control(seen, other, "A", out);
        self.end_mut(other).free = seen;
        let back = if side == Side::Client { self.round_trip(random) } else { SERVER };
        if full { next.max(seen + back) } else { next }
    }

    /// A bare acknowledgement, unless something else has carried it.
    pub(super) fn acknowledge(&mut self, at: Time, side: Side, upto: u64, out: &mut Recorder) {
        if self.end(side).acknowledged < upto {
            let at = at.max(self.end(side).free);
            self.control(at, side, "A", out);
        }
    }

    /// An end in good order, begun by `side`. Gives the time at which it is over.
    pub(super) fn close(&mut self, at: Time, side: Side, random: &mut Random, out: &mut Recorder) -> Time {
        let other = opposite(side);
        let begin = at.max(self.end(side).free) + 20;
        self.control(begin, side, "FA", out);
        let reaction = |random: &mut Random, own: &Self, by: Side| match by {
            Side::Client => own.round_trip(random),
            Side::Server => SERVER,
        };
        let answer = (begin + reaction(random, self, other)).max(self.end(other).free);
        let upto = self.end(side).sent;
        let answer = self.end_mut(other).receive(answer, upto);
        self.control(answer, other, "FA", out);
        let over = answer + reaction(random, self, side);
        let upto = self.end(other).sent;
        let over = self.end_mut(side).receive(over, upto);
        self.control(over, side, "A", out);
        over
    }

    /// The server ends it, and nobody is there any more.
    pub(super) fn close_unanswered(&mut self, at: Time, out: &mut Recorder) {
        let begin = at.max(self.server.free);
        let sent = self.server.sent;
        let mut wait = RETRANSMIT;
        let mut at = begin;
        for _ in 0..5 {
            self.server.sent = sent;
            self.control(at, Side::Server, "FA", out);
            at += wait;
            wait *= 2;
        }
    }

    /// A reset by the client.
    pub(super) fn reset(&mut self, at: Time, out: &mut Recorder) {
        let at = at.max(self.client.free);
        self.control(at, Side::Client, "RA", out);
    }

    fn round_trip(&self, random: &mut Random) -> Time {
        let round_trip = f64::from(self.way.round_trip);
        let late = random.exponential(round_trip * self.way.jitter);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "microseconds of a link: small and positive"
        )]
        let time = (round_trip + late) as Time;
        time
    }

    /// A segment without data. `flags` are letters as in tcpdump.
    fn control(&mut self, at: Time, side: Side, flags: &str, out: &mut Recorder) {
        let begin = self.end(side).sent;
        let acknowledged = self.known(side, at);
        let header = self.header(at, side, begin, acknowledged, flags, false);
        if flags.contains(['S', 'F']) {
            self.end_mut(side).sent += 1;
        }
        let (from, to) = self.hosts(side);
        out.tcp(at, &from, &to, header, &[]);
    }

    /// What a side has seen of the other's bytes by now; it acknowledges that.
    fn known(&mut self, side: Side, at: Time) -> u64 {
        let end = self.end_mut(side);
        while let Some((_, upto)) = end.arrived.front().copied().filter(|(time, _)| *time <= at) {
            end.arrived.pop_front();
            end.acknowledged = end.acknowledged.max(upto);
        }
        end.acknowledged
    }

    fn header(&self, at: Time, side: Side, begin: u64, known: u64, flags: &str, push: bool) -> TcpHeader {
        let (own, other) = (self.end(side), self.end(opposite(side)));
        let number = |first: u32, offset: u64| {
            first.wrapping_add(u32::try_from(offset & 0xFFFF_FFFF).expect("32 bits"))
        };
        let mut header = TcpHeader::new(own.port, other.port, number(own.first, begin), own.window);
        header.syn = flags.contains('S');
        header.ack = flags.contains('A');
        header.fin = flags.contains('F');
        header.rst = flags.contains('R');
        header.psh = push;
        if header.ack {
            header.acknowledgment_number = number(other.first, known);
        }
        let stamp =
            |end: &End| end.first.wrapping_add(u32::try_from((at / 1000) & 0xFFFF_FFFF).expect("32 bits"));
        let mut options = Vec::new();
        if header.syn {
            options.push(TcpOptionElement::MaximumSegmentSize(self.way.mss));
            if self.way.stamps {
                options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
            }
        }
        if self.way.stamps && !header.rst {
            let echo = if header.ack { stamp(other) } else { 0 };
            options.push(TcpOptionElement::Timestamp(stamp(own), echo));
        }
        header.set_options(&options).expect("fewer than 40 bytes");
        header
    }

    const fn end(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    const fn hosts(&self, side: Side) -> (Host, Host) {
        (self.end(side).host, self.end(opposite(side)).host)
    }
}

pub(super) const fn opposite(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}
