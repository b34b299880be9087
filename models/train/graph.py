"""What all ONNX files of Picket have in common: metadata, constants, preparation. `docs/models.md` says what is served."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
TREE_OPSET = 3
IR_VERSION = 8
# Standardised values are clipped to so many deviations.
CLIP = 6.0
# A column that never changes in training must not be blown up: least standard deviation of log1p values.
LEAST_DEVIATION = 0.25


@dataclass(frozen=True)
class Metadata:
    """What the file says of itself, see `src/model/metadata.rs`."""

    name: str
    version: str
    created: str
    training: str
    schema: str
    schema_hash: str
    classes: tuple[str, ...]
    thresholds: dict[str, float]
    novelty: str
    kind: str = "classifier"
    vote: str = "2/2"
    sure: dict[str, float] = field(default_factory=dict)

    def entries(self) -> dict[str, str]:
        """As ONNX metadata."""
        entries = {
            "picket.name": self.name,
            "picket.version": self.version,
            "picket.created": self.created,
            "picket.training": self.training,
            "picket.schema": self.schema,
            "picket.schema_hash": self.schema_hash,
            "picket.kind": self.kind,
            "picket.classes": ",".join(self.classes),
            "picket.thresholds": pairs(self.thresholds),
            "picket.vote": self.vote,
            "picket.novelty": self.novelty,
        }
        if self.sure:
            entries["picket.sure"] = pairs(self.sure)
        return entries


def pairs(values: dict[str, float]) -> str:
    """`name=value,...`"""
    return ",".join(f"{name}={value:.6g}" for name, value in values.items())


@dataclass(frozen=True)
class Standard:
    """log1p, standardise, clip: the preparation of everything but trees."""

    mean: np.ndarray  # float32 [columns]
    inverse_deviation: np.ndarray  # float32 [columns]

    @staticmethod
    def of(values: np.ndarray) -> "Standard":
        """Mean and deviation of these rows."""
        logs = np.log1p(np.maximum(values, 0.0), dtype=np.float32)
        deviation = np.maximum(logs.std(axis=0, dtype=np.float64), LEAST_DEVIATION)
        return Standard(
            logs.mean(axis=0, dtype=np.float64).astype(np.float32), (1.0 / deviation).astype(np.float32)
        )

    def apply(self, values: np.ndarray) -> np.ndarray:
        """What the first layer sees."""
        logs = np.log1p(np.maximum(values, 0.0), dtype=np.float32)
        return np.clip((logs - self.mean) * self.inverse_deviation, -CLIP, CLIP).astype(np.float32)


class Graph:
    """A chain of nodes in the making."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.last = "X"
        self.trees = False

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds a constant and returns its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def then(self, operator: str, output: str, *inputs: str, **attributes: object) -> str:
        """Adds a node that takes what the one before it made, and `inputs`."""
        self.nodes.append(helper.make_node(operator, [self.last, *inputs], [output], output, **attributes))
        self.last = output
        return output

    def prepare(self, standard: Standard) -> None:
        """The nodes of `Standard.apply`."""
        self.then("Relu", "counts")
        self.then("Add", "above_one", self.constant("one", np.asarray(1.0, np.float32)))
        self.then("Log", "logs")
        self.then("Sub", "centred", self.constant("mean", standard.mean))
        self.then("Mul", "standard", self.constant("inverse_deviation", standard.inverse_deviation))
        low = self.constant("low", np.asarray(-CLIP, np.float32))
        high = self.constant("high", np.asarray(CLIP, np.float32))
        self.then("Clip", "clipped", low, high)

    def layer(self, index: int, weights: np.ndarray, bias: np.ndarray) -> None:
        """`MatMul` and `Add`."""
        self.then("MatMul", f"product{index}", self.constant(f"weights{index}", weights.astype(np.float32)))
        self.then("Add", f"sum{index}", self.constant(f"bias{index}", bias.astype(np.float32)))

    def strangeness(self, restored: str, original: str) -> None:
        """The mean squared difference of two values: the score of an autoencoder."""
        self.last = restored
        self.then("Sub", "difference", original)
        self.then("Mul", "squares", "difference")
        self.then("ReduceMean", "score", axes=[1], keepdims=1)

    def finish(self, metadata: Metadata) -> onnx.ModelProto:
        """The file; its output is what the last node made."""
        anomaly = metadata.kind == "anomaly"
        output, width = ("score", 1) if anomaly else ("probs", len(metadata.classes))
        if self.last != output:
            raise ValueError(f"the last node makes {self.last!r}, not {output!r}")
        graph = helper.make_graph(
            self.nodes,
            metadata.name,
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", self.columns])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", width])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        if self.trees:
            opsets.append(helper.make_opsetid("ai.onnx.ml", TREE_OPSET))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="picket")
        helper.set_model_props(model, metadata.entries())
        onnx.checker.check_model(model, full_check=True)
        return model


def octets(model: onnx.ModelProto) -> bytes:
    """The file's bytes: the same for the same model."""
    return model.SerializeToString(deterministic=True)
