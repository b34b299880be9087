"""Figures of verdicts and of probabilities."""

from dataclasses import dataclass

import numpy as np

from rows import BENIGN, TAIL_SECONDS, Episode, Scenario

# Bins of the calibration error.
BINS = 15


def verdicts(classes: tuple[str, ...], probabilities: np.ndarray, thresholds: dict[str, float]) -> np.ndarray:
    """The most probable attack class that reaches its threshold, else benign: what `OnnxScorer` does."""
    limits = np.asarray([thresholds[name] for name in classes[1:]], dtype=np.float32)
    hostile = np.where(probabilities[:, 1:] >= limits, probabilities[:, 1:], -1.0)
    best = hostile.argmax(axis=1)
    reported = hostile[np.arange(len(hostile)), best] >= 0.0
    return np.where(reported, np.asarray(classes[1:])[best], BENIGN)


def likeliest(classes: tuple[str, ...], probabilities: np.ndarray) -> np.ndarray:
    """The class of the greatest probability."""
    return np.asarray(classes)[probabilities.argmax(axis=1)]


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
        for label, name in zip(labels.tolist(), reported.tolist(), strict=True):
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

    def accuracy(self) -> float:
        """Share of right verdicts."""
        return float(np.trace(self.matrix) / max(self.matrix.sum(), 1))

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


def calibration_error(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Expected calibration error of the likeliest class: the mean distance of confidence and share of right ones."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    error = 0.0
    for bin_number in range(BINS):
        inside = place == bin_number
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)


def brier(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth."""
    truth = np.zeros_like(probabilities)
    truth[np.arange(len(targets)), targets] = 1.0
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def area(scores: np.ndarray, hostile: np.ndarray) -> float:
    """Area under the ROC curve: the chance that an attack's row has the greater score, ties half."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2.0)[place]
    attacks, others = int(hostile.sum()), int((~hostile).sum())
    return float((rank[hostile].sum() - attacks * (attacks + 1) / 2.0) / max(attacks * others, 1))


def decided(named: np.ndarray, certain: np.ndarray, vote: tuple[int, int]) -> np.ndarray:
    """At which of the rows of one host, in the order of time, its class is believed: what `src/detect/vote.rs` does.

    `named` holds the class that each row names, `certain` whether it counts for as many as are needed.
    """
    least, window = vote
    ballot: list[str] = []
    believed = np.zeros(len(named), dtype=bool)
    for place, (name, sure) in enumerate(zip(named.tolist(), certain.tolist(), strict=True)):
        ballot = [name] * (least if sure else 1) + ballot[: window - 1]
        believed[place] = name != BENIGN and ballot[:window].count(name) >= least
    return believed


def episodes_found(
    scenario: Scenario,
    classes: tuple[str, ...],
    probabilities: np.ndarray,
    thresholds: dict[str, float],
    sure: dict[str, float],
    vote: tuple[int, int],
) -> list[tuple[str, str, float | None, float]]:
    """For each attack: class, number, seconds from its start to the first right verdict with its votes (or None), length.

    One that comes from several hosts is found when one of them is.
    """
    names = verdicts(classes, probabilities, thresholds)
    limits = np.asarray([np.inf, *(sure.get(name, np.inf) for name in classes[1:])])
    number = {name: index for index, name in enumerate(classes)}
    columns = np.asarray([number[name] for name in names.tolist()], dtype=int)
    certain = probabilities[np.arange(len(names)), columns] >= limits[columns]
    found: dict[Episode, float | None] = {}
    for episode in scenario.episodes:
        if episode.label not in classes:
            continue
        mine = np.flatnonzero(scenario.hosts == episode.source)
        mine = mine[np.argsort(scenario.times[mine], kind="stable")]
        times = scenario.times[mine]
        won = decided(names[mine], certain[mine], vote) & (names[mine] == episode.label)
        won &= (times >= episode.start) & (times <= episode.end + TAIL_SECONDS)
        delays = [float(times[won].min() - episode.start)] if won.any() else []
        attack = next((known for known in found if episode.is_part_of(known)), episode)
        delays += [delay for delay in [found.get(attack)] if delay is not None]
        found[attack] = min(delays, default=None)
    return [(one.label, one.attack, delay, one.end - one.start) for one, delay in found.items()]
