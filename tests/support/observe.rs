//! What the engine says of a capture.

use std::collections::BTreeMap;

use picket::alert::{Alert, Severity, State};
use picket::detect::scorer::NoModel;
use picket::engine::{Engine, Settings, Sink, Stats};
use picket::memory::OwnedMemory;

use super::capture::Capture;

/// Keeps every alert.
#[derive(Clone, Default, Debug)]
pub struct Alerts(pub Vec<Alert>);

impl Sink for Alerts {
    fn alert(&mut self, alert: &Alert) {
        self.0.push(alert.clone());
    }
}

/// What came of a capture.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub alerts: Vec<Alert>,
    pub stats: Stats,
}

impl Outcome {
    /// The alerts of each incident, in the order in which the incidents were opened.
    pub fn incidents(&self) -> Vec<Vec<&Alert>> {
        let mut order: BTreeMap<u128, usize> = BTreeMap::new();
        let mut incidents: Vec<Vec<&Alert>> = Vec::new();
        for alert in &self.alerts {
            let index = *order.entry(alert.incident).or_insert_with(|| {
                incidents.push(Vec::new());
                incidents.len() - 1
            });
            incidents[index].push(alert);
        }
        incidents
    }

    /// Alerts that would wake somebody.
    pub fn at_least_medium(&self) -> Vec<&Alert> {
        self.alerts.iter().filter(|alert| alert.severity >= Severity::Medium).collect()
    }

    /// The only incident: opened, then updates with a count that never falls, then closed.
    #[track_caller]
    pub fn only_incident(&self) -> Vec<&Alert> {
        let mut incidents = self.incidents();
        assert_eq!(incidents.len(), 1, "{:#?}", self.alerts);
        let incident = incidents.remove(0);
        let states: Vec<State> = incident.iter().map(|alert| alert.state).collect();
        assert_eq!(states[0], State::Open, "{states:?}");
        assert_eq!(*states.last().unwrap(), State::Closed, "{states:?}");
        let between = &states[1..states.len() - 1];
        assert!(between.iter().all(|state| *state == State::Update), "{states:?}");
        assert!(incident.is_sorted_by_key(|alert| (alert.count, alert.ts)), "{incident:#?}");
        incident
    }
}

/// Runs a capture through an engine with the default settings and without a model.
pub fn observe(capture: &Capture) -> Outcome {
    observe_with(capture, |_| {})
}

/// The same, with something done to the engine before.
pub fn observe_with(capture: &Capture, prepare: impl FnOnce(&mut Engine<'_, NoModel>)) -> Outcome {
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings::default(), memory.lend(), NoModel);
    prepare(&mut engine);
    let mut alerts = Alerts::default();
    for frame in capture.iter() {
        engine.on_frame(&frame, &mut alerts);
    }
    let stats = engine.stats();
    engine.finish(&mut alerts);
    Outcome { alerts: alerts.0, stats }
}
