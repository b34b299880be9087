//! Confusion matrices and the figures that follow from them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::detect::class::Class;
use crate::label::BENIGN;

/// How often what was true was reported as what. Rows and columns have the same classes, `benign` first; the column
/// `benign` holds what nothing was reported of.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Matrix {
    /// The row `benign` has only what was reported for nothing, so `benign` has no figures.
    attacks_only: bool,
    cells: BTreeMap<(String, String), u64>,
}

/// The figures of one class.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClassFigures {
    /// The class.
    pub class: String,
    /// How many are of this class.
    pub support: u64,
    /// How many were reported as it.
    pub reported: u64,
    /// How many of these are.
    pub correct: u64,
    /// `correct / reported`; none where nothing was reported.
    pub precision: Option<f64>,
    /// `correct / support`; none where there is none.
    pub recall: Option<f64>,
    /// Their harmonic mean, which is 0 where one is and the other is not defined; none where there is no support.
    pub f1: Option<f64>,
}

impl Matrix {
    /// One in which nothing benign can be counted that was left alone.
    #[must_use]
    pub fn of_attacks() -> Self {
        Self { attacks_only: true, ..Self::default() }
    }

    /// Counts `count` of class `truth`, reported as `reported`.
    pub fn add(&mut self, truth: &str, reported: &str, count: u64) {
        if count > 0 {
            *self.cells.entry((truth.to_owned(), reported.to_owned())).or_default() += count;
        }
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        for ((truth, reported), count) in &other.cells {
            self.add(truth, reported, *count);
        }
    }

    /// One cell.
    #[must_use]
    pub fn get(&self, truth: &str, reported: &str) -> u64 {
        self.cells.get(&(truth.to_owned(), reported.to_owned())).copied().unwrap_or(0)
    }

    /// The classes that occur, `benign` first, then in the order of the vocabulary, then others by name.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        let mut found: Vec<String> = self.cells.keys().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        found.push(BENIGN.to_owned());
        found.sort_by_cached_key(|name| (rank(name), name.clone()));
        found.dedup();
        found
    }

    /// The counts, a row for each true class.
    #[must_use]
    pub fn counts(&self) -> Vec<Vec<u64>> {
        let classes = self.classes();
        classes
            .iter()
            .map(|truth| classes.iter().map(|reported| self.get(truth, reported)).collect())
            .collect()
    }

    /// All that was counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cells.values().sum()
    }

    fn sum(&self, of: impl Fn(&str, &str) -> bool) -> u64 {
        self.cells.iter().filter(|((truth, reported), _)| of(truth, reported)).map(|(_, count)| count).sum()
    }

    /// What follows for each class.
    #[must_use]
    pub fn figures(&self) -> Vec<ClassFigures> {
        let figures = |class: String| {
            let support = self.sum(|truth, _| truth == class);
            let reported = self.sum(|_, reported| reported == class);
            let correct = self.get(&class, &class);
            let has_f1 = support > 0 && !(self.attacks_only && class == BENIGN);
            let f1 = ratio(2 * correct, support + reported).filter(|_| has_f1);
            let (precision, recall) = (ratio(correct, reported), ratio(correct, support));
            ClassFigures { class, support, reported, correct, precision, recall, f1 }
        };
        self.classes().into_iter().map(figures).collect()
    }

    /// The mean F1 of the classes that there are, each with the same weight; none where nothing was counted.
    #[must_use]
    pub fn macro_f1(&self) -> Option<f64> {
        let of_each: Vec<f64> = self.figures().iter().filter_map(|figures| figures.f1).collect();
        (!of_each.is_empty()).then(|| of_each.iter().sum::<f64>() / of_each.len() as f64)
    }

    /// The part that was reported as what it is.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.sum(|truth, reported| truth == reported), self.total())
    }

    /// The part of the attacks of which anything hostile was reported.
    #[must_use]
    pub fn detection(&self) -> Option<f64> {
        ratio(
            self.sum(|truth, reported| truth != BENIGN && reported != BENIGN),
            self.sum(|truth, _| truth != BENIGN),
        )
    }

    /// The part of what is benign of which something hostile was reported.
    #[must_use]
    pub fn false_positives(&self) -> Option<f64> {
        ratio(
            self.sum(|truth, reported| truth == BENIGN && reported != BENIGN),
            self.sum(|truth, _| truth == BENIGN && !self.attacks_only),
        )
    }
}

