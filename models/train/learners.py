"""The algorithms. Each is trained on the same rows and knows its probabilities (or score) and its ONNX graph."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

import quantized
from forest import Ensemble, of_histogram, of_sklearn, of_xgboost
from graph import Graph, Standard
from perceptron import Network, Recipe, classifier_graph, fit, softmax

Options = dict[str, object]


class Learner(Protocol):
    """A trained classifier. Column 0 is benign."""

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """[rows, classes]"""

    def cooled(self, temperature: float) -> "Learner":
        """The learner with its logits divided by `temperature`; itself if it has none."""

    def graph(self, calibration: np.ndarray) -> Graph:
        """As ONNX."""

    def describe(self) -> str:
        """A few words on its shape."""


@dataclass(frozen=True)
class Perceptron:
    """A network, in int8 or in float."""

    network: Network
    int8: bool

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Of the network in float."""
        return softmax(self.network.outputs(values))

    def cooled(self, temperature: float) -> "Perceptron":
        """See `Learner`."""
        return replace(self, network=self.network.cooled(temperature))

    def graph(self, calibration: np.ndarray) -> Graph:
        """See `Learner`."""
        if not self.int8:
            return classifier_graph(self.network)
        graph = Graph(self.network.standard.mean.size)
        graph.prepare(self.network.standard)
        quantized.add_layers(graph, self.network, calibration, quantized.LARGEST_LOGIT, "logits")
        graph.then("Softmax", "probs", axis=1)
        return graph

    def describe(self) -> str:
        """See `Learner`."""
        return f"MLP {self.network.shape()}, {'static int8 per tensor' if self.int8 else 'float'}"


@dataclass(frozen=True)
class Forest:
    """Trees whose leaves hold probabilities."""

    ensemble: Ensemble

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """See `Learner`."""
        return self.ensemble.sums(values)

    def cooled(self, _temperature: float) -> "Forest":
        """See `Learner`."""
        return self

    def graph(self, calibration: np.ndarray) -> Graph:
        """See `Learner`."""
        graph = Graph(calibration.shape[1])
        self.ensemble.add_to(graph, "probs", softmax=False)
        return graph

    def describe(self) -> str:
        """See `Learner`."""
        return f"{len(self.ensemble.trees)} trees of {sum(len(t.feature) for t in self.ensemble.trees)} nodes"


@dataclass(frozen=True)
class Boosted(Forest):
    """Trees whose leaves hold parts of a logit."""

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """See `Learner`."""
        return softmax(self.ensemble.sums(values))

    def cooled(self, temperature: float) -> "Boosted":
        """See `Learner`."""
        return Boosted(self.ensemble.scaled(1.0 / temperature))

    def graph(self, calibration: np.ndarray) -> Graph:
        """See `Learner`."""
        graph = Graph(calibration.shape[1])
        self.ensemble.add_to(graph, "probs", softmax=True)
        return graph


@dataclass(frozen=True)
class Bayes:
    """Gaussian naive Bayes: affine in z and z squared."""

    standard: Standard
    linear: np.ndarray  # [columns, classes]
    square: np.ndarray  # [columns, classes]
    bias: np.ndarray  # [classes]

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """See `Learner`."""
        z = self.standard.apply(values).astype(np.float64)
        return softmax(z @ self.linear + (z * z) @ self.square + self.bias)

    def cooled(self, temperature: float) -> "Bayes":
        """See `Learner`."""
        return Bayes(self.standard, self.linear / temperature, self.square / temperature, self.bias / temperature)

    def graph(self, _calibration: np.ndarray) -> Graph:
        """See `Learner`."""
        graph = Graph(self.standard.mean.size)
        graph.prepare(self.standard)
        once = graph.last
        graph.then("Mul", "squares", once)
        graph.last = once
        graph.then("Concat", "both", "squares", axis=1)
        graph.layer(0, np.concatenate([self.linear, self.square]), self.bias)
        graph.then("Softmax", "probs", axis=1)
        return graph

    def describe(self) -> str:
        """See `Learner`."""
        return f"{self.linear.size} normal densities"


