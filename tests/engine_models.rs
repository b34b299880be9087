//! Several models at once: each gets the rows of its schema, votes for itself, and never more than a bounded number of rows a second.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod support;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use picket::alert::Severity;
use picket::detect::class::Class;
use picket::detect::scorer::{Scorer, Served, Verdict};
use picket::detect::vote::Vote;
use picket::engine::{Engine, Settings};
use picket::features::FeatureVector;
use picket::features::connection::CONNECTION;
use picket::features::packet::PACKET;
use picket::features::schema::HOST;
use picket::memory::OwnedMemory;

use support::attack;
use support::benign;
use support::capture::{Capture, START, Socket, host};
use support::mqtt::V311;
use support::observe::{Alerts, Outcome};

const BROKER: Socket = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1883);

/// A model for each kind of row; each finds what `finds` says of a row.
struct Models<F> {
    served: [Served; 3],
    finds: F,
    rows: Rc<RefCell<[usize; 3]>>,
}

impl<F: FnMut(usize, &FeatureVector) -> Verdict> Scorer for Models<F> {
    fn models(&self) -> &[Served] {
        &self.served
    }

    fn score(&mut self, model: usize, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        self.rows.borrow_mut()[model] += rows.len();
        for (row, verdict) in rows.iter().zip(verdicts) {
            *verdict = (self.finds)(model, row);
        }
    }
}

/// Runs a capture with three models and no rules; also gives how many rows each scored.
fn run(capture: &Capture, finds: impl FnMut(usize, &FeatureVector) -> Verdict) -> (Outcome, [usize; 3]) {
    run_changing(false, None, capture, finds)
}

/// The same, with rules or without, where the model in a place is another one from each frame on.
fn run_changing(
    rules: bool,
    place: Option<usize>,
    capture: &Capture,
    finds: impl FnMut(usize, &FeatureVector) -> Verdict,
) -> (Outcome, [usize; 3]) {
    let vote = |needed, of| Vote::new(needed, of).unwrap();
    let served = [
        Served { schema: &HOST, vote: vote(2, 2) },
        Served { schema: &CONNECTION, vote: vote(1, 1) },
        Served { schema: &PACKET, vote: vote(3, 4) },
    ];
    let rows = Rc::new(RefCell::new([0; 3]));
    let models = Models { served, finds, rows: Rc::clone(&rows) };
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(Settings { rules, ..Settings::default() }, memory.lend(), models);
    let mut alerts = Alerts::default();
    for frame in capture.iter() {
        if let Some(place) = place {
            engine.model_changed(place);
        }
        engine.on_frame(&frame, &mut alerts);
    }
    engine.finish(&mut alerts);
    let stats = engine.stats();
    let rows = *rows.borrow();
    (Outcome { alerts: alerts.0, stats }, rows)
}

fn of(class: Class) -> Verdict {
    Verdict { class: Some(class), confidence: 0.9, ..Verdict::NOTHING }
}

#[test]
fn each_gets_the_rows_of_its_schema() {
    let capture = benign::sensor(V311, host(7), BROKER, START, 30).then_quiet(20);
    let (outcome, [hosts, connections, packets]) = run(&capture, |_, _| Verdict::NOTHING);
    assert!(outcome.alerts.is_empty());
    assert!(hosts > 0 && connections > 0 && packets > 0, "{hosts} {connections} {packets}");
    // One of every control packet of the client, which sends few.
    let sent: u64 = outcome.stats.control_packets.iter().sum();
    assert!((packets as u64) < sent && outcome.stats.rows_passed_over == 0, "{packets} of {sent}");
    assert_eq!(outcome.stats.scored, (hosts + connections + packets) as u64);
}

#[test]
fn a_model_of_packets_is_believed_after_its_own_vote() {
    let flood = attack::publish_flood(V311, host(66), BROKER, START, 100, 5).then_quiet(120);
    let is_publish = PACKET.features.iter().position(|feature| feature.name == "is_publish").unwrap();
    // Plausible only from 50 messages in 10 s on, whatever the model says.
    let (outcome, rows) = run(&flood, |model, row| {
        if model == 2 && row.values[is_publish] > 0.5 {
            of(Class::MqttPublishFlood)
        } else {
            Verdict::NOTHING
        }
    });
    let open = outcome.only_incident()[0].clone();
    assert_eq!((open.class, open.source.ip), (Class::MqttPublishFlood, host(66)));
    assert!(rows[2] > 3);

    // One in three of them is too few for three of four.
    let mut seen = 0;
    let (outcome, _) = run(&flood, |model, _| {
        seen += usize::from(model == 2);
        if model == 2 && seen.is_multiple_of(3) { of(Class::MqttPublishFlood) } else { Verdict::NOTHING }
    });
    assert!(outcome.alerts.is_empty(), "{:?}", outcome.alerts);
}

#[test]
fn a_flood_costs_a_bounded_number_of_rows() {
    let flood = attack::publish_flood(V311, host(66), BROKER, START, 2000, 3).then_quiet(20);
    let (outcome, [_, _, packets]) = run(&flood, |_, _| Verdict::NOTHING);
    let seconds = 3 + 2;
    assert!(packets <= 16 * seconds, "{packets} rows of one host in {seconds} s");
    assert!(outcome.stats.rows_passed_over >= 5000, "{}", outcome.stats.rows_passed_over);
}

#[test]
fn what_a_model_said_that_went_counts_no_more() {
    let flood = attack::publish_flood(V311, host(66), BROKER, START, 100, 5).then_quiet(120);
    let says = |model, _: &FeatureVector| {
        if model == 0 { of(Class::MqttPublishFlood) } else { Verdict::NOTHING }
    };
    // Two rows in a row are asked for, and a host has one a second.
    let alerts = |place| run_changing(false, place, &flood, says).0.alerts.len();
    assert!(alerts(None) > 0 && alerts(Some(2)) > 0, "another model's votes stay");
    assert_eq!(alerts(Some(0)), 0);
}

#[test]
fn a_low_alert_hides_nothing_from_the_model() {
    // Of the same host: messages at a rate that a rule calls low or high, and some closed ports tried, of which only the model says anything.
    let reported = |per_second| {
        let capture = attack::publish_flood(V311, host(66), BROKER, START, per_second, 10)
            .with(attack::tcp_scan(host(66), host(2), START + 6_000_000, 8, 100_000))
            .then_quiet(120);
        let says = |model, _: &FeatureVector| {
            if model == 0 { of(Class::TcpScan) } else { Verdict::NOTHING }
        };
        let outcome = run_changing(true, None, &capture, says).0;
        let said = |class| {
            outcome.alerts.iter().filter(|alert| alert.class == class).map(|alert| alert.severity).max()
        };
        (said(Class::MqttPublishFlood), said(Class::TcpScan))
    };
    assert_eq!(reported(150), (Some(Severity::Low), Some(Severity::Medium)));
    assert_eq!(reported(1000), (Some(Severity::High), None), "that is what it is");
}
