//! From the lists of `TreeEnsembleClassifier` to [`Trees`], or a reason why not.

use super::{LEAF, MAX_DEPTH, MAX_LABELS, MAX_NODES, MAX_STEPS, MAX_TREES, MAX_WEIGHTS, Node, Trees, Weight};

/// Greatest magnitude of a weight or base value: sums over all trees stay far from infinity.
const GREATEST: f32 = 1e9;

/// How a node decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Value at most threshold.
    Leq,
    /// Value below threshold.
    Lt,
    /// Not at all.
    Leaf,
}

/// The lists as they are in the file, of which only the types are checked.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a> {
    /// `classlabels_int64s`.
    pub labels: &'a [i64],
    /// `nodes_treeids`.
    pub tree_ids: &'a [i64],
    /// `nodes_nodeids`.
    pub node_ids: &'a [i64],
    /// `nodes_featureids`.
    pub columns: &'a [i64],
    /// `nodes_values`.
    pub thresholds: &'a [f32],
    /// `nodes_modes`.
    pub modes: Vec<Mode>,
    /// `nodes_truenodeids`.
    pub yes: &'a [i64],
    /// `nodes_falsenodeids`.
    pub no: &'a [i64],
    /// `class_treeids`.
    pub weight_trees: &'a [i64],
    /// `class_nodeids`.
    pub weight_nodes: &'a [i64],
    /// `class_ids`.
    pub weight_labels: &'a [i64],
    /// `class_weights`.
    pub weights: &'a [f32],
    /// `base_values`; empty when missing.
    pub base: &'a [f32],
}

/// What is wrong with the trees.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum TreeFault {
    /// More of something than accepted.
    #[error("{found} {what}, at most {limit} are accepted")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// Labels that are not the columns' numbers.
    #[error("its labels must be 0, 1, 2, ... and at least two")]
    Labels,
    /// No node at all.
    #[error("it has no node")]
    Empty,
    /// Two lists that must be as long as each other.
    #[error("{list} has {found} values instead of {wanted}")]
    Length {
        /// The attribute.
        list: &'static str,
        /// How many it must have.
        wanted: usize,
        /// How many it has.
        found: usize,
    },
    /// Trees or nodes out of their order.
    #[error(
        "node {index} of the list is node {node} of tree {tree}: trees and nodes must be numbered 0, 1, 2, ..."
    )]
    Order {
        /// Its place in the list.
        index: usize,
        /// Its tree.
        tree: i64,
        /// Its number.
        node: i64,
    },
    /// A column that does not come in.
    #[error("node {index} of the list looks at column {column} of {columns}")]
    Column {
        /// Its place in the list.
        index: usize,
        /// The column.
        column: i64,
        /// Columns that come in.
        columns: usize,
    },
    /// A threshold that is NaN or infinite.
    #[error("node {index} of the list has the threshold {threshold}")]
    Threshold {
        /// Its place in the list.
        index: usize,
        /// The threshold.
        threshold: f32,
    },
    /// A child that is not behind its parent in the same tree.
    #[error("node {index} of the list has the child {child}: not a later node of its tree")]
    Child {
        /// Its place in the list.
        index: usize,
        /// The number of the child.
        child: i64,
    },
    /// A node that is no child, or of two nodes.
    #[error("node {index} of the list is the child of {parents} nodes, not of one")]
    Parents {
        /// Its place in the list.
        index: usize,
        /// How many.
        parents: u32,
    },
    /// A leaf with children or a column.
    #[error("node {index} of the list is a leaf and must have 0 for its column and both children")]
    Leaf {
        /// Its place in the list.
        index: usize,
    },
    /// A weight of a node that is no leaf, or out of order.
    #[error(
        "weight {index} of the list is of node {node} of tree {tree}: not a leaf, or not in the order of tree, node and class"
    )]
    WeightOrder {
        /// Its place in the list.
        index: usize,
        /// The tree.
        tree: i64,
        /// The node.
        node: i64,
    },
    /// A weight for a class that there is not.
    #[error("weight {index} of the list is for class {class} of {classes}")]
    WeightClass {
        /// Its place in the list.
        index: usize,
        /// The class.
        class: i64,
        /// How many classes there are.
        classes: usize,
    },
    /// A weight or base value that is NaN or too large.
    #[error("its {list} hold {value}, not between -1e9 and 1e9")]
    Value {
        /// The attribute.
        list: &'static str,
        /// The value.
        value: f32,
    },
    /// Only one class of two has weights.
    #[error("only one of its two labels has weights, which onnxruntime takes for another kind of model")]
    OneOfTwo,
}

