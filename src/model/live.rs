//! Models of which one can be another from one row to the next, and can have a newcomer beside it.
//!
//! The [`Desk`] stands between the thread that loads models and the pipeline: what is loaded lies there until the pipeline
//! takes it between two frames, and what is replaced goes back the same way, to be dropped where nobody waits for it. The
//! pipeline never waits at the desk and never loads or drops a model.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::time::{ClockId, clock_gettime};

use super::onnx::OnnxScorer;
use super::set::ModelSet;
use crate::detect::scorer::{Scorer, Served, Verdict};
use crate::features::FeatureVector;
use crate::limits::{MODELS, WAITING_ROWS};
use crate::update::document::Shadow;
use crate::update::machine::Probe;

/// Orders that lie on the desk at most; one more replaces all that wait.
const ORDERS: usize = 8;

/// The models of the configuration, the one that is updated in the place after them, and perhaps one beside it.
pub struct LiveModels {
    fixed: ModelSet,
    current: Option<Watched>,
    shadow: Option<Beside>,
    served: Vec<Served>,
    /// Rows of which models said nothing that are not here any more.
    unscored_before: u64,
}

/// A model and what it did since it came.
struct Watched {
    scorer: OnnxScorer,
    probe: Probe,
    times: Times,
}

/// A model beside another, which is not asked.
struct Beside {
    scorer: OnnxScorer,
    seen: Shadow,
    times: Times,
}

/// What the updating thread wants.
#[derive(Default)]
pub enum Order {
    /// Score with this model; none: with those of the configuration alone.
    Use(Option<Box<OnnxScorer>>),
    /// Score with this one beside it.
    Shadow(Box<OnnxScorer>),
    /// Nothing beside it any more.
    #[default]
    EndShadow,
}

/// What the models did since the order with this number.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Readings {
    /// Orders carried out so far.
    pub orders: u64,
    /// The newcomer beside the model in use.
    pub shadow: Option<Shadow>,
    /// The model in use.
    pub probe: Probe,
}

#[derive(Default)]
struct Lying {
    orders: VecDeque<Order>,
    /// Orders put down so far.
    put: u64,
    retired: Vec<OnnxScorer>,
    readings: Readings,
}

/// Where models change hands; clones are the same desk.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Lying>>);

impl Desk {
    /// Puts an order down. Returns its number: readings from that number on are about what it brings about.
    #[allow(clippy::must_use_candidate, reason = "done for its effect, too")]
    pub fn put(&self, order: Order) -> u64 {
        let mut lying = self.lock();
        if lying.orders.len() >= ORDERS {
            // Only the last word counts; the pipeline must have stood still.
            lying.orders.clear();
        }
        lying.orders.push_back(order);
        lying.put += 1;
        lying.put
    }

    /// What the pipeline said last, and what it gave back: dropped here, by who asks.
    #[allow(clippy::must_use_candidate, reason = "done for its effect, too")]
    pub fn look(&self) -> Readings {
        let (readings, retired) = {
            let mut lying = self.lock();
            (lying.readings, std::mem::take(&mut lying.retired))
        };
        drop(retired);
        readings
    }

    /// Readings as a pipeline would leave them.
    #[cfg(test)]
    pub(crate) fn leave(&self, shadow: Option<Shadow>, probe: Probe) {
        let mut lying = self.lock();
        lying.orders.clear();
        lying.readings = Readings { orders: lying.put, shadow, probe };
    }

    fn lock(&self) -> MutexGuard<'_, Lying> {
        // Nothing under this lock leaves the desk half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveModels {
    /// The models of the configuration and, in the place after them, the one that is updated.
    #[must_use]
    pub fn new(fixed: ModelSet, current: Option<OnnxScorer>) -> Self {
        let mut live = Self { fixed, current: None, shadow: None, served: Vec::new(), unscored_before: 0 };
        live.current = current.map(Watched::new);
        live.serve();
        live
    }

    /// The place of the model that is updated.
    #[must_use]
    pub fn place(&self) -> usize {
        self.fixed.models().len()
    }

