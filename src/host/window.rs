//! Counters over the last 10 and 60 seconds, by rings of buckets: of one second for the short window, of five for the long one.

/// What is counted per source host and second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Counter {
    /// TCP connections opened (first SYN).
    Syn,
    /// Opened connections that were refused, never answered or dropped unused.
    SynFailed,
    /// CONNECT sent.
    Connect,
    /// CONNACK received that accepts.
    Accepted,
    /// CONNACK received that refuses.
    Refused,
    /// First PUBLISH or SUBSCRIBE of a session.
    SessionUsed,
    /// PUBLISH sent.
    Publish,
    /// PUBLISH sent with RETAIN.
    PublishRetained,
    /// PUBLISH sent with QoS 1 or 2.
    PublishAcked,
    /// PUBLISH received.
    PublishReceived,
    /// SUBSCRIBE sent.
    Subscribe,
    /// PINGREQ sent.
    PingReq,
    /// DISCONNECT sent.
    Disconnect,
    /// Control packets sent that break the standard.
    Violation,
    /// Segments with MQTT payload sent.
    SegmentsSent,
    /// Segments with MQTT payload received.
    SegmentsReceived,
    /// MQTT payload sent, in units of 64 octets.
    BytesSent,
    /// MQTT payload received, in units of 64 octets.
    BytesReceived,
    /// HTTP requests sent.
    HttpRequest,
    /// TCP segments sent that belong to no connection.
    Stray,
    /// UDP datagrams sent to a port as high as the sender's or lower: those of clients.
    UdpSent,
    /// IP packets sent with neither TCP nor UDP in them: ICMP, tunnels.
    OtherSent,
    /// CONNECT sent with keep alive 0 or beyond one hour.
    LongKeepAlive,
    /// Accepted sessions that the broker ended.
    ClosedByBroker,
    /// Legal client ids and topics that no honest client uses.
    Oddity,
    /// Encrypted connections that ended like a refused login.
    EncryptedRefused,
}

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = Self::EncryptedRefused as usize + 1;
    /// The first of them have a short window, too; nobody asks for that of the others.
    pub const SHORT_COUNT: usize = Self::OtherSent as usize + 1;
}

/// Buckets of one second: the short window.
const SHORT: usize = 10;
/// Seconds of a bucket of the long window.
const STRIDE: u64 = 5;
/// Buckets of five seconds: the long window.
const LONG: usize = 12;
/// Seconds of the long window.
const LONG_SECS: u64 = STRIDE * LONG as u64;

type Buckets<const COUNT: usize, const N: usize> = [[u16; COUNT]; N];

/// Every counter of one host over both windows. The windows end with the current second, which is part of them.
///
/// The long window moves in steps of five seconds, so it holds the last 56 to 60 seconds: a third of the memory of
/// sixty buckets, and twice the hosts for it. A bucket saturates at 65,535 events.
#[derive(Clone, Debug)]
pub struct Windows {
    second: u64,
    seconds: Buckets<{ Counter::SHORT_COUNT }, SHORT>,
    strides: Buckets<{ Counter::COUNT }, LONG>,
    short: [u32; Counter::SHORT_COUNT],
    long: [u32; Counter::COUNT],
}

impl Windows {
    /// Nothing counted yet.
    pub const EMPTY: Self = Self {
        second: 0,
        seconds: [[0; Counter::SHORT_COUNT]; SHORT],
        strides: [[0; Counter::COUNT]; LONG],
        short: [0; Counter::SHORT_COUNT],
        long: [0; Counter::COUNT],
    };

    /// Moves on to `second`; what has left the windows is forgotten. Going back does nothing.
    #[inline]
    pub fn advance(&mut self, second: u64) {
        if second > self.second {
            self.advance_to(second);
        }
    }

