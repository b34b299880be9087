"""The network: log1p, standardise, clip, then a small multilayer perceptron, trained in float."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from rows import BENIGN

HIDDEN = (32, 16)
EPOCHS = 40
CLIP = 6.0
# A column that never changes in training must not be blown up: least standard deviation of log1p values.
LEAST_DEVIATION = 0.25


@dataclass(frozen=True)
class Network:
    """A trained network. `classes[0]` is benign."""

    classes: tuple[str, ...]
    mean: np.ndarray  # float32 [columns]
    inverse_deviation: np.ndarray  # float32 [columns]
    weights: tuple[np.ndarray, ...]  # float32 [in, out] each
    biases: tuple[np.ndarray, ...]  # float32 [out] each

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """What the first layer sees."""
        logs = np.log1p(np.maximum(values, 0.0))
        return np.clip((logs - self.mean) * self.inverse_deviation, -CLIP, CLIP).astype(np.float32)

    def activations(self, values: np.ndarray) -> list[np.ndarray]:
        """The standardised input, each hidden layer after ReLU, the logits."""
        stages = [self.standardise(values)]
        for index, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            linear = stages[-1] @ weights + bias
            stages.append(linear if index == len(self.weights) - 1 else np.maximum(linear, 0.0))
        return stages

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Softmax of the logits."""
        logits = self.activations(values)[-1]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def augment(
    columns: tuple[str, ...], values: np.ndarray, labels: np.ndarray, hosts: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Adds rows that did not occur but could have.

    Every column counts something, so several devices behind one address (NAT, or a compromised device that
    goes on with its work) have the sum of their rows, but for the hosts they talk to, which are the same. A
    busier or calmer host has a multiple of its rates, while the number of its topics, credentials and
    sessions stays. As many rows of each kind as there are rows:

    - benign: 2 to 8 devices of any kinds; 2 to 8 devices of one kind (rows of one host at different times); the
      rates of one row times 1/4 to 4;
    - attacks: an attack row and a benign row; the rates of an attack row times 1/2 to 4;
    - any row of a host that also uses other services over TCP (the laboratory has none): see `browsing`.
    """
    rng = np.random.default_rng(seed)
    rates = np.asarray([not name.startswith(("distinct_", "sessions_")) for name in columns])
    shared = np.asarray([name.startswith("distinct_hosts") for name in columns])
    benign = np.flatnonzero(labels == BENIGN)
    hostile = np.flatnonzero(labels != BENIGN)

    def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Two devices behind one address."""
        return np.where(shared, np.maximum(one, other), one + other)

    def crowd(first: np.ndarray, draw: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """One to seven more devices behind the address of each of the rows `first`."""
        sums = values[first].copy()
        more = rng.integers(1, 8, size=first.size)
        for place in range(7):
            some = np.flatnonzero(more > place)
            sums[some] = joined(sums[some], values[draw(first[some])])
        return sums

    # The places of each host's benign rows lie together in `by_host`, from `start` on, `count` of them.
    by_host = benign[np.argsort(hosts[benign], kind="stable")]
    _, number, count = np.unique(hosts[by_host], return_inverse=True, return_counts=True)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    host_of = np.zeros(len(labels), dtype=int)
    host_of[by_host] = number

    def same_host(rows: np.ndarray) -> np.ndarray:
        host = host_of[rows]
        return by_host[start[host] + (rng.random(rows.size) * count[host]).astype(int)]

    parts = [
        (values, labels),
        (crowd(benign, lambda rows: rng.choice(benign, size=rows.size)), labels[benign]),
        (crowd(benign, same_host), labels[benign]),
        (scaled(values[benign], rates, 0.25, 4.0, rng), labels[benign]),
        (joined(values[hostile], values[rng.choice(benign, size=hostile.size)]), labels[hostile]),
        (scaled(values[hostile], rates, 0.5, 4.0, rng), labels[hostile]),
        (browsing(columns, values, rng), labels),
    ]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([names for _, names in parts])


def scaled(
    values: np.ndarray, rates: np.ndarray, low: float, high: float, rng: np.random.Generator
) -> np.ndarray:
    """The rates of each row times a factor of its own, log-uniform, rounded to whole counts again."""
    factors = np.exp(rng.uniform(np.log(low), np.log(high), size=(values.shape[0], 1)))
    return np.where(rates, np.round(values * factors), values).astype(np.float32)


def browsing(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows of hosts that also open 1 to 100 other TCP connections a minute, to 1 to 40 hosts, of which up to a
    fifth fail, at up to three ports: web browsing, updates, a service that is gone."""
    rows = values.copy()
    count = len(rows)
    place = {name: index for index, name in enumerate(columns)}
    opened = np.exp(rng.uniform(0.0, np.log(100.0), size=count)).astype(int)
    opened_lately = rng.binomial(opened, rng.uniform(0.0, 1.0, size=count))
    failed = rng.binomial(opened, rng.uniform(0.0, 0.2, size=count))
    failed_lately = rng.binomial(failed, rng.uniform(0.0, 1.0, size=count))
    additions = {
        "syn_60s": opened,
        "syn_10s": opened_lately,
        "syn_failed_60s": failed,
        "syn_failed_10s": failed_lately,
        "distinct_failed_ports_60s": np.minimum(failed, rng.integers(1, 4, size=count)),
        "distinct_hosts_60s": np.minimum(opened, rng.integers(1, 41, size=count)),
    }
    for name, addition in additions.items():
        if name in place:
            rows[:, place[name]] += addition.astype(np.float32)
    return rows


def row_weights(labels: np.ndarray) -> np.ndarray:
    """Every attack class weighs the same in total, benign as much as all of them together."""
    names, counts = np.unique(labels, return_counts=True)
    hostile = len(names) - 1
    share = {name: (hostile if name == BENIGN else 1.0) / count for name, count in zip(names, counts, strict=True)}
    weights = np.asarray([share[label] for label in labels])
    return weights * (len(labels) / weights.sum())


def train(
    columns: tuple[str, ...], values: np.ndarray, labels: np.ndarray, hosts: np.ndarray, seed: int
) -> Network:
    """Trains on the rows and what `augment` makes of them. `hosts` tells the hosts of all scenarios apart."""
    hostile = sorted({str(label) for label in labels} - {BENIGN})
    if BENIGN not in labels or len(hostile) < 2:
        raise ValueError("training needs benign rows and at least two attack classes")
    classes = (BENIGN, *hostile)
    values, labels = augment(columns, values, labels, hosts, seed)
    logs = np.log1p(values)
    mean = logs.mean(axis=0).astype(np.float32)
    inverse_deviation = (1.0 / np.maximum(logs.std(axis=0), LEAST_DEVIATION)).astype(np.float32)
    blank = Network(classes, mean, inverse_deviation, (), ())
    # Integers in the order of `classes`: MLPClassifier sorts its labels.
    targets = np.asarray([classes.index(label) for label in labels])
    model = MLPClassifier(
        hidden_layer_sizes=HIDDEN,
        activation="relu",
        solver="adam",
        alpha=1e-2,
        batch_size=min(256, len(labels)),
        learning_rate_init=2e-3,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A fixed number of epochs is meant: it keeps runs comparable.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(blank.standardise(values), targets, sample_weight=row_weights(labels))
    return Network(
        classes,
        mean,
        inverse_deviation,
        tuple(weights.astype(np.float32) for weights in model.coefs_),
        tuple(bias.astype(np.float32) for bias in model.intercepts_),
    )
