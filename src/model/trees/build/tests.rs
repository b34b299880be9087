use super::*;

/// Two trees over three columns with two labels: x0 <= 1.5, and below it x2 < 4; the second is a leaf alone.
struct Lists {
    labels: Vec<i64>,
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    columns: Vec<i64>,
    thresholds: Vec<f32>,
    modes: Vec<Mode>,
    yes: Vec<i64>,
    no: Vec<i64>,
    weight_trees: Vec<i64>,
    weight_nodes: Vec<i64>,
    weight_labels: Vec<i64>,
    weights: Vec<f32>,
    base: Vec<f32>,
}

impl Lists {
    fn good() -> Self {
        Self {
            labels: vec![0, 1],
            tree_ids: vec![0, 0, 0, 0, 0, 1],
            node_ids: vec![0, 1, 2, 3, 4, 0],
            columns: vec![0, 2, 0, 0, 0, 0],
            thresholds: vec![1.5, 4.0, 0.0, 0.0, 0.0, 0.0],
            modes: vec![Mode::Leq, Mode::Lt, Mode::Leaf, Mode::Leaf, Mode::Leaf, Mode::Leaf],
            yes: vec![1, 2, 0, 0, 0, 0],
            no: vec![4, 3, 0, 0, 0, 0],
            weight_trees: vec![0, 0, 0, 1],
            weight_nodes: vec![2, 3, 3, 0],
            weight_labels: vec![0, 0, 1, 1],
            weights: vec![0.5, 0.125, 0.25, 0.5],
            base: vec![],
        }
    }

    fn build(&self) -> Result<Trees, TreeFault> {
        let lists = Attributes {
            labels: &self.labels,
            tree_ids: &self.tree_ids,
            node_ids: &self.node_ids,
            columns: &self.columns,
            thresholds: &self.thresholds,
            modes: self.modes.clone(),
            yes: &self.yes,
            no: &self.no,
            weight_trees: &self.weight_trees,
            weight_nodes: &self.weight_nodes,
            weight_labels: &self.weight_labels,
            weights: &self.weights,
            base: &self.base,
        };
        Trees::new(&lists, 3)
    }
}

fn changed(change: impl FnOnce(&mut Lists)) -> Result<Trees, TreeFault> {
    let mut lists = Lists::good();
    change(&mut lists);
    lists.build()
}

fn sums(trees: &Trees, row: [f32; 3]) -> [f32; 2] {
    let mut sums = [0.0; 2];
    trees.add_to(&mut sums, &row);
    sums
}

/// A tree of branches that each have a leaf and the next branch below, `depth` levels in all.
fn ladder(depth: usize) -> Lists {
    let number = |n: usize| i64::try_from(n).unwrap();
    let mut lists = Lists {
        tree_ids: vec![],
        node_ids: vec![],
        columns: vec![],
        thresholds: vec![],
        modes: vec![],
        yes: vec![],
        no: vec![],
        weight_trees: vec![],
        weight_nodes: vec![],
        weight_labels: vec![],
        weights: vec![],
        ..Lists::good()
    };
    for level in 0..=depth {
        let branches = level < depth;
        for (node, is_leaf) in
            [(2 * level, !branches), (2 * level + 1, true)].into_iter().take(1 + usize::from(branches))
        {
            lists.tree_ids.push(0);
            lists.node_ids.push(number(node));
            lists.columns.push(0);
            lists.thresholds.push(0.0);
            lists.modes.push(if is_leaf { Mode::Leaf } else { Mode::Leq });
            lists.yes.push(if is_leaf { 0 } else { number(node + 1) });
            lists.no.push(if is_leaf { 0 } else { number(node + 2) });
        }
    }
    lists
}

#[test]
fn rows_go_down_by_the_standards_comparisons() {
    let trees = Lists::good().build().unwrap();
    assert_eq!((trees.count(), trees.nodes(), trees.columns()), (2, 6, 2));
    let cases = [
        ([1.5, 9.0, 4.0f32.next_down()], [0.5, 0.5]),
        ([1.5, 0.0, 4.0], [0.125, 0.75]),
        ([1.5f32.next_up(), 0.0, 0.0], [0.0, 0.5]),
        ([f32::MAX, 0.0, 0.0], [0.0, 0.5]),
        ([-0.0, 0.0, f32::MAX], [0.125, 0.75]),
    ];
    for (row, wanted) in cases {
        assert_eq!(sums(&trees, row).map(f32::to_bits), wanted.map(f32::to_bits), "{row:?}");
    }
    assert_eq!(trees.ranges(), [(0.0, 0.5), (0.5, 0.75)]);
}