    fn advance_to(&mut self, second: u64) {
        if second - self.second >= LONG_SECS {
            *self = Self { second, ..Self::EMPTY };
            return;
        }
        while self.second < second {
            self.second += 1;
            forget(&mut self.seconds, self.second, &mut self.short);
            if self.second.is_multiple_of(STRIDE) {
                forget(&mut self.strides, self.second / STRIDE, &mut self.long);
            }
        }
    }

    /// Counts `n` in the current second.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u32) {
        add(&mut self.seconds, self.second, &mut self.short, counter, n);
        add(&mut self.strides, self.second / STRIDE, &mut self.long, counter, n);
    }

    /// Sum over the last 10 seconds; 0 of a counter without a short window.
    #[must_use]
    #[inline]
    pub const fn last10(&self, counter: Counter) -> u32 {
        let index = counter as usize;
        if index < Counter::SHORT_COUNT { self.short[index] } else { 0 }
    }

    /// Sum over the last 60 seconds.
    #[must_use]
    #[inline]
    pub const fn last60(&self, counter: Counter) -> u32 {
        self.long[counter as usize]
    }

    /// Whether nothing is in the windows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.long.iter().all(|sum| *sum == 0)
    }
}

/// Where the bucket of a second (or stride) lies in a ring of `N`.
#[inline]
fn place<const N: usize>(now: u64) -> usize {
    // A remainder of N fits where N does.
    usize::try_from(now % N as u64).unwrap_or_default()
}

/// Empties the bucket that begins now and takes what was in it out of the sums.
fn forget<const COUNT: usize, const N: usize>(
    buckets: &mut Buckets<COUNT, N>,
    now: u64,
    sums: &mut [u32; COUNT],
) {
    let Some(leaving) = buckets.get_mut(place::<N>(now)) else { return };
    for (sum, value) in sums.iter_mut().zip(leaving.iter()) {
        *sum -= u32::from(*value);
    }
    leaving.fill(0);
}

#[inline]
fn add<const COUNT: usize, const N: usize>(
    buckets: &mut Buckets<COUNT, N>,
    now: u64,
    sums: &mut [u32; COUNT],
    counter: Counter,
    n: u32,
) {
    let index = counter as usize;
    let bucket = buckets.get_mut(place::<N>(now)).and_then(|bucket| bucket.get_mut(index));
    let (Some(bucket), Some(sum)) = (bucket, sums.get_mut(index)) else { return };
    let before = *bucket;
    *bucket = u16::try_from(u32::from(before).saturating_add(n)).unwrap_or(u16::MAX);
    *sum += u32::from(*bucket - before);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_saturates_without_upsetting_the_sums() {
        let mut windows = Windows::EMPTY.clone();
        windows.advance(100);
        windows.add(Counter::Publish, 70_000);
        windows.add(Counter::Publish, 5);
        assert_eq!(windows.last60(Counter::Publish), 65_535);
        windows.advance(110);
        assert_eq!((windows.last10(Counter::Publish), windows.last60(Counter::Publish)), (0, 65_535));
        windows.advance(159);
        assert_eq!(windows.last60(Counter::Publish), 65_535);
        windows.advance(160);
        assert!(windows.is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_of_events(steps in prop::collection::vec((0u64..20, 0u32..50), 1..200)) {
            let mut windows = Windows::EMPTY.clone();
            let mut events: Vec<(u64, u32)> = Vec::new();
            let mut now = 1000;
            for (step, n) in steps {
                now += step;
                windows.advance(now);
                windows.add(Counter::Connect, n);
                events.push((now, n));
                let sum = |since: u64| events.iter().filter(|(at, _)| *at >= since).map(|(_, n)| n).sum::<u32>();
                prop_assert_eq!(windows.last10(Counter::Connect), sum(now - 9));
                prop_assert_eq!(windows.last60(Counter::Connect), sum(now / 5 * 5 - 55));
                prop_assert_eq!(windows.last60(Counter::Publish), 0);
            }
        }
    }
}
