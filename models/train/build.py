"""Trains, calibrates and exports one model."""

import time
from dataclasses import dataclass

import numpy as np
import onnxruntime

from anomaly import DETECTORS, Detector
from calibrate import Calibration, best_temperature, choose_sure, choose_thresholds, tempered
from configuration import Configuration
from data import Data, Grown, grow, scored
from graph import Metadata, octets
from learners import CLASSIFIERS, Learner
from metrics import Scores
from progress import say, steps
from rows import BENIGN, Rows, folds

FOLDS = 4
# A row is too novel to judge when more than a quarter of its columns exceed 16 times their maximum in training.
NOVELTY_FACTOR = 16
NOVELTY_SHARE = 4
# Benign rows that an anomaly model may call strange.
STRANGE_RATE = 1e-3


@dataclass(frozen=True)
class Built:
    """A trained, calibrated and exported classifier."""

    classes: tuple[str, ...]
    learner: Learner
    calibration: Calibration
    model: bytes
    metadata: Metadata
    held_out: Scores  # of training rows, each by a learner that did not see its capture
    fit_seconds: float


@dataclass(frozen=True)
class BuiltDetector:
    """A trained and exported anomaly model."""

    detector: Detector
    threshold: float
    model: bytes
    fit_seconds: float


def novelty(values: np.ndarray) -> str:
    """The bounds beyond which a row is unlike anything seen in training."""
    bounds = np.ceil(np.maximum(values.max(axis=0), 1.0))
    columns = values.shape[1] // NOVELTY_SHARE
    return f"factor={NOVELTY_FACTOR} columns={columns} bounds=" + ",".join(f"{bound:.0f}" for bound in bounds)


def run_onnx(model: bytes, values: np.ndarray, output: str = "probs") -> np.ndarray:
    """What the reference runtime gives."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    parts = np.array_split(values, max(1, len(values) // 65536))
    return np.concatenate([session.run([output], {"X": part})[0] for part in parts])


def fitted(configuration: Configuration, grown: Grown, seed: int) -> Learner:
    """One training run."""
    trainer = CLASSIFIERS[configuration.algorithm]
    return trainer(configuration.options, grown.values, grown.targets, grown.weights, seed)


def out_of_fold(
    configuration: Configuration, rows: Rows, classes: tuple[str, ...], seed: int, used: int
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities for the rows of the first `used` folds, each by a learner that did not see its fold, and their places.

    A class that a fold did not learn has probability 0 there.
    """
    fold = folds(rows, FOLDS)
    found, places = [], []
    for held in steps("fold", range(used)):
        inside = fold == held
        if not inside.any() or inside.all():
            continue
        kept = rows.take(~inside)
        present = [name for name in classes if (kept.labels == name).any()]
        learner = fitted(configuration, grow(kept, tuple(present), seed), seed)
        probabilities = np.zeros((int(inside.sum()), len(classes)))
        probabilities[:, [classes.index(name) for name in present]] = learner.probabilities(rows.values[inside])
        found.append(probabilities)
        places.append(np.flatnonzero(inside))
    return np.concatenate(found), np.concatenate(places)


def build(configuration: Configuration, data: Data, seed: int, folds_used: int = FOLDS) -> Built:
    """Trains on everything; thresholds come from folds."""
    classes = data.classes
    rows = Rows.of(data.train)
    number = {name: index for index, name in enumerate(classes)}
    say(f"{configuration.name}: asking learners that did not see the captures")
    raw, places = out_of_fold(configuration, rows, classes, seed, folds_used)
    labels = rows.labels[places]
    targets = np.asarray([number[name] for name in labels.tolist()])

    say(f"{configuration.name}: training on all rows")
    grown = grow(rows, classes, seed)
    start = time.process_time()
    learner = fitted(configuration, grown, seed)
    fit_seconds = time.process_time() - start

    # A learner without a temperature stays as it is.
    temperature = best_temperature(raw, targets)
    cooler = learner.cooled(temperature)
    temperature = 1.0 if cooler is learner else temperature
    learner, probabilities = cooler, tempered(raw, temperature) if temperature != 1.0 else raw
    # What is judged on benign days is the file itself, not the network in float.
    untried = {name: 1.0 for name in classes[1:]}
    common = {
        "name": configuration.name,
        "version": configuration.version,
        "created": data.created(),
        "training": f"{learner.describe()}, {len(rows.labels)} rows of {len(data.train)} picket-lab captures, seed {seed}",
        "schema": data.schema,
        "schema_hash": data.schema_hash,
        "classes": classes,
        "novelty": novelty(grown.values),
        "vote": "{}/{}".format(*configuration.vote),
    }
    served = octets(learner.graph(grown.values).finish(Metadata(**common, thresholds=untried)))
    quiet = [run_onnx(served, scenario.values) for scenario in data.quiet if len(scenario.values)]
    thresholds = choose_thresholds(classes, probabilities, labels, quiet)
    benign = [probabilities[labels == BENIGN], run_onnx(served, rows.values[rows.labels == BENIGN]), *quiet]
    sure = choose_sure(classes, thresholds, benign)
    metadata = Metadata(**common, thresholds=thresholds, sure=sure)
    model = octets(learner.graph(grown.values).finish(metadata))
    held_out = scored(classes, probabilities, labels, thresholds)
    return Built(
        classes, learner, Calibration(temperature, thresholds, sure), model, metadata, held_out, fit_seconds
    )


def build_detector(configuration: Configuration, data: Data, seed: int) -> BuiltDetector:
    """Trains on benign rows of three folds; the threshold comes from the fourth and from benign traffic of other days."""
    rows = Rows.of(data.train)
    inside = folds(rows, FOLDS) == 0
    benign = rows.labels == BENIGN
    kept = rows.take(benign & ~inside)
    weights = np.ones(len(kept.labels))
    start = time.process_time()
    detector = DETECTORS[configuration.algorithm](configuration.options, kept.values, weights, seed)
    fit_seconds = time.process_time() - start
    others = [rows.values[benign & inside], *(s.values for s in data.quiet)]
    threshold = float(np.quantile(detector.scores(np.concatenate(others)), 1.0 - STRANGE_RATE))
    metadata = Metadata(
        name=configuration.name,
        version=configuration.version,
        created=data.created(),
        training=f"{detector.describe()}, {len(kept.labels)} benign rows, seed {seed}",
        schema=data.schema,
        schema_hash=data.schema_hash,
        classes=(BENIGN, "anomaly"),
        thresholds={"anomaly": float(f"{max(threshold, 1e-6):.6g}")},
        novelty=novelty(rows.values),
        kind="anomaly",
        vote="{}/{}".format(*configuration.vote),
    )
    model = octets(detector.graph(kept.values).finish(metadata))
    return BuiltDetector(detector, metadata.thresholds["anomaly"], model, fit_seconds)