impl Trees {
    /// Checks the lists against each other and against the `columns` that come in.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn new(lists: &Attributes<'_>, columns: usize) -> Result<Self, TreeFault> {
        check_lengths(lists)?;
        let (mut nodes, roots) = nodes(lists, columns)?;
        check_shape(&nodes, &roots)?;
        let weights = weights(lists, &mut nodes, &roots)?;
        let labels = lists.labels.len();
        let base = if lists.base.is_empty() { vec![0.0; labels] } else { lists.base.to_vec() };
        if let Some(value) = base.iter().find(|value| !is_moderate(**value)) {
            return Err(TreeFault::Value { list: "base_values", value: *value });
        }
        let ranges = ranges(&nodes, &roots, &weights, &base);
        let is_probability = is_probability(&nodes, &roots, &weights) && base.iter().all(|base| *base == 0.0);
        Ok(Self { nodes, roots, weights, base, ranges, is_probability })
    }
}

const fn is_moderate(value: f32) -> bool {
    value.abs() <= GREATEST
}

/// A number of a file as an index.
fn place(number: i64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// A place in a list of at most [`MAX_NODES`] or [`MAX_WEIGHTS`] entries.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(LEAF)
}

fn check_lengths(lists: &Attributes<'_>) -> Result<(), TreeFault> {
    let (nodes, weights, labels) = (lists.tree_ids.len(), lists.weights.len(), lists.labels.len());
    for (what, found, limit) in
        [("nodes", nodes, MAX_NODES), ("leaf weights", weights, MAX_WEIGHTS), ("labels", labels, MAX_LABELS)]
    {
        if found > limit {
            return Err(TreeFault::TooMany { what, found, limit });
        }
    }
    if labels < 2 || lists.labels.iter().enumerate().any(|(index, label)| place(*label) != Some(index)) {
        return Err(TreeFault::Labels);
    }
    if nodes == 0 {
        return Err(TreeFault::Empty);
    }
    for (list, found, wanted) in [
        ("nodes_nodeids", lists.node_ids.len(), nodes),
        ("nodes_featureids", lists.columns.len(), nodes),
        ("nodes_values", lists.thresholds.len(), nodes),
        ("nodes_modes", lists.modes.len(), nodes),
        ("nodes_truenodeids", lists.yes.len(), nodes),
        ("nodes_falsenodeids", lists.no.len(), nodes),
        ("class_treeids", lists.weight_trees.len(), weights),
        ("class_nodeids", lists.weight_nodes.len(), weights),
        ("class_ids", lists.weight_labels.len(), weights),
    ] {
        if found != wanted {
            return Err(TreeFault::Length { list, wanted, found });
        }
    }
    if !lists.base.is_empty() && lists.base.len() != labels {
        return Err(TreeFault::Length { list: "base_values", wanted: labels, found: lists.base.len() });
    }
    Ok(())
}

/// The nodes with their children as places in the list, and the places of the roots.
fn nodes(lists: &Attributes<'_>, columns: usize) -> Result<(Vec<Node>, Vec<u32>), TreeFault> {
    let roots = roots(lists)?;
    let mut nodes = Vec::with_capacity(lists.tree_ids.len());
    let starts = roots.iter().map(|root| *root as usize);
    let ends = starts.clone().skip(1).chain([lists.tree_ids.len()]);
    for (start, end) in starts.zip(ends) {
        for index in start..end {
            nodes.push(node(lists, index, start, end, columns)?);
        }
    }
    Ok((nodes, roots))
}

