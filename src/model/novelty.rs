//! Which rows a model is not asked about: those that no counter gives, and those unlike all it was trained on.

use super::error::{MetadataFault, Quoted};
use super::metadata::NOVELTY;

/// The greatest value that any column can have: octets in a connection of years.
const GREATEST: f32 = 1e15;

/// Whether `value` is one that a counter can give.
#[must_use]
pub fn is_sound(value: f32) -> bool {
    (0.0..=GREATEST).contains(&value) && !value.is_subnormal()
}

/// When a row is too far from the training data to be judged: more than `columns` of its values exceed
/// `factor` times the bound of their column. Bounds are one or the greatest value seen in training.
#[derive(Clone, PartialEq, Debug)]
pub struct Novelty {
    /// How far beyond its bound a value must lie to count.
    pub factor: f32,
    /// How many such columns a row may have.
    pub columns: usize,
    /// One for each column.
    pub bounds: Vec<f32>,
}

impl Novelty {
    /// Whether the model abstains from `row`.
    #[must_use]
    pub fn is_novel(&self, row: &[f32]) -> bool {
        let beyond = row.iter().zip(&self.bounds).filter(|(value, bound)| **value > self.factor * **bound);
        beyond.count() > self.columns
    }
}

/// Reads `factor=F columns=C bounds=B1,B2,...`.
pub(super) fn read(text: &str, width: usize) -> Result<Novelty, MetadataFault> {
    let fault = |part: &str, wanted| MetadataFault::Form { key: NOVELTY, value: Quoted::new(part), wanted };
    let parts: Vec<&str> = text.split(' ').collect();
    let &[factor, columns, bounds] = parts.as_slice() else {
        return Err(fault(text, "factor=F columns=C bounds=B1,B2,..."));
    };
    let factor = factor
        .strip_prefix("factor=")
        .and_then(|value| value.parse().ok())
        .filter(|factor: &f32| (1.0..=1e6).contains(factor))
        .ok_or_else(|| fault(factor, "factor= and a number from 1 to 1e6"))?;
    let columns = columns
        .strip_prefix("columns=")
        .and_then(|value| value.parse().ok())
        .filter(|columns| *columns < width)
        .ok_or_else(|| fault(columns, "columns= and a number below the width of the schema"))?;
    let list =
        bounds.strip_prefix("bounds=").ok_or_else(|| fault(bounds, "bounds= and a list of numbers"))?;
    let bounds: Vec<f32> = list
        .split(',')
        .map(|bound| {
            bound
                .parse()
                .ok()
                .filter(|bound: &f32| (0.0..=1e12).contains(bound))
                .ok_or_else(|| fault(bound, "a bound from 0 to 1e12"))
        })
        .collect::<Result<_, _>>()?;
    if bounds.len() != width {
        return Err(MetadataFault::NoveltyWidth { wanted: width, found: bounds.len() });
    }
    Ok(Novelty { factor, columns, bounds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_give_no_such_numbers() {
        assert!([0.0, -0.0, 1.0, f32::MIN_POSITIVE, 1e15].into_iter().all(is_sound));
        let unsound = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, -1e-40, 1e-40, 1.1e15, f32::MAX];
        assert!(!unsound.into_iter().any(is_sound));
    }

    #[test]
    fn a_row_is_novel_by_the_number_of_columns_beyond_their_bounds() {
        let novelty = read("factor=10 columns=2 bounds=2,2,2,0", 4).unwrap();
        assert!(!novelty.is_novel(&[20.0, 20.0, 20.0, 0.0]));
        assert!(!novelty.is_novel(&[21.0, 21.0, 20.0, 0.0]));
        assert!(novelty.is_novel(&[21.0, 21.0, 20.0, 1.0]));
    }

    #[test]
    fn other_forms_are_refused() {
        assert!(matches!(read("factor=10 columns=2 bounds=1,2", 4), Err(MetadataFault::NoveltyWidth { .. })));
        for text in [
            "",
            "factor=10 columns=2",
            "factor=0 columns=2 bounds=1,1,1,1",
            "factor=NaN columns=2 bounds=1,1,1,1",
            "factor=10 columns=4 bounds=1,1,1,1",
            "factor=10 columns=2 bounds=1,1,1,inf",
            "factor=10 columns=2 bounds=1,1,1,-1",
            "columns=2 factor=10 bounds=1,1,1,1",
        ] {
            assert!(matches!(read(text, 4), Err(MetadataFault::Form { .. })), "{text}");
        }
    }
}
