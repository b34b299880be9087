"""A network in int8: QuantizeLinear, Unsqueeze, QLinearConv of kernel one for each layer, Squeeze, DequantizeLinear.

Scales are static and per tensor: a dynamic scale would make one row's result depend on the others of its
batch. ReLU is the saturation at zero point -128.
"""

from dataclasses import replace

import numpy as np

from graph import CLIP, Graph
from perceptron import Network

# Logits beyond this change a probability by less than 1e-6, and finer steps near zero are worth more.
LARGEST_LOGIT = 16.0
# Share of activations that may saturate when a scale is chosen.
SATURATED = 1e-4


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


def add_layers(graph: Graph, network: Network, calibration: np.ndarray, largest: float, output: str) -> None:
    """Appends the layers of `network` with scales from the rows of `calibration`.

    `largest` bounds what the last layer gives.
    """
    network = equalised(network)
    stages = network.activations(calibration)
    last = len(network.weights)

    def quantisation(index: int) -> tuple[np.float32, np.int8]:
        """Scale and zero point of the tensor before layer `index`."""
        if index == 0:
            return np.float32(CLIP / 127.0), np.int8(0)
        if index == last:
            return np.float32(min(reach(stages[last]), largest) / 127.0), np.int8(0)
        return np.float32(reach(stages[index]) / 255.0), np.int8(-128)

    scales = [quantisation(index) for index in range(last + 1)]
    for index, (scale, zero_point) in enumerate(scales):
        graph.constant(f"scale{index}", np.asarray(scale))
        graph.constant(f"zero_point{index}", np.asarray(zero_point))
    axes = graph.constant("axes", np.asarray([2], dtype=np.int64))
    graph.constant("weight_zero_point", np.asarray(0, dtype=np.int8))
    graph.then("QuantizeLinear", "codes", "scale0", "zero_point0")
    graph.then("Unsqueeze", "layer0", axes)
    for index, (weights, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        weight_scale = np.float32(max(float(np.abs(weights).max()), 1e-6) / 127.0)
        codes = np.clip(np.round(weights.T / weight_scale), -127, 127).astype(np.int8)
        unit = float(scales[index][0]) * float(weight_scale)
        steps = np.clip(np.round(bias / unit), -(2**30), 2**30).astype(np.int32)
        graph.constant(f"weights{index}", codes[:, :, np.newaxis])
        graph.constant(f"weight_scale{index}", np.asarray(weight_scale))
        graph.constant(f"bias{index}", steps)
        graph.then(
            "QLinearConv",
            f"layer{index + 1}",
            f"scale{index}",
            f"zero_point{index}",
            f"weights{index}",
            f"weight_scale{index}",
            "weight_zero_point",
            f"scale{index + 1}",
            f"zero_point{index + 1}",
            f"bias{index}",
            kernel_shape=[1],
        )
    graph.then("Squeeze", "flat", axes)
    graph.then("DequantizeLinear", output, f"scale{last}", f"zero_point{last}")
