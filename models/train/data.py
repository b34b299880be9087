"""The rows that all models are trained and judged on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from augment import augment, row_weights
from deeds import shown
from metrics import Scores, verdicts
from progress import say
from rows import BENIGN, Episode, Rows, Scenario, read_corpus, same_schema

# Of an attack with forged source addresses the rows of so many count: they are all alike.
FORGED = 4
# Of the different rows of simulated days so many are trained on: whole days would drown the laboratory's.
STRIDE = 16


@dataclass(frozen=True)
class Data:
    """Everything that `pipeline.py` was given."""

    schema: str
    schema_hash: str
    train: list[Scenario]  # attacks and benign
    test: list[Scenario]
    quiet: list[Scenario]  # benign traffic that is not trained on: no row of it may reach a threshold
    left_out: dict[str, int]  # rows of attackers that do not show their attack, by class

    @property
    def classes(self) -> tuple[str, ...]:
        """What is trained, benign first."""
        found = set().union(*(set(s.labels.tolist()) for s in self.train))
        hostile = sorted(found - {BENIGN})
        if BENIGN not in found or len(hostile) < 2:
            raise ValueError("training needs benign rows and at least two attack classes")
        return (BENIGN, *hostile)

    def created(self) -> str:
        """The time of the last row of training, RFC 3339: the same rows make the same file."""
        newest = max(float(s.times.max()) for s in self.train if s.times.size)
        return datetime.fromtimestamp(int(newest), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_data(train: list[Path], simulated: Path | None, quiet: Path | None, test: Path) -> Data:
    """Reads all folders and leaves out rows of attackers that do not show their attack."""
    scenarios = [scenario for folder in train for scenario in named(folder)]
    if simulated:
        scenarios += named(simulated, STRIDE)
    tests = named(test)
    # Certainty asks for the greatest probability of all rows: equal ones need to be asked once.
    silent = named(quiet, 1) if quiet else []
    same_schema(scenarios + tests + silent)
    if any((s.labels != BENIGN).any() for s in silent):
        raise ValueError(f"{quiet}: benign traffic is meant, but there are attacks")
    left_out: dict[str, int] = {}

    def showing(scenario: Scenario) -> Scenario:
        scenario = scenario.keep(~np.isin(scenario.hosts, forged(scenario)))
        kept = shown(scenario.columns, scenario.values, scenario.labels)
        for name in scenario.labels[~kept].tolist():
            left_out[name] = left_out.get(name, 0) + 1
        return scenario.keep(kept)

    scenarios, tests = [showing(s) for s in scenarios], [showing(s) for s in tests]
    data = Data(scenarios[0].schema, scenarios[0].schema_hash, scenarios, tests, silent, left_out)
    apart(data)
    unknown = sorted({str(n) for s in tests for n in np.unique(s.labels)} - set(data.classes))
    if unknown:
        raise ValueError(f"the test scenarios have classes that training does not: {', '.join(unknown)}")
    say(f"read {sum(len(s.times) for s in scenarios)} rows to train, {sum(len(s.times) for s in tests)} to test")
    return data


def forged(scenario: Scenario) -> list[str]:
    """The sources of attacks from more than `FORGED` addresses, but for so many."""
    attacks: list[list[Episode]] = []
    for episode in scenario.episodes:
        same = next((one for one in attacks if episode.is_part_of(one[0])), None)
        if same is None:
            attacks.append([episode])
        else:
            same.append(episode)
    return [name for one in attacks for name in sorted(part.source for part in one)[FORGED:]]


def named(folder: Path, stride: int | None = None) -> list[Scenario]:
    """The scenarios of a folder."""
    say(f"reading {folder}")
    return read_corpus(folder, stride)


def apart(data: Data) -> None:
    """Training and test must be different captures: no host's row may be in both."""
    moments = [
        {(s.name, float(s.times.min()), float(s.times.max())) for s in part if s.times.size}
        for part in (data.train, data.test + data.quiet)
    ]
    if moments[0] & moments[1]:
        raise ValueError("a capture is both trained on and tested with")


@dataclass(frozen=True)
class Grown:
    """Rows to train on, with what was added to them."""

    values: np.ndarray
    targets: np.ndarray  # class numbers
    weights: np.ndarray


def grow(rows: Rows, classes: tuple[str, ...], seed: int) -> Grown:
    """Adds the rows of `augment.py`."""
    values, labels = augment(rows, seed)
    number = {name: index for index, name in enumerate(classes)}
    targets = np.asarray([number[name] for name in labels.tolist()])
    return Grown(values, targets, row_weights(labels))


def scored(classes: tuple[str, ...], probabilities: np.ndarray, labels: np.ndarray, limits: dict[str, float]) -> Scores:
    """Figures of the verdicts with thresholds."""
    return Scores.of(classes, labels, verdicts(classes, probabilities, limits))


def count(scenarios: list[Scenario]) -> str:
    """How many scenarios, rows and classes, in words."""
    names, counts = np.unique(np.concatenate([s.labels for s in scenarios]), return_counts=True)
    parts = ", ".join(f"{number} `{name}`" for name, number in zip(names, counts, strict=True))
    return f"{len(scenarios)} captures with {counts.sum()} rows ({parts})"