impl Serialize for Matrix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document {
            classes: Vec<String>,
            counts: Vec<Vec<u64>>,
            per_class: Vec<ClassFigures>,
            macro_f1: Option<f64>,
            accuracy: Option<f64>,
            detection: Option<f64>,
            false_positives: Option<f64>,
        }
        Document {
            classes: self.classes(),
            counts: self.counts(),
            per_class: self.figures(),
            macro_f1: self.macro_f1(),
            accuracy: self.accuracy(),
            detection: self.detection(),
            false_positives: self.false_positives(),
        }
        .serialize(serializer)
    }
}

/// Where a class stands among the others.
pub(super) fn rank(name: &str) -> usize {
    if name == BENIGN {
        return 0;
    }
    Class::ALL.iter().position(|class| class.name() == name).map_or(usize::MAX, |place| place + 1)
}

/// `part / whole`; none of nothing.
#[must_use]
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let mut matrix = Matrix::default();
        // 100 benign, of which 10 reported as a scan; 40 scans, 30 seen; 20 of a class that nobody knows, 5 called scan.
        matrix.add(BENIGN, BENIGN, 90);
        matrix.add(BENIGN, "tcp_scan", 10);
        matrix.add("tcp_scan", "tcp_scan", 25);
        matrix.add("tcp_scan", "tcp_scan", 5);
        matrix.add("tcp_scan", BENIGN, 10);
        matrix.add("odd", BENIGN, 15);
        matrix.add("odd", "tcp_scan", 5);
        assert_eq!(matrix.classes(), [BENIGN, "tcp_scan", "odd"]);
        assert_eq!(matrix.counts(), [[90, 10, 0], [10, 30, 0], [15, 5, 0]]);
        let figures = matrix.figures();
        assert_eq!((figures[1].support, figures[1].reported, figures[1].correct), (40, 45, 30));
        assert_eq!(figures[1].precision, Some(30.0 / 45.0));
        assert_eq!(figures[1].recall, Some(0.75));
        assert_eq!(figures[1].f1, Some(60.0 / 85.0));
        assert_eq!((figures[2].precision, figures[2].recall, figures[2].f1), (None, Some(0.0), Some(0.0)));
        let f1 = (180.0 / 215.0 + 60.0 / 85.0 + 0.0) / 3.0;
        assert!((matrix.macro_f1().unwrap_or_default() - f1).abs() < 1e-12);
        assert_eq!(matrix.accuracy(), Some(0.75));
        assert_eq!(matrix.detection(), Some(35.0 / 60.0));
        assert_eq!(matrix.false_positives(), Some(0.1));
    }

    #[test]
    fn what_is_only_reported_has_no_f1_of_its_own() {
        let mut matrix = Matrix::default();
        matrix.add(BENIGN, BENIGN, 8);
        matrix.add(BENIGN, "anomaly", 2);
        assert_eq!(matrix.figures()[1].f1, None);
        assert_eq!(matrix.macro_f1(), Some(16.0 / 18.0));
        assert_eq!((Matrix::default().macro_f1(), Matrix::default().accuracy()), (None, None));
    }

    #[test]
    fn where_nothing_benign_can_be_right_it_has_no_figures() {
        let mut matrix = Matrix::of_attacks();
        matrix.add("tcp_scan", "tcp_scan", 3);
        matrix.add(BENIGN, "tcp_scan", 1);
        assert_eq!((matrix.macro_f1(), matrix.false_positives()), (Some(6.0 / 7.0), None));
        assert_eq!(matrix.figures()[1].precision, Some(0.75));
    }

    #[test]
    fn merging_adds() {
        let mut a = Matrix::default();
        a.add("x", "y", 1);
        let mut b = a.clone();
        b.add("y", "y", 2);
        a.merge(&b);
        assert_eq!((a.get("x", "y"), a.get("y", "y"), a.total()), (2, 2, 4));
    }
}
