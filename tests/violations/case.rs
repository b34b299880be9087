//! One name of an event, the plays that give it, and the nearest legal ones that do not.

use picket::alert::Severity;
use picket::event::Reaction;
use picket::mqtt::violation::Violation;

use crate::scene::Scene;
use crate::support::capture::{Capture, SECOND, START};
use crate::support::mqtt::{V5, V311, Version};

/// A play.
pub type Play = fn(Scene, Version) -> Scene;

/// A play and the events that it gives.
#[derive(Clone, Debug)]
pub struct Example {
    pub version: Version,
    pub play: Play,
    /// What the event of the case's own name is about, and how much it matters.
    pub violation: Violation,
    pub severity: Severity,
    /// Names and reactions of all events; none of a legal play.
    pub events: Vec<(&'static str, Reaction)>,
}

/// All examples of one name.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    pub examples: Vec<Example>,
}

/// Between the beginnings of two plays in a capture: long enough that everything has ended.
const APART: u64 = 200 * SECOND;

impl Case {
    /// The file its capture is kept in.
    pub fn file(&self) -> String {
        format!("{}.pcap", self.name.replace(':', "-"))
    }

    /// Which play something at this time belongs to, in microseconds.
    pub fn place_of(time: u64) -> usize {
        ((time - START) / APART) as usize
    }

    /// The captures of all plays, one after another.
    pub fn capture(&self) -> Capture {
        let scene = |place: u16, example: &Example| {
            let start = START + u64::from(place) * APART;
            (example.play)(Scene::new(example.version, place, start), example.version).captured()
        };
        let captures = (0..).zip(&self.examples).map(|(place, example)| scene(place, example));
        captures.fold(Capture::default(), Capture::with)
    }
}

/// Cases of one violation that differ in the version only, or one alone.
#[derive(Clone, Debug)]
pub struct Cases {
    violation: Violation,
    severity: Severity,
    cases: Vec<(Version, Case)>,
}

impl Cases {
    /// Of 3.1.1 and of 5, the same octets but for the version.
    pub fn both(violation: Violation, severity: Severity, names: [&'static str; 2]) -> Self {
        Self::v311(violation, severity, names[0]).or_v5(names[1])
    }

    /// Of 3.1.1 only.
    pub fn v311(violation: Violation, severity: Severity, name: &'static str) -> Self {
        Self { violation, severity, cases: vec![(V311, Case { name, examples: Vec::new() })] }
    }

    /// Of 5 only.
    pub fn v5(violation: Violation, severity: Severity, name: &'static str) -> Self {
        Self { violation, severity, cases: Vec::new() }.or_v5(name)
    }

    fn or_v5(mut self, name: &'static str) -> Self {
        self.cases.push((V5, Case { name, examples: Vec::new() }));
        self
    }

    fn example(mut self, reaction: Option<Reaction>, play: Play) -> Self {
        let (violation, severity) = (self.violation, self.severity);
        for (version, case) in &mut self.cases {
            let events = reaction.map(|reaction| (case.name, reaction)).into_iter().collect();
            case.examples.push(Example { version: *version, play, violation, severity, events });
        }
        self
    }

    /// A play in which the other end closes.
    pub fn closed(self, play: Play) -> Self {
        self.example(Some(Reaction::Closed), play)
    }

    /// A play in which the other end answers as if nothing were wrong.
    pub fn answered(self, play: Play) -> Self {
        self.example(Some(Reaction::Answered), play)
    }

    /// A play in which the other end says nothing.
    pub fn ignored(self, play: Play) -> Self {
        self.example(Some(Reaction::Ignored), play)
    }

    /// A play in which no reaction is due.
    pub fn not_due(self, play: Play) -> Self {
        self.example(Some(Reaction::NotDue), play)
    }

    /// The nearest play without fault.
    pub fn legal(self, play: Play) -> Self {
        self.example(None, play)
    }

    /// The latest play gives this event too, with the same reaction as its own: one name per version, or "" for none.
    pub fn also<const N: usize>(self, names: [&'static str; N]) -> Self {
        let events = &self.cases[0].1.examples.last().expect("a play before").events;
        let (_, reaction) = *events.first().expect("not of a legal play");
        self.beside(reaction, names)
    }

    /// The latest play gives this event too, with a reaction of its own: one name per version, or "" for none.
    pub fn beside<const N: usize>(mut self, reaction: Reaction, names: [&'static str; N]) -> Self {
        assert_eq!(N, self.cases.len(), "one name per version: {names:?}");
        for ((_, case), name) in self.cases.iter_mut().zip(names).filter(|(_, name)| !name.is_empty()) {
            case.examples.last_mut().expect("a play before").events.push((name, reaction));
        }
        self
    }

    /// Adds them to the list; several violations may share a name.
    pub fn into(self, list: &mut Vec<Case>) {
        for (_, case) in self.cases {
            match list.iter_mut().find(|known| known.name == case.name) {
                Some(known) => known.examples.extend(case.examples),
                None => list.push(case),
            }
        }
    }
}
