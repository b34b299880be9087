"""Models of benign rows only: the more a row differs from them, the greater its score."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.ensemble import IsolationForest

import quantized
from forest import Ensemble, of_sklearn
from graph import CLIP, Graph, Standard
from perceptron import Network, Recipe, fit

Options = dict[str, object]


class Detector(Protocol):
    """A trained anomaly detector."""

    def scores(self, values: np.ndarray) -> np.ndarray:
        """[rows]: the more, the stranger."""

    def graph(self, calibration: np.ndarray) -> Graph:
        """As ONNX."""

    def describe(self) -> str:
        """A few words on its shape."""


@dataclass(frozen=True)
class Autoencoder:
    """A network that restores what it sees through a narrow layer; the score is the mean squared error."""

    network: Network
    int8: bool

    def scores(self, values: np.ndarray) -> np.ndarray:
        """See `Detector`."""
        stages = self.network.activations(values)
        return ((stages[-1] - stages[0]) ** 2).mean(axis=1)

    def graph(self, calibration: np.ndarray) -> Graph:
        """See `Detector`."""
        graph = Graph(self.network.standard.mean.size)
        graph.prepare(self.network.standard)
        original = graph.last
        if self.int8:
            quantized.add_layers(graph, self.network, calibration, CLIP, "restored")
        else:
            self.network.add_layers(graph)
        graph.strangeness(graph.last, original)
        return graph

    def describe(self) -> str:
        """See `Detector`."""
        return f"autoencoder {self.network.shape()}, {'static int8 per tensor' if self.int8 else 'float'}"


@dataclass(frozen=True)
class Isolation:
    """An isolation forest: rows that random splits tell from the others soon are strange."""

    standard: Standard
    ensemble: Ensemble
    usual: float  # mean path length among as many rows as a tree saw

    def scores(self, values: np.ndarray) -> np.ndarray:
        """See `Detector`."""
        return 2.0 ** (-self.ensemble.sums(self.standard.apply(values))[:, 0] / self.usual)

    def graph(self, calibration: np.ndarray) -> Graph:
        """See `Detector`."""
        graph = Graph(calibration.shape[1])
        graph.prepare(self.standard)
        self.ensemble.add_to(graph, "paths", softmax=False)
        factor = np.zeros((self.ensemble.outputs, 1), dtype=np.float32)
        factor[0, 0] = -np.log(2.0) / self.usual
        graph.then("MatMul", "exponent", graph.constant("factor", factor))
        graph.then("Exp", "score")
        return graph

    def describe(self) -> str:
        """See `Detector`."""
        return f"{len(self.ensemble.trees)} trees of {sum(len(t.feature) for t in self.ensemble.trees)} nodes"


def usual_path(count: np.ndarray) -> np.ndarray:
    """Mean length of an unsuccessful search in a binary search tree of `count` rows."""
    count = np.asarray(count, dtype=np.float64)
    harmonic = np.log(np.maximum(count - 1.0, 1.0)) + np.euler_gamma
    many = 2.0 * harmonic - 2.0 * (count - 1.0) / np.maximum(count, 1.0)
    return np.where(count > 2.0, many, np.where(count == 2.0, 1.0, 0.0))


def train_autoencoder(options: Options, values: np.ndarray, weights: np.ndarray, seed: int) -> Detector:
    """Trains on benign rows."""
    options = dict(options)
    int8 = bool(options.pop("int8"))
    recipe = Recipe(**{**options, "hidden": tuple(options["hidden"])})
    return Autoencoder(fit(recipe, Standard.of(values), values, None, weights, seed), int8)


def train_isolation(options: Options, values: np.ndarray, weights: np.ndarray, seed: int) -> Detector:
    """Trains on benign rows."""
    # Splits are drawn evenly between least and greatest value: of raw counts nearly all would fall beyond the usual.
    standard = Standard.of(values)
    model = IsolationForest(**options, random_state=seed, n_jobs=1)
    model.fit(standard.apply(values), sample_weight=weights)
    count = len(model.estimators_)
    trees = []
    for estimator, features in zip(model.estimators_, model.estimators_features_, strict=True):
        if not np.array_equal(features, np.arange(values.shape[1])):
            raise ValueError("an isolation forest must see all columns")
        depth = depths(estimator.tree_.children_left, estimator.tree_.children_right)
        length = depth + usual_path(estimator.tree_.n_node_samples)
        paths = np.zeros((len(length), 3))
        paths[:, 0] = length / count
        trees.append(of_sklearn(estimator, paths))
    return Isolation(standard, Ensemble(tuple(trees), "BRANCH_LEQ", 3), float(usual_path(model.max_samples_)))


def depths(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The depth of each node; the root has 0."""
    depth = np.zeros(len(left))
    for node in range(len(left)):
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth


Trainer = Callable[[Options, np.ndarray, np.ndarray, int], Detector]

DETECTORS: dict[str, Trainer] = {"autoencoder": train_autoencoder, "isolation-forest": train_isolation}
