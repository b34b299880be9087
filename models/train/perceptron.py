"""Multilayer perceptrons, trained in float: classifiers, and autoencoders that restore what they see."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from graph import Graph, Standard
from progress import steps

PHASES = 8


@dataclass(frozen=True)
class Recipe:
    """The options of a network."""

    hidden: tuple[int, ...]
    epochs: int
    batch: int = 512
    rate: float = 2e-3
    decay: float = 1e-2  # L2


@dataclass(frozen=True)
class Network:
    """A trained network; ReLU between its layers."""

    standard: Standard
    weights: tuple[np.ndarray, ...]  # float32 [in, out] each
    biases: tuple[np.ndarray, ...]  # float32 [out] each

    def activations(self, values: np.ndarray) -> list[np.ndarray]:
        """The standardised input, each hidden layer after ReLU, the last layer."""
        stages = [self.standard.apply(values)]
        for index, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            linear = stages[-1] @ weights + bias
            stages.append(linear if index == len(self.weights) - 1 else np.maximum(linear, 0.0))
        return stages

    def outputs(self, values: np.ndarray) -> np.ndarray:
        """What the last layer gives."""
        return self.activations(values)[-1]

    def cooled(self, temperature: float) -> "Network":
        """The network with its outputs divided by `temperature`."""
        factor = np.float32(1.0 / temperature)
        return replace(
            self,
            weights=(*self.weights[:-1], self.weights[-1] * factor),
            biases=(*self.biases[:-1], self.biases[-1] * factor),
        )

    def add_layers(self, graph: Graph) -> None:
        """Appends the layers in float."""
        for index, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            graph.layer(index, weights, bias)
            if index < len(self.weights) - 1:
                graph.then("Relu", f"hidden{index}")

    def shape(self) -> str:
        """Such as `43-32-16-7`."""
        return "-".join(str(size) for size in (len(self.weights[0]), *(bias.size for bias in self.biases)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the rows of `logits`."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def schedule(recipe: Recipe) -> Iterator[tuple[int, int, float]]:
    """Number, epochs and learning rate of each phase: the rate falls along a cosine."""
    phases = min(PHASES, recipe.epochs)
    for phase in range(phases):
        epochs = recipe.epochs // phases + (phase < recipe.epochs % phases)
        yield phase, epochs, recipe.rate * (0.02 + 0.98 * (0.5 + 0.5 * float(np.cos(np.pi * phase / phases))))


def fit(
    recipe: Recipe, standard: Standard, values: np.ndarray, targets: np.ndarray | None, weights: np.ndarray, seed: int
) -> Network:
    """Trains a classifier for `targets` (class numbers), or without targets an autoencoder."""
    inputs = standard.apply(values)
    kind = MLPRegressor if targets is None else MLPClassifier
    model = kind(
        hidden_layer_sizes=recipe.hidden,
        activation="relu",
        solver="adam",
        alpha=recipe.decay,
        batch_size=min(recipe.batch, len(inputs)),
        warm_start=True,
    )
    with warnings.catch_warnings():
        # A fixed number of epochs is meant: it keeps runs comparable.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for phase, epochs, rate in steps("network", list(schedule(recipe))):
            model.set_params(
                max_iter=epochs, n_iter_no_change=epochs + 1, learning_rate_init=rate, random_state=seed + phase
            )
            model.fit(inputs, inputs if targets is None else targets, sample_weight=weights)
    return Network(
        standard,
        tuple(layer.astype(np.float32) for layer in model.coefs_),
        tuple(bias.astype(np.float32) for bias in model.intercepts_),
    )


def classifier_graph(network: Network) -> Graph:
    """The network in float, up to its probabilities."""
    graph = Graph(network.standard.mean.size)
    graph.prepare(network.standard)
    network.add_layers(graph)
    graph.then("Softmax", "probs", axis=1)
    return graph
