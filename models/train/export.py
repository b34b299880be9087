"""Writes a network as the int8 ONNX that Picket serves.

Relu, Add 1, Log, Sub, Mul, Clip, QuantizeLinear, Unsqueeze, QLinearConv of kernel one for each layer,
Squeeze, DequantizeLinear, Softmax. Scales are static and per tensor: a dynamic scale would make one row's
result depend on the others of its batch. ReLU is the saturation at zero point -128.
"""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from network import CLIP, Network

OPSET = 17
IR_VERSION = 8
# Logits beyond this change a probability by less than 1e-6, and finer steps near zero are worth more.
LARGEST_LOGIT = 16.0
# Share of activations that may saturate when a scale is chosen.
SATURATED = 1e-4


@dataclass(frozen=True)
class Metadata:
    """What the file says of itself, see `src/model/metadata.rs`."""

    name: str
    version: str
    created: str
    training: str
    schema: str
    schema_hash: str
    thresholds: dict[str, float]
    novelty: str

    def entries(self, classes: tuple[str, ...]) -> dict[str, str]:
        """As ONNX metadata."""
        return {
            "picket.name": self.name,
            "picket.version": self.version,
            "picket.created": self.created,
            "picket.training": self.training,
            "picket.schema": self.schema,
            "picket.schema_hash": self.schema_hash,
            "picket.classes": ",".join(classes),
            "picket.thresholds": ",".join(f"{name}={self.thresholds[name]:.4g}" for name in classes[1:]),
            "picket.novelty": self.novelty,
        }


def reach(values: np.ndarray) -> float:
    """The magnitude that all but a share of `SATURATED` stay below; never zero."""
    return max(float(np.quantile(np.abs(values), 1.0 - SATURATED)), 1e-3)


def equalised(network: Network) -> Network:
    """The same function with weights of more even size, which lose less to a scale per tensor.

    ReLU lets a hidden column be divided by a factor when the next layer multiplies by it (Nagel et al., "Data-Free
    Quantization Through Weight Equalization and Bias Correction", 2019).
    """
    weights, biases = [w.copy() for w in network.weights], [b.copy() for b in network.biases]
    # Each pair of layers disturbs its neighbours; this settles within a few rounds.
    for _ in range(10):
        for index in range(len(weights) - 1):
            into, out_of = np.abs(weights[index]).max(axis=0), np.abs(weights[index + 1]).max(axis=1)
            factor = np.sqrt(np.maximum(into, 1e-6) / np.maximum(out_of, 1e-6))
            weights[index] /= factor
            biases[index] /= factor
            weights[index + 1] *= factor[:, np.newaxis]
    return replace(network, weights=tuple(weights), biases=tuple(biases))


def to_onnx(network: Network, calibration: np.ndarray, metadata: Metadata) -> onnx.ModelProto:
    """Quantises `network` with scales from the rows of `calibration`."""
    network = equalised(network)
    stages = network.activations(calibration)
    last = len(network.weights)
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def quantisation(index: int) -> tuple[np.float32, np.int8]:
        """Scale and zero point of the tensor before layer `index`."""
        if index == 0:
            return np.float32(CLIP / 127.0), np.int8(0)
        if index == last:
            return np.float32(min(reach(stages[last]), LARGEST_LOGIT) / 127.0), np.int8(0)
        return np.float32(reach(stages[index]) / 255.0), np.int8(-128)

    scales = [quantisation(index) for index in range(last + 1)]
    for index, (scale, zero_point) in enumerate(scales):
        constant(f"scale{index}", np.asarray(scale))
        constant(f"zero_point{index}", np.asarray(zero_point))
    constant("one", np.asarray(1.0, dtype=np.float32))
    constant("mean", network.mean)
    constant("inverse_deviation", network.inverse_deviation)
    constant("low", np.asarray(-CLIP, dtype=np.float32))
    constant("high", np.asarray(CLIP, dtype=np.float32))
    constant("axes", np.asarray([2], dtype=np.int64))
    constant("weight_zero_point", np.asarray(0, dtype=np.int8))

    nodes = [
        helper.make_node("Relu", ["X"], ["counts"], "counts"),
        helper.make_node("Add", ["counts", "one"], ["above_one"], "above_one"),
        helper.make_node("Log", ["above_one"], ["logs"], "logs"),
        helper.make_node("Sub", ["logs", "mean"], ["centred"], "centred"),
        helper.make_node("Mul", ["centred", "inverse_deviation"], ["standard"], "standard"),
        helper.make_node("Clip", ["standard", "low", "high"], ["clipped"], "clipped"),
        helper.make_node("QuantizeLinear", ["clipped", "scale0", "zero_point0"], ["codes"], "codes"),
        helper.make_node("Unsqueeze", ["codes", "axes"], ["layer0"], "layer0"),
    ]
    for index, (weights, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        weight_scale = np.float32(max(float(np.abs(weights).max()), 1e-6) / 127.0)
        codes = np.clip(np.round(weights.T / weight_scale), -127, 127).astype(np.int8)
        unit = float(scales[index][0]) * float(weight_scale)
        steps = np.clip(np.round(bias / unit), -(2**30), 2**30).astype(np.int32)
        constant(f"weights{index}", codes[:, :, np.newaxis])
        constant(f"weight_scale{index}", np.asarray(weight_scale))
        constant(f"bias{index}", steps)
        inputs = [
            f"layer{index}",
            f"scale{index}",
            f"zero_point{index}",
            f"weights{index}",
            f"weight_scale{index}",
            "weight_zero_point",
            f"scale{index + 1}",
            f"zero_point{index + 1}",
            f"bias{index}",
        ]
        output = f"layer{index + 1}"
        nodes.append(helper.make_node("QLinearConv", inputs, [output], output, kernel_shape=[1]))
    nodes += [
        helper.make_node("Squeeze", [f"layer{last}", "axes"], ["flat"], "flat"),
        helper.make_node("DequantizeLinear", ["flat", f"scale{last}", f"zero_point{last}"], ["logits"], "logits"),
        helper.make_node("Softmax", ["logits"], ["probs"], "probs", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        metadata.name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", network.mean.size])],
        [helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["N", len(network.classes)])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="picket"
    )
    helper.set_model_props(model, metadata.entries(network.classes))
    onnx.checker.check_model(model, full_check=True)
    return model