    /// `<name>@<version>` of each, in the order of their places.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let mut labels = self.fixed.labels();
        labels.extend(self.current.iter().map(|current| current.scorer.info().label()));
        labels
    }

    /// Takes what lies on the desk and leaves readings there; never waits. Returns whether the model at [`LiveModels::place`] is
    /// another one now.
    pub fn visit(&mut self, desk: &Desk) -> bool {
        let Ok(mut lying) = desk.0.try_lock() else { return false };
        let mut is_other = false;
        for order in std::mem::take(&mut lying.orders) {
            match order {
                Order::Use(next) => {
                    let next = next.map(|next| Watched::new(*next));
                    let old = std::mem::replace(&mut self.current, next).map(|old| old.scorer);
                    self.unscored_before += old.as_ref().map_or(0, |old| old.counts().unscored());
                    lying.retired.extend(old);
                    is_other = true;
                }
                Order::Shadow(newcomer) => {
                    let old = self.shadow.replace(Beside::new(*newcomer)).map(|old| old.scorer);
                    lying.retired.extend(old);
                }
                Order::EndShadow => lying.retired.extend(self.shadow.take().map(|old| old.scorer)),
            }
        }
        lying.readings = Readings {
            orders: lying.put,
            shadow: self
                .shadow
                .as_ref()
                .map(|beside| Shadow { p99_us: beside.times.p99_us(), ..beside.seen }),
            probe: self.current.as_ref().map_or_else(Probe::default, |current| Probe {
                p99_us: current.times.p99_us(),
                ..current.probe
            }),
        };
        drop(lying);
        if is_other {
            self.serve();
        }
        is_other
    }

    fn serve(&mut self) {
        self.served = self.fixed.models().iter().map(OnnxScorer::served).collect();
        self.served.extend(self.current.as_ref().map(|current| current.scorer.served()));
        debug_assert!(self.served.len() <= MODELS, "the configuration leaves a place");
    }
}

impl Scorer for LiveModels {
    fn models(&self) -> &[Served] {
        &self.served
    }

    fn score(&mut self, model: usize, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        if model < self.fixed.models().len() {
            return self.fixed.score(model, rows, verdicts);
        }
        let Some(current) = &mut self.current else { return verdicts.fill(Verdict::ABSTAINED) };
        current.score(rows, verdicts);
        if let Some(beside) = &mut self.shadow
            && beside.scorer.info().schema.name == current.scorer.info().schema.name
        {
            beside.compare(rows, verdicts);
        }
    }

    fn unscored(&self) -> u64 {
        let current = self.current.as_ref().map_or(0, |current| current.scorer.counts().unscored());
        self.fixed.unscored() + self.unscored_before + current
    }
}

impl Watched {
    const fn new(scorer: OnnxScorer) -> Self {
        Self { scorer, probe: Probe { rows: 0, hostile: 0, unscored: 0, p99_us: 0 }, times: Times::NONE }
    }

    fn score(&mut self, rows: &[FeatureVector], verdicts: &mut [Verdict]) {
        self.times.measure(rows.len(), || self.scorer.score(rows, verdicts));
        self.probe.rows += rows.len() as u64;
        self.probe.hostile += verdicts.iter().filter(|verdict| verdict.class.is_some()).count() as u64;
        self.probe.unscored = self.scorer.counts().failed;
    }
}

impl Beside {
    fn new(scorer: OnnxScorer) -> Self {
        Self { scorer, seen: Shadow::default(), times: Times::NONE }
    }

    /// Scores the rows that the model in use said something of, and compares.
    fn compare(&mut self, rows: &[FeatureVector], theirs: &[Verdict]) {
        let mut ours = [Verdict::NOTHING; WAITING_ROWS];
        for (rows, theirs) in rows.chunks(WAITING_ROWS).zip(theirs.chunks(WAITING_ROWS)) {
            let Some(ours) = ours.get_mut(..rows.len()) else { return };
            self.times.measure(rows.len(), || self.scorer.score(rows, ours));
            // Where the newcomer alone abstains it saw nothing.
            for (theirs, ours) in theirs.iter().zip(ours).filter(|(theirs, _)| !theirs.abstains) {
                self.seen.rows += 1;
                self.seen.agreed += u64::from(theirs.class == ours.class);
                self.seen.old_hostile += u64::from(theirs.class.is_some());
                self.seen.new_hostile += u64::from(ours.class.is_some());
            }
        }
        self.seen.unscored = self.scorer.counts().failed;
    }
}

/// Times of rows, in classes that grow by a fifth each.
#[derive(Clone, Copy)]
struct Times {
    rows: [u64; Self::CLASSES],
}

impl Times {
    /// Four to a doubling, up to about a second.
    const CLASSES: usize = 80;
    const NONE: Self = Self { rows: [0; Self::CLASSES] };

