//! The flows of a capture, with a bound on how many are followed at once.

use std::collections::HashMap;
use std::time::Duration;

use super::incident::ClassSet;
use crate::flow::key::FlowKey;
use crate::label::LabelId;
use crate::time::Timestamp;

/// A silence after which a five-tuple is another flow.
pub const FLOW_IDLE: Duration = Duration::from_secs(300);

/// Flows followed at once, each with some 100 octets. Beyond that those end that were silent the longest.
const MAX_FLOWS: usize = 1 << 18;

/// A five-tuple without direction: addresses and ports, and whether it is UDP.
pub(super) type Key = (FlowKey, bool);

/// A flow while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) label: LabelId,
    /// What its packets were reported as, by each detector.
    pub(super) reported: Vec<ClassSet>,
    last: Timestamp,
}

/// The flows that go on.
#[derive(Default)]
pub(super) struct Flows {
    open: HashMap<Key, Flow>,
    swept: Timestamp,
}

impl Flows {
    /// Takes a packet in; gives the flows that are over to `end`.
    pub(super) fn packet(
        &mut self,
        key: Key,
        ts: Timestamp,
        label: LabelId,
        reported: &[ClassSet],
        mut end: impl FnMut(&Flow),
    ) {
        if u128::from(ts.micros_since(self.swept)) > FLOW_IDLE.as_micros() {
            self.swept = ts;
            self.end_silent(ts - FLOW_IDLE, &mut end);
        }
        if let Some(flow) = self.open.get_mut(&key) {
            if ts <= flow.last + FLOW_IDLE {
                flow.label = flow.label.or(label);
                flow.last = flow.last.max(ts);
                for (all, one) in flow.reported.iter_mut().zip(reported) {
                    *all |= one;
                }
                return;
            }
            end(flow);
        } else if self.open.len() == MAX_FLOWS {
            self.make_room(&mut end);
        }
        self.open.insert(key, Flow { label, reported: reported.to_vec(), last: ts });
    }

    /// The label of the flow that goes on between these.
    pub(super) fn label(&self, key: &Key) -> LabelId {
        self.open.get(key).map_or(LabelId::DEFAULT, |flow| flow.label)
    }

    fn end_silent(&mut self, before: Timestamp, end: &mut impl FnMut(&Flow)) {
        self.open.retain(|_, flow| {
            let lasts = flow.last >= before;
            if !lasts {
                end(flow);
            }
            lasts
        });
    }

    /// Ends the half that was silent the longest.
    #[cold]
    fn make_room(&mut self, end: &mut impl FnMut(&Flow)) {
        let mut times: Vec<Timestamp> = self.open.values().map(|flow| flow.last).collect();
        let middle = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(middle);
        // All of one moment would otherwise stay.
        self.end_silent(*middle + Duration::from_micros(1), end);
    }

    /// The capture has ended, and with it every flow.
    pub(super) fn finish(&mut self, mut end: impl FnMut(&Flow)) {
        self.open.drain().for_each(|(_, flow)| end(&flow));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Address;
    use crate::flow::key::Socket;

    fn key(port: u32) -> Key {
        let [_, low, ports @ ..] = port.to_be_bytes();
        let end = |last, port| Socket { addr: Address::v4([10, 0, 0, last]), port };
        (FlowKey::new(end(low, u16::from_be_bytes(ports)), end(255, 1883)), false)
    }

    #[test]
    fn a_flow_keeps_all_that_was_reported_until_it_is_silent() {
        let (mut flows, mut ended) = (Flows::default(), Vec::new());
        let label = LabelId::DEFAULT;
        for (secs, set) in [(10, 0), (11, 1), (12, 4)] {
            flows.packet(key(1), Timestamp::from_secs(secs), label, &[set], |_| panic!("it lasts"));
        }
        // Silent for too long: another flow of the same five-tuple.
        flows.packet(key(1), Timestamp::from_secs(313), label, &[0], |flow| ended.push(flow.reported[0]));
        assert_eq!(ended, [5]);
        flows.finish(|flow| ended.push(flow.reported[0]));
        assert_eq!(ended, [5, 0]);
    }

    #[test]
    fn a_flood_of_flows_ends_the_oldest() {
        let (mut flows, mut ended) = (Flows::default(), 0);
        let total = u32::try_from(MAX_FLOWS).expect("small") + 10;
        for port in 0..total {
            let ts = Timestamp::from_micros(1_000_000_000 + u64::from(port));
            flows.packet(key(port), ts, LabelId::DEFAULT, &[0], |_| ended += 1);
            assert!(flows.open.len() <= MAX_FLOWS);
        }
        assert!(ended > 0);
        flows.finish(|_| ended += 1);
        assert_eq!(ended, total);
    }
}