def train_mlp(options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int) -> Learner:
    """A multilayer perceptron."""
    options = dict(options)
    int8 = bool(options.pop("int8"))
    recipe = Recipe(**{**options, "hidden": tuple(options["hidden"])})
    return Perceptron(fit(recipe, Standard.of(values), values, targets, weights, seed), int8)


def train_linear(options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int) -> Learner:
    """Logistic regression: a network of one layer."""
    standard = Standard.of(values)
    model = LogisticRegression(**options, random_state=seed)
    model.fit(standard.apply(values).astype(np.float64), targets, sample_weight=weights)
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.r_[0.0, intercept]
    network = Network(standard, (coefficients.T.astype(np.float32),), (intercept.astype(np.float32),))
    return Perceptron(network, int8=False)


def train_bayes(options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, _seed: int) -> Learner:
    """Gaussian naive Bayes. The variances have a floor of `floor` times the largest."""
    standard = Standard.of(values)
    model = GaussianNB(var_smoothing=options["floor"])
    model.fit(standard.apply(values).astype(np.float64), targets, sample_weight=weights)
    mean, variance = model.theta_, model.var_
    bias = np.log(model.class_prior_) - (mean**2 / (2 * variance) + np.log(2 * np.pi * variance) / 2).sum(axis=1)
    return Bayes(standard, (mean / variance).T, (-0.5 / variance).T, bias)


def shares(model: DecisionTreeClassifier) -> np.ndarray:
    """The share of each class at each node."""
    counts = model.tree_.value[:, 0, :]
    return counts / counts.sum(axis=1, keepdims=True)


def train_tree(options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int) -> Learner:
    """One decision tree."""
    model = DecisionTreeClassifier(**options, random_state=seed)
    model.fit(values, targets, sample_weight=weights)
    return Forest(Ensemble((of_sklearn(model, shares(model)),), "BRANCH_LEQ", len(model.classes_)))


def train_forest(options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int) -> Learner:
    """A random forest."""
    model = RandomForestClassifier(**options, random_state=seed, n_jobs=1)
    model.fit(values, targets, sample_weight=weights)
    count = len(model.estimators_)
    trees = tuple(of_sklearn(tree, shares(tree) / count) for tree in model.estimators_)
    return Forest(Ensemble(trees, "BRANCH_LEQ", len(model.classes_)))


def train_histogram(
    options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int
) -> Learner:
    """Gradient boosting of scikit-learn, on histograms."""
    model = HistGradientBoostingClassifier(**options, early_stopping=False, random_state=seed)
    model.fit(values, targets, sample_weight=weights)
    count = len(model.classes_)
    if count == 2:
        raise ValueError("gradient boosting is meant for three classes or more")
    trees = tuple(
        of_histogram(predictor.nodes, column, count)
        for round_of_trees in model._predictors
        for column, predictor in enumerate(round_of_trees)
    )
    base = np.asarray(model._baseline_prediction).reshape(-1)
    return Boosted(Ensemble(trees, "BRANCH_LEQ", count).with_base(base))


def train_xgboost(
    options: Options, values: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int
) -> Learner:
    """Gradient boosting of XGBoost."""
    count = int(targets.max()) + 1
    if count == 2:
        raise ValueError("gradient boosting is meant for three classes or more")
    # A base score of its own for every class would have to be carried along; zero is one for all.
    model = XGBClassifier(
        **options, objective="multi:softprob", base_score=0.0, tree_method="hist", random_state=seed, n_jobs=1
    )
    model.fit(values, targets, sample_weight=weights)
    raw = bytes(model.get_booster().save_raw(raw_format="json"))
    return Boosted(of_xgboost(raw, count))


Trainer = Callable[[Options, np.ndarray, np.ndarray, np.ndarray, int], Learner]

CLASSIFIERS: dict[str, Trainer] = {
    "mlp": train_mlp,
    "logistic-regression": train_linear,
    "naive-bayes": train_bayes,
    "decision-tree": train_tree,
    "random-forest": train_forest,
    "histogram-boosting": train_histogram,
    "xgboost": train_xgboost,
}
