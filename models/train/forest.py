"""Trees as Picket serves them: one flat table of nodes, whichever library grew them."""

import json
from dataclasses import dataclass

import numpy as np
from onnx import helper

from graph import Graph


@dataclass(frozen=True)
class Tree:
    """One tree; children come after their parents, node 0 is the root."""

    feature: np.ndarray  # int [nodes], -1 at a leaf
    threshold: np.ndarray  # float32 [nodes]
    yes: np.ndarray  # int [nodes]
    no: np.ndarray  # int [nodes]
    values: np.ndarray  # float32 [nodes, columns of the output], used at leaves


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves are added up."""

    trees: tuple[Tree, ...]
    mode: str  # BRANCH_LEQ or BRANCH_LT
    outputs: int

    def sums(self, values: np.ndarray) -> np.ndarray:
        """The sum of the leaves that each row of `values` ends in."""
        total = np.zeros((len(values), self.outputs))
        rows = np.arange(len(values))
        for tree in self.trees:
            place = np.zeros(len(values), dtype=int)
            while True:
                feature = tree.feature[place]
                inner = feature >= 0
                if not inner.any():
                    break
                value = values[rows, np.maximum(feature, 0)]
                limit = tree.threshold[place]
                holds = value <= limit if self.mode == "BRANCH_LEQ" else value < limit
                place = np.where(inner, np.where(holds, tree.yes[place], tree.no[place]), place)
            total += tree.values[place]
        return total

    def scaled(self, factor: float) -> "Ensemble":
        """Every leaf times `factor`."""
        trees = (
            Tree(t.feature, t.threshold, t.yes, t.no, (t.values * factor).astype(np.float32)) for t in self.trees
        )
        return Ensemble(tuple(trees), self.mode, self.outputs)

    def with_base(self, base: np.ndarray) -> "Ensemble":
        """Adds `base` to every sum, by way of the first tree."""
        first = self.trees[0]
        values = first.values + base.astype(np.float32)
        return Ensemble(
            (Tree(first.feature, first.threshold, first.yes, first.no, values), *self.trees[1:]), self.mode, self.outputs
        )

    def add_to(self, graph: Graph, output: str, softmax: bool) -> None:
        """Appends the `TreeEnsembleClassifier`, sparse: no weights of zero."""
        fields: dict[str, list] = {name: [] for name in NODE_FIELDS}
        leaves: dict[str, list] = {name: [] for name in LEAF_FIELDS}
        for number, tree in enumerate(self.trees):
            count = len(tree.feature)
            leaf = tree.feature < 0
            fields["nodes_treeids"] += [number] * count
            fields["nodes_nodeids"] += range(count)
            fields["nodes_featureids"] += np.where(leaf, 0, tree.feature).tolist()
            fields["nodes_values"] += np.where(leaf, 0.0, tree.threshold).tolist()
            fields["nodes_modes"] += ["LEAF" if is_leaf else self.mode for is_leaf in leaf]
            fields["nodes_truenodeids"] += np.where(leaf, 0, tree.yes).tolist()
            fields["nodes_falsenodeids"] += np.where(leaf, 0, tree.no).tolist()
            places, ids = np.nonzero(np.where(leaf[:, np.newaxis], tree.values, 0.0))
            leaves["class_treeids"] += [number] * len(places)
            leaves["class_nodeids"] += places.tolist()
            leaves["class_ids"] += ids.tolist()
            leaves["class_weights"] += tree.values[places, ids].tolist()
        node = helper.make_node(
            "TreeEnsembleClassifier",
            [graph.last],
            ["label", output],
            output,
            domain="ai.onnx.ml",
            classlabels_int64s=list(range(self.outputs)),
            post_transform="SOFTMAX" if softmax else "NONE",
            **fields,
            **leaves,
        )
        graph.nodes.append(node)
        graph.last = output
        graph.trees = True


NODE_FIELDS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
)
LEAF_FIELDS = ("class_treeids", "class_nodeids", "class_ids", "class_weights")


def rounded_down(values: np.ndarray) -> np.ndarray:
    """float64 to float32 towards minus infinity: `x <= t` stays the same for every float32 `x`."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def of_sklearn(model: object, leaf_values: np.ndarray) -> Tree:
    """A scikit-learn tree; `leaf_values` has a row for each node."""
    tree = model.tree_
    leaf = tree.children_left < 0
    return Tree(
        np.where(leaf, -1, tree.feature),
        rounded_down(tree.threshold),
        tree.children_left,
        tree.children_right,
        leaf_values.astype(np.float32),
    )


def of_histogram(nodes: np.ndarray, column: int, outputs: int) -> Tree:
    """A tree of `HistGradientBoostingClassifier`, whose leaves speak of one class."""
    leaf = nodes["is_leaf"].astype(bool)
    values = np.zeros((len(nodes), outputs), dtype=np.float32)
    values[leaf, column] = nodes["value"][leaf]
    return Tree(
        np.where(leaf, -1, nodes["feature_idx"].astype(int)),
        rounded_down(nodes["num_threshold"]),
        nodes["left"].astype(int),
        nodes["right"].astype(int),
        values,
    )


def of_xgboost(raw: bytes, outputs: int) -> Ensemble:
    """The trees of an XGBoost model, from its own JSON. `x < threshold` goes left there."""
    learner = json.loads(raw)["learner"]
    model = learner["gradient_booster"]["model"]
    trees = []
    for tree, column in zip(model["trees"], model["tree_info"], strict=True):
        left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
        leaf = left < 0
        conditions = np.asarray(tree["split_conditions"], dtype=np.float32)
        values = np.zeros((len(left), outputs), dtype=np.float32)
        values[leaf, column] = conditions[leaf]
        trees.append(Tree(np.where(leaf, -1, np.asarray(tree["split_indices"])), conditions, left, right, values))
    return Ensemble(tuple(trees), "BRANCH_LT", outputs)
