//! Decision trees in one flat list, built only from what was checked.
//!
//! Children stand behind their parents, so that a walk ends; every index was compared with the length of its list when the
//! trees were built, and the walk still goes by `get`: nothing in a file can make it read elsewhere.

mod build;

pub use build::{Attributes, Mode, TreeFault};

/// Most nodes of all trees together: 2 MiB of them.
pub const MAX_NODES: usize = 1 << 17;
/// Most trees.
pub const MAX_TREES: usize = 1024;
/// Most levels of a tree below its root.
pub const MAX_DEPTH: usize = 64;
/// Most levels of all trees together: what one row can cost, in steps.
pub const MAX_STEPS: usize = 1 << 14;
/// Most weights of all leaves together.
pub const MAX_WEIGHTS: usize = 1 << 18;
/// Most columns that come out.
pub const MAX_LABELS: usize = 64;

/// In place of a column: the node is a leaf.
const LEAF: u32 = u32::MAX;

/// A branch, or a leaf.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Node {
    /// The way is `yes` where the value of the column is at most this.
    threshold: f32,
    /// The column that is looked at, or [`LEAF`].
    column: u32,
    /// Place of the node that follows; of a leaf, the place of its first weight.
    yes: u32,
    /// Place of the node that follows; of a leaf, the place after its last weight.
    no: u32,
}

/// What a leaf adds to one column.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Weight {
    column: u32,
    value: f32,
}

/// Decision trees whose leaves add up.
#[derive(Clone, PartialEq, Debug)]
pub struct Trees {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    weights: Vec<Weight>,
    /// Added at last, one for each column.
    base: Vec<f32>,
    /// Least and greatest sum of each column.
    ranges: Vec<(f64, f64)>,
    /// Whether every result is a probability.
    is_probability: bool,
}

impl Trees {
    /// Columns that come out.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.base.len()
    }

    /// How many trees there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.roots.len()
    }

    /// How many nodes they have.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Least and greatest result of each column.
    #[must_use]
    pub fn ranges(&self) -> &[(f64, f64)] {
        &self.ranges
    }

    /// Whether no leaf takes anything away and no sum exceeds one.
    #[must_use]
    pub const fn is_probability(&self) -> bool {
        self.is_probability
    }

    /// Adds the result for one row to `sums`, which begin at zero.
    pub(super) fn add_to(&self, sums: &mut [f32], row: &[f32]) {
        for &root in &self.roots {
            let Some((from, to)) = self.leaf(root, row) else {
                continue;
            };
            for weight in self.weights.get(from..to).unwrap_or_default() {
                if let Some(sum) = sums.get_mut(weight.column as usize) {
                    *sum += weight.value;
                }
            }
        }
        for (sum, base) in sums.iter_mut().zip(&self.base) {
            *sum += base;
        }
    }

    /// The places of the weights of the leaf that `row` ends at.
    #[inline]
    fn leaf(&self, root: u32, row: &[f32]) -> Option<(usize, usize)> {
        let mut node = self.nodes.get(root as usize)?;
        while node.column != LEAF {
            let value = row.get(node.column as usize)?;
            let next = if *value <= node.threshold { node.yes } else { node.no };
            node = self.nodes.get(next as usize)?;
        }
        Some((node.yes as usize, node.no as usize))
    }
}