/// Where the trees begin; they and their nodes must be in order.
fn roots(lists: &Attributes<'_>) -> Result<Vec<u32>, TreeFault> {
    let mut roots: Vec<u32> = Vec::new();
    let mut start = 0;
    for (index, (&tree, &node)) in lists.tree_ids.iter().zip(lists.node_ids).enumerate() {
        if node == 0 && place(tree) == Some(roots.len()) {
            start = index;
            roots.push(short(index));
            if roots.len() > MAX_TREES {
                return Err(TreeFault::TooMany { what: "trees", found: roots.len(), limit: MAX_TREES });
            }
        } else if place(tree).is_none_or(|tree| tree + 1 != roots.len()) || place(node) != Some(index - start)
        {
            return Err(TreeFault::Order { index, tree, node });
        }
    }
    Ok(roots)
}

/// The node at `index`, whose tree is at `start..end`.
fn node(
    lists: &Attributes<'_>,
    index: usize,
    start: usize,
    end: usize,
    columns: usize,
) -> Result<Node, TreeFault> {
    let (Some(&threshold), Some(&mode), Some(&column), Some(&yes), Some(&no)) = (
        lists.thresholds.get(index),
        lists.modes.get(index),
        lists.columns.get(index),
        lists.yes.get(index),
        lists.no.get(index),
    ) else {
        return Err(TreeFault::Empty);
    };
    if !threshold.is_finite() {
        return Err(TreeFault::Threshold { index, threshold });
    }
    if mode == Mode::Leaf {
        if (column, yes, no) != (0, 0, 0) {
            return Err(TreeFault::Leaf { index });
        }
        return Ok(Node { threshold: 0.0, column: LEAF, yes: 0, no: 0 });
    }
    let found = place(column).filter(|column| *column < columns);
    let column = found.ok_or(TreeFault::Column { index, column, columns })?;
    let child = |child: i64| {
        let at =
            place(child).and_then(|child| child.checked_add(start)).filter(|at| *at > index && *at < end);
        at.map(short).ok_or(TreeFault::Child { index, child })
    };
    // For finite numbers "below t" is "at most the number before t".
    let threshold = if mode == Mode::Lt { threshold.next_down() } else { threshold };
    Ok(Node { threshold, column: short(column), yes: child(yes)?, no: child(no)? })
}

/// Every node but a root is the child of one, and no way is too long.
fn check_shape(nodes: &[Node], roots: &[u32]) -> Result<(), TreeFault> {
    let mut parents = vec![0u32; nodes.len()];
    let mut depths = vec![0usize; nodes.len()];
    // Children stand behind their parents, so one pass knows every depth.
    for (index, node) in nodes.iter().enumerate() {
        let depth = depths.get(index).copied().unwrap_or_default();
        if depth > MAX_DEPTH {
            return Err(TreeFault::TooMany { what: "levels of a tree", found: depth, limit: MAX_DEPTH });
        }
        if node.column == LEAF {
            continue;
        }
        for child in [node.yes, node.no] {
            if let Some(parents) = parents.get_mut(child as usize) {
                *parents += 1;
            }
            if let Some(below) = depths.get_mut(child as usize) {
                *below = depth + 1;
            }
        }
    }
    for root in roots {
        if let Some(parents) = parents.get_mut(*root as usize) {
            *parents += 1;
        }
    }
    if let Some((index, parents)) = parents.iter().enumerate().find(|(_, parents)| **parents != 1) {
        return Err(TreeFault::Parents { index, parents: *parents });
    }
    let ends = roots.iter().skip(1).map(|root| *root as usize).chain([nodes.len()]);
    let steps: usize = roots
        .iter()
        .zip(ends)
        .filter_map(|(root, end)| depths.get(*root as usize..end))
        .map(|depths| depths.iter().max().copied().unwrap_or_default())
        .sum();
    if steps > MAX_STEPS {
        return Err(TreeFault::TooMany { what: "levels of all trees", found: steps, limit: MAX_STEPS });
    }
    Ok(())
}

