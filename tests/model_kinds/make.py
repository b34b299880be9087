"""Makes a small model of every kind that Picket serves, with made-up weights, and what onnxruntime says of some rows.

Run once, after the format of docs/models.md has changed: `python make.py` beside this file, with onnx and onnxruntime of
models/train/requirements.txt. The models have no metadata: the test reads their graphs alone, so that no schema has to
stay as it is.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
COLUMNS = 7
CLASSES = 4
ROWS = 48


class Graph:
    """A chain of nodes in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "X"
        self.trees = False

    def then(self, operator: str, output: str, *constants: np.ndarray | str, **attributes: object) -> None:
        """Adds a node; arrays become constants."""
        inputs = [self.last]
        for index, constant in enumerate(constants):
            if isinstance(constant, np.ndarray):
                name = f"{output}.{index}"
                self.constants.append(numpy_helper.from_array(np.ascontiguousarray(constant), name))
                constant = name
            inputs.append(constant)
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        self.last = output

    def prepare(self) -> None:
        """log1p, standardise, clip."""
        self.then("Relu", "counts")
        self.then("Add", "above_one", real(1.0))
        self.then("Log", "logs")
        self.then("Sub", "centred", real(np.linspace(0.5, 2.0, COLUMNS)))
        self.then("Mul", "standard", real(np.linspace(0.4, 1.2, COLUMNS)))
        self.then("Clip", "clipped", real(-6.0), real(6.0))

    def layer(self, index: int, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        """A float layer."""
        self.then("MatMul", f"product{index}", real(rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)))
        self.then("Add", f"sum{index}", real(rng.normal(size=outputs)))

    def int8(self, rng: np.random.Generator, widths: tuple[int, ...]) -> None:
        """Quantised layers from the first of `widths` to the last."""
        stages = [(6.0 / 127.0, 0), *[(0.02, -128)] * (len(widths) - 2), (0.05, 0)]
        stage = [(real(scale), np.asarray(zero, np.int8)) for scale, zero in stages]
        self.then("QuantizeLinear", "codes", *stage[0])
        self.then("Unsqueeze", "deep", np.asarray([2], np.int64))
        for index, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
            weights = rng.integers(-127, 128, size=(outputs, inputs, 1)).astype(np.int8)
            bias = rng.integers(-500, 500, size=outputs).astype(np.int32)
            scale, zero = real(0.01), np.asarray(0, np.int8)
            self.then(
                "QLinearConv", f"conv{index}", *stage[index], weights, scale, zero, *stage[index + 1], bias, kernel_shape=[1]
            )
        self.then("Squeeze", "flat", np.asarray([2], np.int64))
        self.then("DequantizeLinear", "real", *stage[-1])

    def error(self, before: str) -> None:
        """The mean squared difference from `before`."""
        self.then("Sub", "difference", before)
        self.then("Mul", "squares", "difference")
        self.then("ReduceMean", "score", axes=[1], keepdims=1)

    def ensemble(self, rng: np.random.Generator, output: str, **how: object) -> None:
        """Ten random trees. `how`: labels, leaf (what a leaf holds), modes, post_transform, base_values."""
        lists = {name: [] for name in (*NODE_LISTS, *LEAF_LISTS, "class_weights")}
        leaf_weights = how.pop("leaf")
        modes = how.pop("modes")
        for tree in range(10):
            grow(rng, lists, tree, modes, leaf_weights)
        labels = list(range(how.pop("labels")))
        self.nodes.append(
            helper.make_node(
                "TreeEnsembleClassifier",
                [self.last],
                ["label", output],
                output,
                domain="ai.onnx.ml",
                classlabels_int64s=labels,
                **lists,
                **how,
            )
        )
        self.last = output
        self.trees = True

    def model(self) -> onnx.ModelProto:
        """The file."""
        width = CLASSES if self.last == "probs" else 1
        graph = helper.make_graph(
            self.nodes,
            "kind",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", COLUMNS])],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ["N", width])],
            self.constants,
        )
        sets = [helper.make_opsetid("", 17)] + [helper.make_opsetid("ai.onnx.ml", 3)] * self.trees
        model = helper.make_model(graph, opset_imports=sets, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


NODE_LISTS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
)
LEAF_LISTS = ("class_treeids", "class_nodeids", "class_ids")


def real(value: object) -> np.ndarray:
    """As float32."""
    return np.asarray(value, np.float32)


def grow(rng: np.random.Generator, lists: dict, tree: int, modes: tuple, leaf_weights: object) -> None:
    """One tree of at most five levels, root first, each branch before what is below it."""
    size = 0

    def node(depth: int) -> int:
        nonlocal size
        number = size
        size += 1
        leaf = depth == 5 or (depth > 0 and rng.random() < 0.3)
        for name in NODE_LISTS:
            lists[name].append(0)
        place = len(lists["nodes_modes"]) - 1
        lists["nodes_treeids"][place], lists["nodes_nodeids"][place] = tree, number
        if leaf:
            lists["nodes_modes"][place] = "LEAF"
            lists["nodes_values"][place] = 0.0
            for column, weight in enumerate(leaf_weights(rng)):
                if weight != 0.0:
                    for name, value in zip(LEAF_LISTS, (tree, number, column), strict=True):
                        lists[name].append(value)
                    lists["class_weights"].append(float(weight))
            return number
        lists["nodes_featureids"][place] = int(rng.integers(COLUMNS))
        # Whole numbers, so that rows meet them exactly.
        lists["nodes_values"][place] = float(rng.integers(0, 12))
        lists["nodes_modes"][place] = modes[int(rng.integers(len(modes)))]
        lists["nodes_truenodeids"][place] = node(depth + 1)
        lists["nodes_falsenodeids"][place] = node(depth + 1)
        return number

    start = len(lists["class_treeids"])
    node(0)
    if start == len(lists["class_treeids"]):
        raise ValueError("a tree without a weight")


