"""Thresholds, figures and tables."""

from dataclasses import dataclass

import numpy as np

from rows import BENIGN, Scenario

# Benign rows of the training scenarios that one class may take for itself.
ALARM_RATE = 1e-4
# The grid of thresholds, in hundredths.
LEAST_PERCENT = 90
GREATEST_PERCENT = 99


def choose_thresholds(classes: tuple[str, ...], probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """For each attack class the least threshold of a grid at which at most `ALARM_RATE` of the benign rows reach it."""
    benign = probabilities[labels == BENIGN]
    thresholds = {}
    for column, name in enumerate(classes[1:], start=1):
        grid = [percent / 100 for percent in range(LEAST_PERCENT, GREATEST_PERCENT + 1)]
        quiet = [limit for limit in grid if (benign[:, column] >= limit).mean() <= ALARM_RATE]
        thresholds[name] = quiet[0] if quiet else grid[-1]
    return thresholds


def verdicts(classes: tuple[str, ...], probabilities: np.ndarray, thresholds: dict[str, float]) -> np.ndarray:
    """The most probable attack class that reaches its threshold, else benign: what `OnnxScorer` does."""
    limits = np.asarray([thresholds[name] for name in classes[1:]], dtype=np.float32)
    hostile = np.where(probabilities[:, 1:] >= limits, probabilities[:, 1:], -1.0)
    best = hostile.argmax(axis=1)
    reported = hostile[np.arange(len(hostile)), best] >= 0.0
    return np.where(reported, np.asarray(classes[1:])[best], BENIGN)


@dataclass(frozen=True)
class Scores:
    """Figures of one set of verdicts."""

    classes: tuple[str, ...]
    matrix: np.ndarray  # [true, reported]

    @staticmethod
    def of(classes: tuple[str, ...], labels: np.ndarray, reported: np.ndarray) -> "Scores":
        """Counts the verdicts."""
        matrix = np.zeros((len(classes), len(classes)), dtype=int)
        place = {name: index for index, name in enumerate(classes)}
        for label, name in zip(labels, reported, strict=True):
            matrix[place[label], place[name]] += 1
        return Scores(classes, matrix)

    def per_class(self) -> list[tuple[float, float, float]]:
        """Precision, recall and F1 of each class; 0 where nothing was reported or nothing was there."""
        figures = []
        for index in range(len(self.classes)):
            hit = self.matrix[index, index]
            precision = hit / max(self.matrix[:, index].sum(), 1)
            recall = hit / max(self.matrix[index].sum(), 1)
            f1 = 2 * precision * recall / (precision + recall) if hit else 0.0
            figures.append((float(precision), float(recall), float(f1)))
        return figures

    def macro_f1(self) -> float:
        """Mean F1 of the classes that occur."""
        present = self.matrix.sum(axis=1) > 0
        return float(np.mean([f1 for (_, _, f1), there in zip(self.per_class(), present, strict=True) if there]))

    def false_alarms(self) -> tuple[int, int]:
        """Benign rows that were called an attack, and benign rows in all."""
        return int(self.matrix[0, 1:].sum()), int(self.matrix[0].sum())

    def table(self) -> str:
        """The confusion matrix and the figures of each class, as Markdown."""
        short = [name.removeprefix("mqtt_") for name in self.classes]
        lines = [
            "| true \\ reported | " + " | ".join(short) + " | precision | recall | F1 |",
            "|---|" + "---:|" * (len(short) + 3),
        ]
        for name, row, (precision, recall, f1) in zip(self.classes, self.matrix, self.per_class(), strict=True):
            counts = " | ".join(str(count) for count in row)
            lines.append(f"| `{name}` | {counts} | {precision:.4f} | {recall:.4f} | {f1:.4f} |")
        return "\n".join(lines)


def first_alarms(scenarios: list[Scenario], reported: list[np.ndarray]) -> list[tuple[str, str, float | None, float]]:
    """For each episode: scenario, class, seconds from its start to the first right verdict (or None), and its length."""
    outcome = []
    for scenario, names in zip(scenarios, reported, strict=True):
        for episode in scenario.episodes:
            right = (scenario.hosts == episode.source) & (names == episode.label)
            right &= (scenario.times >= episode.start) & (scenario.times <= episode.end + 10.0)
            delay = float(scenario.times[right].min() - episode.start) if right.any() else None
            outcome.append((scenario.name, episode.label, delay, episode.end - episode.start))
    return outcome
