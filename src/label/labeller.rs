//! The labels of one capture, given frame by frame.

use std::net::IpAddr;

use super::rule::Rule;
use super::{LabelId, ROW_GREY, ROW_LEAD, ROW_TAIL};
use crate::capture::Filter;
use crate::decode::{Address, hosts};
use crate::frame::{Frame, LinkType};
use crate::time::Timestamp;

/// Labels the frames of one capture, in their order. It learns from them when the capture begins and when the attacks
/// of rules without times take place; rows must be asked for in their turn, after the frames before them.
pub struct Labeller {
    rules: Vec<Active>,
    /// The time of the first frame.
    start: Option<Timestamp>,
    /// The latest time of a frame.
    end: Timestamp,
}

/// A rule that is about this capture.
struct Active {
    rule: Rule,
    is_attack: bool,
    filter: Option<Filter>,
    from: Timestamp,
    to: Option<Timestamp>,
    packets: u64,
    first: Timestamp,
    last: Timestamp,
}

/// What one section of the file labelled in a capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// Which attack.
    pub label: LabelId,
    /// A finer name of it, where the file has one.
    pub attack: Option<String>,
    /// Who acts, as the file has it; empty where it does not say.
    pub source: String,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Packets labelled by it; those with an earlier rule's label are not among them.
    pub packets: u64,
    /// The section: see [`Labeller::acts`].
    section: usize,
}

impl Labeller {
    /// With these rules and whether each is about an attack.
    pub(super) fn new(rules: impl Iterator<Item = (Rule, bool)>) -> Self {
        let active = |(rule, is_attack): (Rule, bool)| Active {
            filter: Filter::new(rule.filter.as_deref()),
            rule,
            is_attack,
            from: Timestamp::ZERO,
            to: None,
            packets: 0,
            first: Timestamp::ZERO,
            last: Timestamp::ZERO,
        };
        Self { rules: rules.map(active).collect(), start: None, end: Timestamp::ZERO }
    }

    /// The label of the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>) -> LabelId {
        self.frame_between(frame, hosts(frame))
    }

    /// The label of the next frame, whose sender and receiver are known already.
    pub fn frame_between(&mut self, frame: &Frame<'_>, hosts: Option<(Address, Address)>) -> LabelId {
        if self.start.is_none() {
            self.begin(frame.ts);
        }
        self.end = self.end.max(frame.ts);
        let matching =
            self.rules.iter_mut().find_map(|active| active.matches(frame, hosts).then_some(active));
        let Some(active) = matching else { return LabelId::DEFAULT };
        if active.packets == 0 {
            active.first = frame.ts;
        }
        active.first = active.first.min(frame.ts);
        active.last = active.last.max(frame.ts);
        active.packets += 1;
        active.rule.label
    }

    fn begin(&mut self, start: Timestamp) {
        self.start = Some(start);
        for active in &mut self.rules {
            active.from = active.rule.from.map_or(start, |from| from.of(start));
            active.to = active.rule.to.map(|to| to.of(start));
        }
    }

    /// The label of the row of a source host over the windows that end at `ts`; `None` when it is to be left out.
    #[must_use]
    pub fn row(&self, host: IpAddr, ts: Timestamp) -> Option<LabelId> {
        let host = address(host);
        let mut grey = false;
        for active in &self.rules {
            match active.row(host, ts) {
                Row::Of => return Some(active.rule.label),
                Row::Partly => grey |= active.is_attack,
                Row::Apart => {}
            }
        }
        (!grey).then_some(LabelId::DEFAULT)
    }

    /// The episodes of attacks seen so far, in the order of the file.
    #[must_use]
    pub fn episodes(&self) -> Vec<Episode> {
        let is_seen = |active: &Active| {
            // What is no packet of an address, such as ARP, is an attack all the same.
            let in_time = active.rule.episode.is_some() && active.from <= self.end;
            active.packets > 0 || in_time && self.start <= active.to
        };
        let seen = self.rules.iter().enumerate().filter(|(_, active)| active.is_attack && is_seen(active));
        seen.map(|(section, active)| {
            let said = active.rule.from.map(|_| active.from).zip(active.to);
            let (start, end) = said.unwrap_or((active.first, active.last));
            let attack = active.rule.attack.clone();
            let source = active.rule.source_names();
            Episode { label: active.rule.label, attack, source, start, end, packets: active.packets, section }
        })
        .collect()
    }

    /// Whether a host is among those that act in an episode of this capture; any is where the file does not say who.
    #[must_use]
    pub fn acts(&self, episode: &Episode, host: IpAddr) -> bool {
        self.rules.get(episode.section).is_some_and(|active| active.rule.is_source(address(host)))
    }
}

/// Where a row stands to an attack.
enum Row {
    /// Within it.
    Of,
    /// Its windows hold a part of it.
    Partly,
    /// It has nothing to do with it.
    Apart,
}

