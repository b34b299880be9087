//! Counters over the last 60 seconds alone, for what honest hosts hardly do: a sixth of the memory of [`Windows`].
//!
//! [`Windows`]: super::window::Windows

/// What is counted per source host over 60 seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Rare {
    /// CONNECT sent whose session the server keeps after the connection.
    Persistent,
    /// CONNECT sent with a will.
    Will,
    /// Sessions with a will that ended without DISCONNECT.
    WillReleased,
    /// CONNECT sent with a client id whose session another host holds open.
    Takeover,
    /// PUBLISH sent with RETAIN and no payload, which wipes what the server keeps.
    Emptied,
    /// PUBLISH and wills sent with a topic that another host publishes to.
    Foreign,
    /// PUBLISH and wills sent with a topic that another host subscribes to by name.
    Commanding,
    /// PUBACK and PUBREC received that refuse.
    PublishRefused,
    /// PUBLISH received with RETAIN.
    RetainedReceived,
    /// Topic filters subscribed to.
    Filters,
    /// Of these, with wildcards.
    WildcardFilters,
    /// Of these, shared subscriptions.
    SharedFilters,
    /// SUBSCRIBE sent to everything, or to the server's own figures.
    ReadsAll,
    /// Topic filters that a SUBACK refused.
    FiltersRefused,
    /// Control packets sent that are announced with 64 KiB or more.
    Large,
    /// Looks, ten seconds apart, at connections in which a control packet got no further than to its middle.
    Stalled,
    /// Properties sent, in units of 64 octets.
    PropertyBytes,
    /// Control packets sent that cannot be read as what they say they are.
    BadFormat,
    /// Control packets sent when they must not be.
    BadOrder,
    /// Packet identifiers, QoS and acknowledgements used wrongly.
    BadIdentifier,
    /// Strings, topics and filters that are none.
    BadText,
    /// Properties and topic aliases used wrongly.
    BadProperty,
    /// TCP connections opened to SSH.
    SshOpened,
    /// TCP connections opened to Telnet.
    TelnetOpened,
    /// ICMP messages received that say that somebody could not be reached.
    Unreachable,
    /// ARP messages sent that announce an address and that nobody asked for.
    ArpUnasked,
    /// ARP messages sent that claim an address of another station.
    ArpClaim,
}

impl Rare {
    /// How many counters there are.
    pub const COUNT: usize = Self::ArpClaim as usize + 1;
}

/// Seconds of a bucket.
const STRIDE: u64 = 10;
/// Buckets.
const LONG: usize = 6;

/// Every counter of one host. The window moves in steps of ten seconds, so it holds the last 51 to 60. A bucket saturates at 255.
#[derive(Clone, Debug)]
pub struct Rares {
    /// The stride that is going on, counted from the epoch.
    stride: u64,
    /// The second at which the next one begins.
    next: u64,
    buckets: [[u8; Rare::COUNT]; LONG],
    sums: [u16; Rare::COUNT],
}

impl Rares {
    /// Nothing counted yet.
    pub const EMPTY: Self =
        Self { stride: 0, next: STRIDE, buckets: [[0; Rare::COUNT]; LONG], sums: [0; Rare::COUNT] };

    /// Moves on to `second`; what has left the window is forgotten. Going back does nothing.
    #[inline]
    pub fn advance(&mut self, second: u64) {
        if second >= self.next {
            self.advance_to(second / STRIDE);
        }
    }

    #[cold]
    fn advance_to(&mut self, stride: u64) {
        let next = (stride + 1) * STRIDE;
        if stride - self.stride >= LONG as u64 {
            *self = Self { stride, next, ..Self::EMPTY };
            return;
        }
        self.next = next;
        while self.stride < stride {
            self.stride += 1;
            let Some(leaving) = self.buckets.get_mut(place(self.stride)) else { return };
            for (sum, value) in self.sums.iter_mut().zip(leaving.iter()) {
                *sum -= u16::from(*value);
            }
            leaving.fill(0);
        }
    }

    /// Counts `n` in the current second.
    pub fn add(&mut self, counter: Rare, n: u32) {
        let index = counter as usize;
        let Some(bucket) = self.buckets.get_mut(place(self.stride)) else { return };
        let before = bucket[index];
        let after = u8::try_from(u32::from(before).saturating_add(n)).unwrap_or(u8::MAX);
        bucket[index] = after;
        self.sums[index] += u16::from(after - before);
    }

    /// Sum over the last 60 seconds.
    #[must_use]
    pub fn last60(&self, counter: Rare) -> u32 {
        self.sums[counter as usize].into()
    }

    /// Whether nothing is in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sums.iter().all(|sum| *sum == 0)
    }
}

/// Where the bucket of a stride lies.
fn place(stride: u64) -> usize {
    // A remainder of six fits.
    usize::try_from(stride % LONG as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_saturates_without_upsetting_the_sums() {
        let mut rares = Rares::EMPTY.clone();
        rares.advance(100);
        rares.add(Rare::Large, 300);
        rares.add(Rare::Large, 1);
        assert_eq!(rares.last60(Rare::Large), 255);
        rares.advance(110);
        rares.add(Rare::Large, 1);
        assert_eq!(rares.last60(Rare::Large), 256);
        rares.advance(160);
        assert_eq!(rares.last60(Rare::Large), 1);
        rares.advance(1000);
        assert!(rares.is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_of_events(steps in prop::collection::vec((0u64..20, 0u32..9), 1..200)) {
            let mut rares = Rares::EMPTY.clone();
            let mut events: Vec<(u64, u32)> = Vec::new();
            let mut now = 1000;
            for (step, n) in steps {
                now += step;
                rares.advance(now);
                rares.add(Rare::ArpClaim, n);
                events.push((now, n));
                let since = now / 10 * 10 - 50;
                let sum = events.iter().filter(|(at, _)| *at >= since).map(|(_, n)| n).sum::<u32>();
                prop_assert_eq!(rares.last60(Rare::ArpClaim), sum);
                prop_assert_eq!(rares.last60(Rare::Persistent), 0);
            }
        }
    }
}
