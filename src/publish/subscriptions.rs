//! What is subscribed, and when it is not.
//!
//! A message larger than we take ends the connection: MQTT 3.1.1 has no way to tell a broker, and a hostile one of
//! MQTT 5 need not listen. A retained one would end every connection that follows, as soon as it has subscribed, and with
//! it the way of the alerts. So after such an end topics are subscribed one by one, each with some time for what it
//! brings; one that brings the end again is left out for a while, longer each time.

use std::time::{Duration, Instant};

/// Time for what a subscription brings, before the next one when they are made one by one.
const TRIAL: Duration = Duration::from_secs(3);
/// How long a filter is left out: first, and at most.
const LEFT_OUT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

#[derive(Debug)]
struct Subscription {
    filter: String,
    /// Since when, on the present connection.
    since: Option<Instant>,
    left_out_until: Option<Instant>,
    /// How long the next time.
    pause: Duration,
}

impl Subscription {
    /// Whether what it brings is still waited for.
    fn is_on_trial(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now < since + TRIAL)
    }
}

/// The filters of a client.
#[derive(Debug)]
pub(super) struct Subscriptions {
    all: Vec<Subscription>,
    one_by_one: bool,
}

impl Subscriptions {
    pub(super) fn new(filters: impl IntoIterator<Item = String>) -> Self {
        let of = |filter| Subscription { filter, since: None, left_out_until: None, pause: LEFT_OUT.0 };
        Self { all: filters.into_iter().map(of).collect(), one_by_one: false }
    }

    /// What is to be subscribed now. Each filter is to be acknowledged by [`Self::made`] once it was asked for.
    pub(super) fn due(&self, now: Instant) -> Vec<String> {
        if self.one_by_one && self.all.iter().any(|s| s.is_on_trial(now)) {
            return Vec::new();
        }
        let due = |s: &&Subscription| s.since.is_none() && s.left_out_until.is_none_or(|until| until <= now);
        let count = if self.one_by_one { 1 } else { usize::MAX };
        self.all.iter().filter(due).take(count).map(|s| s.filter.clone()).collect()
    }

    /// A filter was asked for.
    pub(super) fn made(&mut self, filter: &str, now: Instant) {
        if let Some(subscription) = self.all.iter_mut().find(|s| s.filter == filter) {
            subscription.since = Some(now);
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self) {
        self.all.iter_mut().for_each(|s| s.since = None);
    }

    /// The connection is gone because of a message that was too large. Returns the filters that are left out now.
    pub(super) fn overrun(&mut self, now: Instant) -> Vec<String> {
        let mut left_out = Vec::new();
        if self.one_by_one {
            // Later than a trial it was no retained message, and can have come by any of them.
            let any = !self.all.iter().any(|s| s.is_on_trial(now));
            for s in self.all.iter_mut().filter(|s| s.since.is_some() && (any || s.is_on_trial(now))) {
                s.left_out_until = Some(now + s.pause);
                s.pause = (s.pause * 2).min(LEFT_OUT.1);
                left_out.push(s.filter.clone());
            }
        }
        self.one_by_one = true;
        self.lost();
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn subscribe(subscriptions: &mut Subscriptions, now: Instant) -> Vec<String> {
        let due = subscriptions.due(now);
        due.iter().for_each(|filter| subscriptions.made(filter, now));
        due
    }

    fn three() -> Subscriptions {
        Subscriptions::new(["a", "b", "c"].map(str::to_owned))
    }

    #[test]
    fn all_at_once_as_long_as_nothing_happens() {
        let (mut subscriptions, now) = (three(), Instant::now());
        assert_eq!(subscribe(&mut subscriptions, now), ["a", "b", "c"]);
        assert!(subscribe(&mut subscriptions, now).is_empty());
        subscriptions.lost();
        assert_eq!(subscribe(&mut subscriptions, now).len(), 3);
    }

    #[test]
    fn the_one_that_ends_the_connection_is_found_and_left_out_longer_each_time() {
        let (mut subscriptions, mut now) = (three(), Instant::now());
        subscribe(&mut subscriptions, now);
        assert!(subscriptions.overrun(now).is_empty());
        assert_eq!(subscribe(&mut subscriptions, now), ["a"]);
        assert!(subscribe(&mut subscriptions, now + SECOND).is_empty());
        now += TRIAL;
        assert_eq!(subscribe(&mut subscriptions, now), ["b"]);
        assert_eq!(subscriptions.overrun(now + SECOND), ["b"]);
        for expected in ["a", "c"] {
            now += TRIAL;
            assert_eq!(subscribe(&mut subscriptions, now), [expected]);
        }
        for pause in [60, 120, 240] {
            now += Duration::from_secs(pause);
            assert_eq!(subscribe(&mut subscriptions, now), ["b"], "after {pause} s");
            assert_eq!(subscriptions.overrun(now), ["b"]);
            while !subscribe(&mut subscriptions, now).is_empty() {
                now += TRIAL;
            }
        }
    }

    #[test]
    fn a_message_that_nobody_retained_costs_all_of_them_for_a_while() {
        let (mut subscriptions, mut now) = (three(), Instant::now());
        subscriptions.overrun(now);
        for _ in 0..3 {
            subscribe(&mut subscriptions, now);
            now += TRIAL;
        }
        assert_eq!(subscriptions.overrun(now), ["a", "b", "c"]);
        assert!(subscribe(&mut subscriptions, now).is_empty());
        now += LEFT_OUT.0;
        assert_eq!(subscribe(&mut subscriptions, now), ["a"]);
    }
}