/// The weights, to whose places the leaves are pointed.
fn weights(lists: &Attributes<'_>, nodes: &mut [Node], roots: &[u32]) -> Result<Vec<Weight>, TreeFault> {
    let classes = lists.labels.len();
    let mut weights: Vec<Weight> = Vec::with_capacity(lists.weights.len());
    let mut latest: Option<(usize, usize)> = None;
    let rows = lists.weight_trees.iter().zip(lists.weight_nodes).zip(lists.weight_labels).zip(lists.weights);
    for (index, (((&tree, &node), &class), &value)) in rows.enumerate() {
        let column = place(class).filter(|class| *class < classes).ok_or(TreeFault::WeightClass {
            index,
            class,
            classes,
        })?;
        if !is_moderate(value) {
            return Err(TreeFault::Value { list: "class_weights", value });
        }
        let order = TreeFault::WeightOrder { index, tree, node };
        let at = place(tree).and_then(|tree| {
            let start = *roots.get(tree)? as usize;
            let end = roots.get(tree + 1).map_or(nodes.len(), |next| *next as usize);
            start.checked_add(place(node)?).filter(|at| *at < end)
        });
        let Some(at) = at.filter(|at| latest.is_none_or(|latest| latest < (*at, column))) else {
            return Err(order);
        };
        let Some(leaf) = nodes.get_mut(at).filter(|node| node.column == LEAF) else {
            return Err(order);
        };
        if latest.is_none_or(|(before, _)| before != at) {
            leaf.yes = short(weights.len());
        }
        latest = Some((at, column));
        weights.push(Weight { column: short(column), value });
        leaf.no = short(weights.len());
    }
    let has = |column: u32| weights.iter().any(|weight| weight.column == column);
    if classes == 2 && has(0) != has(1) {
        return Err(TreeFault::OneOfTwo);
    }
    Ok(weights)
}

/// The leaves of each tree, each with its weights.
fn leaves<'a>(
    nodes: &'a [Node],
    roots: &'a [u32],
    weights: &'a [Weight],
) -> impl Iterator<Item = impl Iterator<Item = &'a [Weight]>> {
    let ends = roots.iter().skip(1).map(|root| *root as usize).chain([nodes.len()]);
    roots.iter().zip(ends).map(move |(root, end)| {
        let tree = nodes.get(*root as usize..end).unwrap_or_default();
        let leaves = tree.iter().filter(|node| node.column == LEAF);
        leaves.map(move |leaf| weights.get(leaf.yes as usize..leaf.no as usize).unwrap_or_default())
    })
}

/// Least and greatest sum of each column.
fn ranges(nodes: &[Node], roots: &[u32], weights: &[Weight], base: &[f32]) -> Vec<(f64, f64)> {
    let mut ranges: Vec<(f64, f64)> = base.iter().map(|base| (f64::from(*base), f64::from(*base))).collect();
    for tree in leaves(nodes, roots, weights) {
        let mut of_tree: Vec<Option<(f64, f64)>> = vec![None; base.len()];
        for leaf in tree {
            let mut values = vec![0.0; base.len()];
            for weight in leaf {
                if let Some(value) = values.get_mut(weight.column as usize) {
                    *value = f64::from(weight.value);
                }
            }
            for (range, value) in of_tree.iter_mut().zip(values) {
                let (low, high) = range.unwrap_or((value, value));
                *range = Some((low.min(value), high.max(value)));
            }
        }
        for (range, of_tree) in ranges.iter_mut().zip(of_tree) {
            let (low, high) = of_tree.unwrap_or_default();
            *range = (range.0 + low, range.1 + high);
        }
    }
    ranges
}

/// Whether no weight takes anything away, and what a row can get in all is no more than one.
fn is_probability(nodes: &[Node], roots: &[u32], weights: &[Weight]) -> bool {
    let total: f64 = leaves(nodes, roots, weights)
        .map(|tree| {
            tree.map(|leaf| leaf.iter().map(|weight| f64::from(weight.value)).sum::<f64>())
                .fold(0.0, f64::max)
        })
        .sum();
    weights.iter().all(|weight| weight.value >= 0.0) && total <= 1.001
}

#[cfg(test)]
mod tests;