#[test]
fn below_zero_is_below_both_zeros() {
    for zero in [0.0, -0.0] {
        let trees = changed(|lists| lists.thresholds[1] = zero).unwrap();
        assert_eq!(sums(&trees, [0.0, 0.0, 0.0]).map(f32::to_bits), [0.125f32, 0.75].map(f32::to_bits));
        assert_eq!(sums(&trees, [0.0, 0.0, -1e-45]).map(f32::to_bits), [0.5f32, 0.5].map(f32::to_bits));
    }
}

#[test]
fn base_values_come_on_top_and_are_no_probability() {
    let trees = changed(|lists| lists.base = vec![1.0, -2.0]).unwrap();
    assert_eq!(sums(&trees, [9.0, 0.0, 0.0]).map(f32::to_bits), [1.0f32, -1.5].map(f32::to_bits));
    assert_eq!(trees.ranges(), [(1.0, 1.5), (-1.5, -1.25)]);
    assert!(!trees.is_probability());
}

#[test]
fn what_may_exceed_one_or_take_away_is_no_probability() {
    assert!(Lists::good().build().unwrap().is_probability());
    assert!(!changed(|lists| lists.weights[0] = 0.75).unwrap().is_probability());
    assert!(!changed(|lists| lists.weights[1] = -0.125).unwrap().is_probability());
}

#[test]
fn lists_must_fit_each_other() {
    let is_length = |fault: Option<TreeFault>, name: &str| {
        assert!(matches!(fault, Some(TreeFault::Length { list, .. }) if list == name), "{name}: {fault:?}");
    };
    is_length(changed(|l| l.node_ids.truncate(3)).err(), "nodes_nodeids");
    is_length(changed(|l| l.columns.truncate(3)).err(), "nodes_featureids");
    is_length(changed(|l| l.thresholds.truncate(3)).err(), "nodes_values");
    is_length(changed(|l| l.modes.truncate(3)).err(), "nodes_modes");
    is_length(changed(|l| l.yes.push(0)).err(), "nodes_truenodeids");
    is_length(changed(|l| l.no.clear()).err(), "nodes_falsenodeids");
    is_length(changed(|l| l.weight_trees.truncate(3)).err(), "class_treeids");
    is_length(changed(|l| l.weight_nodes.push(1)).err(), "class_nodeids");
    is_length(changed(|l| l.weight_labels.truncate(3)).err(), "class_ids");
    is_length(changed(|l| l.base = vec![1.0]).err(), "base_values");
}

#[test]
fn a_walk_that_would_not_end_well_is_refused() {
    let child = |fault: Option<TreeFault>| matches!(fault, Some(TreeFault::Child { .. }));
    // To itself, back, out of the tree, out of the list, nowhere.
    assert!(child(changed(|l| l.yes[1] = 1).err()));
    assert!(child(changed(|l| l.yes[1] = 0).err()));
    assert!(child(changed(|l| l.no[0] = 5).err()));
    assert!(child(changed(|l| l.no[0] = i64::MAX).err()));
    assert!(child(changed(|l| l.no[0] = -1).err()));
    assert_eq!(changed(|l| l.no[1] = 2).err(), Some(TreeFault::Parents { index: 2, parents: 2 }));
    let unreached = |l: &mut Lists| (l.yes[1], l.no[1]) = (2, 4);
    assert!(matches!(changed(unreached).err(), Some(TreeFault::Parents { .. })));
    let thresholds = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    for threshold in thresholds {
        assert!(matches!(
            changed(|l| l.thresholds[0] = threshold).err(),
            Some(TreeFault::Threshold { index: 0, .. })
        ));
    }
    for column in [3, -1, i64::MAX] {
        assert!(matches!(changed(|l| l.columns[0] = column).err(), Some(TreeFault::Column { index: 0, .. })));
    }
    assert_eq!(changed(|l| l.yes[2] = 3).err(), Some(TreeFault::Leaf { index: 2 }));
    assert_eq!(changed(|l| l.columns[2] = 1).err(), Some(TreeFault::Leaf { index: 2 }));
}