impl Active {
    fn matches(&mut self, frame: &Frame<'_>, hosts: Option<(Address, Address)>) -> bool {
        if frame.ts < self.from && self.rule.from.is_some() || self.to.is_some_and(|to| frame.ts > to) {
            return false;
        }
        if self.rule.names_hosts() && !hosts.is_some_and(|(a, b)| self.rule.is_between(a, b)) {
            return false;
        }
        let Some(filter) = &mut self.filter else { return true };
        // It was compiled for some link type when the file was read; for this one it may make no sense.
        filter.passes(link_number(frame), frame.data, frame.wire_len).unwrap_or(false)
    }

    fn row(&self, host: Address, ts: Timestamp) -> Row {
        if !self.rule.is_source(host) {
            return Row::Apart;
        }
        let (start, end) = if self.rule.is_by_time() {
            (self.from, self.to)
        } else if self.packets > 0 {
            (self.first, Some(self.last))
        } else {
            return Row::Apart;
        };
        let within = start + ROW_LEAD <= ts && end.is_none_or(|end| ts <= end + ROW_TAIL);
        // What only some packets of unnamed hosts did cannot be said of any of these hosts.
        if within && (self.rule.is_by_time() || !self.rule.sources.is_empty()) {
            Row::Of
        } else if start - ROW_LEAD <= ts && end.is_none_or(|end| ts <= end + ROW_GREY) {
            Row::Partly
        } else {
            Row::Apart
        }
    }
}

fn address(host: IpAddr) -> Address {
    match host {
        IpAddr::V4(v4) => Address::v4(v4.octets()),
        IpAddr::V6(v6) => Address::v6(v6.octets()),
    }
}