    /// Does something with `rows` rows and notes the processor's time for it, shared out evenly. Not the wall clock's: on a
    /// busy gateway that measures the others.
    fn measure(&mut self, rows: usize, work: impl FnOnce()) {
        let begun = processor_us(ClockId::CLOCK_THREAD_CPUTIME_ID);
        work();
        let us = processor_us(ClockId::CLOCK_THREAD_CPUTIME_ID).saturating_sub(begun);
        if rows > 0 {
            let class = Self::class(us.div_ceil(rows as u64));
            if let Some(count) = self.rows.get_mut(class) {
                *count += rows as u64;
            }
        }
    }

    /// The class that holds `us`.
    fn class(us: u64) -> usize {
        (0..Self::CLASSES).find(|class| us <= Self::bound(*class)).unwrap_or(Self::CLASSES - 1)
    }

    /// The most that belongs to a class, in microseconds.
    const fn bound(class: usize) -> u64 {
        let (octave, quarter) = (class / 4, class as u64 % 4);
        (1 << octave) + ((quarter << octave) / 4)
    }

    /// The time at the 99th percentile, at most a fifth too high; 0 when nothing was measured.
    fn p99_us(&self) -> u64 {
        let all: u64 = self.rows.iter().sum();
        let mut below = 0;
        let class = self.rows.iter().position(|count| {
            below += count;
            all > 0 && below >= all - all / 100
        });
        class.map_or(0, Self::bound)
    }
}

/// Time that the processor spent, by one of its clocks, in microseconds; 0 where there is no such clock.
pub(crate) fn processor_us(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0) / 1000
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_model() -> OnnxScorer {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default.onnx");
        OnnxScorer::load(&path).unwrap()
    }

    fn score(live: &mut LiveModels) -> usize {
        let rows = [FeatureVector::ZERO; 10];
        let mut verdicts = [Verdict::NOTHING; 10];
        live.score(0, &rows, &mut verdicts);
        verdicts.iter().filter(|verdict| verdict.abstains).count()
    }

    #[test]
    fn models_change_hands_and_the_old_one_comes_back() {
        let desk = Desk::default();
        let mut live = LiveModels::new(ModelSet::empty(), None);
        assert_eq!((live.models().len(), score(&mut live)), (0, 10));
        let number = desk.put(Order::Use(Some(Box::new(default_model()))));
        assert!(desk.look().orders < number);
        assert!(live.visit(&desk) && !live.visit(&desk));
        assert_eq!((live.models().len(), score(&mut live)), (1, 0));
        assert_eq!(live.labels(), [default_model().info().label()]);
        live.visit(&desk);
        let readings = desk.look();
        assert_eq!((readings.orders, readings.probe.rows, readings.shadow), (number, 10, None));
        desk.put(Order::Use(None));
        assert!(live.visit(&desk) && live.models().is_empty());
        assert_eq!(desk.lock().retired.len(), 1);
        desk.look();
        assert_eq!(desk.lock().retired.len(), 0);
    }

    #[test]
    fn a_newcomer_is_compared_and_has_no_say() {
        let desk = Desk::default();
        let mut live = LiveModels::new(ModelSet::empty(), Some(default_model()));
        desk.put(Order::Shadow(Box::new(default_model())));
        assert!(!live.visit(&desk), "the model in use is the same");
        assert_eq!(score(&mut live), 0);
        live.visit(&desk);
        let shadow = desk.look().shadow.unwrap();
        assert_eq!((shadow.rows, shadow.agreed, shadow.unscored), (10, 10, 0));
        assert_eq!(shadow.old_hostile, shadow.new_hostile);
        desk.put(Order::EndShadow);
        live.visit(&desk);
        assert_eq!(desk.look().shadow, None);
    }

    #[test]
    fn orders_do_not_pile_up() {
        let desk = Desk::default();
        (0..100).for_each(|_| {
            desk.put(Order::EndShadow);
        });
        assert!(desk.lock().orders.len() <= ORDERS);
    }

    #[test]
    fn percentiles() {
        assert_eq!([0, 1, 2, 3, 1000].map(|us| Times::bound(Times::class(us))), [1, 1, 2, 3, 1024]);
        let mut times = Times::NONE;
        assert_eq!(times.p99_us(), 0);
        times.rows[Times::class(10)] = 99;
        times.rows[Times::class(5000)] = 1;
        assert_eq!(times.p99_us(), 10);
        times.rows[Times::class(5000)] = 2;
        assert!(times.p99_us() >= 5000);
    }
}