#[test]
fn trees_and_nodes_are_numbered_in_order() {
    let order = |fault: Option<TreeFault>| matches!(fault, Some(TreeFault::Order { .. }));
    // A node twice, a node left out, a tree left out, trees mixed up, a tree that begins elsewhere.
    assert!(order(changed(|l| l.node_ids[2] = 1).err()));
    assert!(order(changed(|l| l.node_ids[4] = 5).err()));
    assert!(order(changed(|l| l.tree_ids[5] = 2).err()));
    assert!(order(changed(|l| l.tree_ids.swap(4, 5)).err()));
    assert!(order(changed(|l| l.tree_ids[0] = 1).err()));
    assert!(order(changed(|l| l.node_ids[0] = -1).err()));
    assert!(order(changed(|l| l.tree_ids[5] = i64::MAX).err()));
    assert!(order(changed(|l| l.node_ids[0] = 7).err()));
}

#[test]
fn weights_are_those_of_leaves_in_order() {
    let order = |fault: Option<TreeFault>| matches!(fault, Some(TreeFault::WeightOrder { .. }));
    // Of a branch, of no node, of no tree, twice, out of order.
    assert!(order(changed(|l| l.weight_nodes[0] = 1).err()));
    assert!(order(changed(|l| l.weight_nodes[3] = 1).err()));
    assert!(order(changed(|l| l.weight_trees[3] = 2).err()));
    assert!(order(changed(|l| l.weight_trees[0] = -1).err()));
    assert!(order(changed(|l| l.weight_nodes[0] = i64::MAX).err()));
    assert!(order(changed(|l| l.weight_labels[2] = 0).err()));
    assert!(order(changed(|l| l.weight_nodes.swap(0, 1)).err()));
    for class in [2, -1, 1000] {
        assert!(matches!(changed(|l| l.weight_labels[0] = class).err(), Some(TreeFault::WeightClass { .. })));
    }
    for value in [f32::NAN, f32::INFINITY, 1e10] {
        assert!(matches!(changed(|l| l.weights[0] = value).err(), Some(TreeFault::Value { .. })));
        assert!(matches!(changed(|l| l.base = vec![value, 0.0]).err(), Some(TreeFault::Value { .. })));
    }
    let one_of_two = |l: &mut Lists| l.weight_labels = vec![1, 1, 1, 1];
    let mut lists = Lists::good();
    one_of_two(&mut lists);
    lists.weight_nodes = vec![2, 3, 4, 0];
    assert_eq!(lists.build().err(), Some(TreeFault::OneOfTwo));
}

#[test]
fn labels_are_the_columns() {
    for labels in [vec![], vec![0], vec![1, 2], vec![0, 2], vec![0, -1], vec![0, 0]] {
        assert_eq!(changed(|l| l.labels = labels.clone()).err(), Some(TreeFault::Labels), "{labels:?}");
    }
    let many = (0..=64).collect();
    assert!(matches!(changed(|l| l.labels = many).err(), Some(TreeFault::TooMany { .. })));
    assert!(matches!(changed(|l| l.tree_ids.clear()).err(), Some(TreeFault::Empty)));
}

#[test]
fn what_a_row_can_cost_is_bounded() {
    assert!(ladder(MAX_DEPTH).build().is_ok());
    assert!(matches!(
        ladder(MAX_DEPTH + 1).build().err(),
        Some(TreeFault::TooMany { what: "levels of a tree", .. })
    ));
    let forest = |trees: usize, one: &Lists| {
        let mut all = ladder(0);
        let repeat = |list: &Vec<i64>| list.repeat(trees);
        let size = one.node_ids.len();
        all.tree_ids = (0..trees).flat_map(|tree| vec![i64::try_from(tree).unwrap(); size]).collect();
        all.node_ids = repeat(&one.node_ids);
        all.columns = repeat(&one.columns);
        all.thresholds = one.thresholds.repeat(trees);
        all.modes = one.modes.repeat(trees);
        all.yes = repeat(&one.yes);
        all.no = repeat(&one.no);
        all.build().err()
    };
    assert_eq!(forest(MAX_STEPS / MAX_DEPTH, &ladder(MAX_DEPTH)), None);
    assert!(matches!(
        forest(MAX_STEPS / MAX_DEPTH + 1, &ladder(MAX_DEPTH)),
        Some(TreeFault::TooMany { what: "levels of all trees", .. })
    ));
    assert_eq!(forest(MAX_TREES, &ladder(1)), None);
    assert!(matches!(forest(MAX_TREES + 1, &ladder(1)), Some(TreeFault::TooMany { what: "trees", .. })));
    assert!(matches!(forest(MAX_NODES / 129 + 1, &ladder(MAX_DEPTH)), Some(TreeFault::TooMany { .. })));
}