def shares(rng: np.random.Generator) -> np.ndarray:
    """A tenth of a distribution over the classes, one of them left out."""
    weights = rng.dirichlet(np.ones(CLASSES))
    weights[rng.integers(CLASSES)] = 0.0
    return real(weights / weights.sum() / 10.0)


def margins(rng: np.random.Generator) -> np.ndarray:
    """A margin for one class."""
    return real(np.where(np.arange(CLASSES) == rng.integers(CLASSES), rng.normal(), 0.0))


def paths(rng: np.random.Generator) -> np.ndarray:
    """A path length, as class 0 of 3."""
    return real([rng.uniform(2.0, 9.0) / 10.0, 0.0, 0.0])


def kinds() -> dict[str, Graph]:
    """Every kind with its graph."""
    graphs = {}

    def start(name: str, seed: int, prepare: bool = True) -> tuple[Graph, np.random.Generator]:
        graphs[name] = Graph()
        if prepare:
            graphs[name].prepare()
        return graphs[name], np.random.default_rng(seed)

    graph, rng = start("logistic", 1)
    graph.layer(0, rng, COLUMNS, CLASSES)
    graph.then("Softmax", "probs", axis=1)

    graph, rng = start("perceptron", 2)
    graph.layer(0, rng, COLUMNS, 9)
    graph.then("Relu", "hidden")
    graph.layer(1, rng, 9, CLASSES)
    graph.then("Softmax", "probs", axis=-1)

    graph, rng = start("perceptron_int8", 3)
    graph.int8(rng, (COLUMNS, 9, CLASSES))
    graph.then("Softmax", "probs", axis=1)

    graph, rng = start("naive_bayes", 4)
    mean, variance = rng.normal(size=(CLASSES, COLUMNS)), rng.uniform(0.3, 2.0, size=(CLASSES, COLUMNS))
    weights = np.concatenate([(mean / variance).T, (-0.5 / variance).T])
    bias = -(mean**2 / (2 * variance) + np.log(2 * np.pi * variance) / 2).sum(axis=1)
    before = graph.last
    graph.then("Mul", "squares", before)
    graph.last = before
    graph.then("Concat", "both", "squares", axis=1)
    graph.then("MatMul", "product", real(weights))
    graph.then("Add", "likelihoods", real(bias))
    graph.then("Softmax", "probs", axis=1)

    graph, rng = start("autoencoder", 5)
    graph.layer(0, rng, COLUMNS, 3)
    graph.then("Relu", "hidden")
    graph.layer(1, rng, 3, COLUMNS)
    graph.error("clipped")

    graph, rng = start("autoencoder_int8", 6)
    graph.int8(rng, (COLUMNS, 4, COLUMNS))
    graph.error("clipped")

    graph, rng = start("forest", 7, prepare=False)
    graph.ensemble(rng, "probs", labels=CLASSES, leaf=shares, modes=("BRANCH_LEQ",))

    graph, rng = start("boosting", 8, prepare=False)
    modes = ("BRANCH_LT", "BRANCH_LEQ")
    base = [0.5, -0.5, 0.0, 0.25]
    graph.ensemble(
        rng, "probs", labels=CLASSES, leaf=margins, modes=modes, post_transform="SOFTMAX", base_values=base
    )

    graph, rng = start("isolation", 9, prepare=False)
    graph.ensemble(rng, "paths", labels=3, leaf=paths, modes=("BRANCH_LEQ",), post_transform="NONE")
    graph.then("MatMul", "exponent", real([[-np.log(2.0) / 6.5], [0.0], [0.0]]))
    graph.then("Exp", "score")
    return graphs


def main() -> None:
    """Writes the models and `golden.json`."""
    rng = np.random.default_rng(2026)
    rows = np.concatenate(
        [rng.integers(0, 12, size=(ROWS // 2, COLUMNS)), np.floor(np.exp(rng.uniform(0, 14, size=(ROWS // 2, COLUMNS))))]
    ).astype(np.float32)
    rows[0] = 0.0
    golden: dict[str, object] = {"rows": [[float(x) for x in row] for row in rows], "outputs": {}}
    for name, graph in kinds().items():
        path = HERE / f"{name}.onnx"
        path.write_bytes(graph.model().SerializeToString(deterministic=True))
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        outputs = session.run(None, {"X": rows})[0]
        golden["outputs"][name] = [[float(np.float32(y)) for y in row] for row in outputs]
        print(f"{name}: {path.stat().st_size} octets, outputs {outputs.min():.3g} to {outputs.max():.3g}")
    (HERE / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
