"""Temperature, thresholds and certainty, from rows that the network asked did not see."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from rows import BENIGN

# Benign rows that one class may take for itself.
ALARM_RATE = 1e-4
# The grid of thresholds, in hundredths.
LEAST_PERCENT = 85
GREATEST_PERCENT = 99
# How far above the rows of benign days that were not trained on.
MARGIN = 0.05
# The grid of certainty: a single row from here on decides alone.
CERTAIN = (0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99999)


@dataclass(frozen=True)
class Calibration:
    """What turns a network's answers into verdicts."""

    temperature: float
    thresholds: dict[str, float]
    sure: dict[str, float]


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities if the logits were divided by `temperature`."""
    logits = np.log(np.maximum(probabilities, 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def best_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The temperature of the least log loss (Guo et al., "On Calibration of Modern Neural Networks", 2017)."""
    # A class that a fold did not learn has probability zero there and cannot be mended.
    asked = probabilities[np.arange(len(targets)), targets] > 0.0
    logits, truth = np.log(np.maximum(probabilities[asked], 1e-30)), targets[asked]

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1)
        chosen = scaled[np.arange(len(truth)), truth]
        return float((top + np.log(np.exp(scaled - top[:, np.newaxis]).sum(axis=1)) - chosen).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.25), np.log(8.0)), method="bounded").x))


def choose_thresholds(
    classes: tuple[str, ...], probabilities: np.ndarray, labels: np.ndarray, quiet: list[np.ndarray]
) -> dict[str, float]:
    """For each attack class the least threshold of a grid that at most `ALARM_RATE` of the benign rows reach, and that lies
    `MARGIN` above all rows of the tables `quiet`; the greatest of the grid if none does."""
    benign = probabilities[labels == BENIGN]
    thresholds = {}
    for column, name in enumerate(classes[1:], start=1):
        grid = [percent / 100 for percent in range(LEAST_PERCENT, GREATEST_PERCENT + 1)]
        highest = max((float(table[:, column].max(initial=0.0)) for table in quiet), default=0.0)
        fitting = [
            limit
            for limit in grid
            if (benign[:, column] >= limit).mean() <= ALARM_RATE and limit >= highest + MARGIN
        ]
        thresholds[name] = fitting[0] if fitting else grid[-1]
    return thresholds


def choose_sure(
    classes: tuple[str, ...], thresholds: dict[str, float], benign: list[np.ndarray]
) -> dict[str, float]:
    """For each class the least certainty of a grid that no benign row reaches, of any of the tables `benign`; none, never."""
    sure = {}
    for column, name in enumerate(classes[1:], start=1):
        highest = max((float(table[:, column].max(initial=0.0)) for table in benign), default=0.0)
        beyond = [limit for limit in CERTAIN if limit > highest and limit >= thresholds[name]]
        if beyond:
            sure[name] = beyond[0]
    return sure