/// A link type by which libpcap compiles a filter that fits the frame.
fn link_number(frame: &Frame<'_>) -> u16 {
    match frame.link {
        // The address family is in the order of octets of whoever captured; libpcap has a number for each.
        LinkType::Null if frame.data.first().is_some_and(|octet| *octet == 0) => 108,
        link => link.number(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use etherparse::PacketBuilder;

    use super::*;
    use crate::label::Labels;

    /// A segment between 10.0.0.`from` and 10.0.0.`to`, on Ethernet.
    fn segment(from: u8, to: u8, port: u16) -> Vec<u8> {
        let mut out = Vec::new();
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, from], [2, 0, 0, 0, 0, to])
            .ipv4([10, 0, 0, from], [10, 0, 0, to], 64)
            .tcp(40_000, port, 1, 1024)
            .write(&mut out, b"")
            .expect("in memory");
        out
    }

    fn frame(seconds: f64, data: &[u8]) -> Frame<'_> {
        let ts = Timestamp::from_micros((seconds * 1e6) as u64);
        Frame {
            ts,
            nanos: 0,
            link: LinkType::Ethernet,
            wire_len: u32::try_from(data.len()).expect("short"),
            data,
        }
    }

    fn labels(text: &str) -> Labels {
        Labels::parse(text).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    fn host(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_first_rule_that_matches_says_the_label() {
        let labels = labels(
            "[[rule]]\nlabel = 'benign'\nfilter = 'port 22'\n\
             [[rule]]\nlabel = 'scan'\nsource = '10.0.0.5'\ndestination = '10.0.0.8/29'\n\
             [[rule]]\nlabel = 'flood'\nsource = '10.0.0.5'\nfrom = '+10'\nto = '+20'\n\
             [[rule]]\nlabel = 'other'\nfile = 'other.pcap'\n",
        );
        let mut labeller = labels.for_capture(Path::new("some.pcap"));
        let mut label = |seconds, from, to, port| {
            labels.name(labeller.frame(&frame(seconds, &segment(from, to, port)))).to_owned()
        };
        assert_eq!(label(100.0, 5, 1, 80), "benign");
        assert_eq!(label(101.0, 5, 9, 80), "scan");
        assert_eq!(label(101.0, 5, 9, 22), "benign");
        assert_eq!(label(110.0, 1, 5, 80), "flood");
        assert_eq!(label(120.0, 5, 1, 80), "flood");
        assert_eq!(label(120.1, 5, 1, 80), "benign");
        assert_eq!(label(115.0, 6, 1, 80), "benign");
        let found: Vec<_> = labeller
            .episodes()
            .iter()
            .map(|e| (labels.name(e.label).to_owned(), e.start.as_secs(), e.end.as_secs(), e.packets))
            .collect();
        assert_eq!(found, [("scan".to_owned(), 101, 101, 1), ("flood".to_owned(), 110, 120, 2)]);
        let scan = labeller.episodes().remove(0);
        assert!(labeller.acts(&scan, host(5)) && !labeller.acts(&scan, host(9)));
    }

    #[test]
    fn captures_are_known_by_name() {
        let labels = labels("default = 'normal'\n[[rule]]\nlabel = 'x'\nfile = 'bad/*.pcap'\n");
        let data = segment(1, 2, 3);
        for (path, expected) in [("good/a.pcap", "normal"), ("bad/a.pcap", "x")] {
            let label = labels.for_capture(Path::new(path)).frame(&frame(1.0, &data));
            assert_eq!(labels.name(label), expected, "{path}");
        }
        assert!(!labels.is_attack(LabelId::DEFAULT) && labels.is_attack(LabelId(1)));
    }

    #[test]
    fn an_episode_is_both_directions_of_its_source() {
        let labels = labels(
            "[[episode]]\nclass = 'x'\nsource = '10.0.0.5'\nvictim = '10.0.0.1'\nstart = 100.5\nend = 101\n",
        );
        let mut labeller = labels.for_capture(Path::new("a"));
        let mut is =
            |seconds, from, to| labeller.frame(&frame(seconds, &segment(from, to, 1))) != LabelId::DEFAULT;
        assert!(!is(100.4, 5, 1));
        assert!(is(100.5, 5, 1) && is(101.0, 1, 5) && is(100.7, 5, 9));
        assert!(!is(101.000_002, 5, 1) && !is(100.7, 1, 9));
        assert_eq!(labeller.episodes().len(), 1);
    }

    #[test]
    fn an_episode_in_the_time_of_a_capture_is_an_attack_without_any_packet() {
        let labels = labels("[[episode]]\nclass = 'x'\nsource = '10.0.0.5'\nstart = 100.5\nend = 101\n");
        for (first, last, expected) in
            [(90.0, 100.0, 0), (90.0, 100.6, 1), (102.0, 103.0, 0), (100.9, 103.0, 1)]
        {
            let mut labeller = labels.for_capture(Path::new("a"));
            for seconds in [first, last] {
                labeller.frame(&frame(seconds, &segment(7, 8, 1)));
            }
            assert_eq!(labeller.episodes().len(), expected, "{first} to {last}");
        }
    }

    #[test]
    fn rows_of_the_attacker_are_labelled_and_those_in_part_are_left_out() {
        let labels = labels("[[episode]]\nclass = 'x'\nsource = '10.0.0.5'\nstart = 100.5\nend = 110\n");
        let mut labeller = labels.for_capture(Path::new("a"));
        labeller.frame(&frame(50.0, &segment(5, 1, 1)));
        let row = |last, secs| labeller.row(host(last), Timestamp::from_secs(secs));
        let attack = Some(LabelId(1));
        // As models/train/rows.py has it: from 1 s after the start to 10 s after the end; grey to 60 s after.
        assert_eq!([99, 100, 101].map(|at| row(5, at)), [Some(LabelId::DEFAULT), None, None]);
        assert_eq!([102, 110, 120].map(|at| row(5, at)), [attack, attack, attack]);
        assert_eq!([121, 170, 171].map(|at| row(5, at)), [None, None, Some(LabelId::DEFAULT)]);
        assert_eq!(row(6, 105), Some(LabelId::DEFAULT));
    }

    #[test]
    fn rows_of_a_rule_by_packets_follow_its_packets() {
        let labels = labels(
            "[[rule]]\nlabel = 'x'\nsource = '10.0.0.5'\nfilter = 'port 1883'\n\
             [[rule]]\nlabel = 'y'\nfilter = 'port 23'\n",
        );
        let mut labeller = labels.for_capture(Path::new("a"));
        labeller.frame(&frame(50.0, &segment(5, 1, 80)));
        assert_eq!(labeller.row(host(5), Timestamp::from_secs(51)), Some(LabelId::DEFAULT));
        labeller.frame(&frame(60.5, &segment(5, 1, 1883)));
        assert_eq!(labeller.row(host(5), Timestamp::from_secs(61)), None);
        assert_eq!(labeller.row(host(5), Timestamp::from_secs(70)), Some(LabelId(1)));
        assert_eq!(labeller.row(host(5), Timestamp::from_secs(100)), None);
        assert_eq!(labeller.row(host(6), Timestamp::from_secs(70)), Some(LabelId::DEFAULT));
        // Whoever it was: a rule without a source leaves every host's rows out.
        labeller.frame(&frame(200.0, &segment(7, 1, 23)));
        assert_eq!(labeller.row(host(6), Timestamp::from_secs(202)), None);
    }

    #[test]
    fn a_whole_capture_is_one_class() {
        let labels = labels("[[rule]]\nlabel = 'x'\nfile = '*.pcap'\nsource = '10.0.0.5'\n");
        let mut labeller = labels.for_capture(Path::new("a.pcap"));
        let x = labeller.frame(&frame(50.5, &segment(5, 1, 80)));
        assert_eq!(labels.name(x), "x");
        assert_eq!(labeller.row(host(5), Timestamp::from_secs(51)), None);
        assert_eq!(labeller.row(host(5), Timestamp::from_secs(5_000)), Some(x));
        assert_eq!(labeller.row(host(1), Timestamp::from_secs(52)), Some(LabelId::DEFAULT));
    }

    #[test]
    fn flows_have_their_first_label() {
        let flow = [0, 2, 1].iter().fold(LabelId::DEFAULT, |flow, id| flow.or(LabelId(*id)));
        assert_eq!(flow, LabelId(2));
    }
}
