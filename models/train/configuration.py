"""One configuration file per model."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from anomaly import DETECTORS
from learners import CLASSIFIERS


@dataclass(frozen=True)
class Configuration:
    """What a file in `configs/` says."""

    algorithm: str
    name: str
    version: str
    vote: tuple[int, int]
    options: dict[str, object]

    @property
    def is_anomaly(self) -> bool:
        """Whether it learns from benign rows only."""
        return self.algorithm in DETECTORS


KEYS = {"algorithm", "name", "version", "vote", "options"}


def read_configuration(path: Path) -> Configuration:
    """Reads and checks a file."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    if table.keys() != KEYS:
        raise ValueError(f"{path}: the keys must be {', '.join(sorted(KEYS))}")
    if table["algorithm"] not in CLASSIFIERS.keys() | DETECTORS.keys():
        raise ValueError(f"{path}: no such algorithm: {table['algorithm']!r}")
    least, _, window = str(table["vote"]).partition("/")
    if not (least.isdigit() and window.isdigit() and 1 <= int(least) <= int(window) <= 16):
        raise ValueError(f"{path}: vote must be K/N with 1 <= K <= N <= 16")
    return Configuration(
        table["algorithm"], table["name"], table["version"], (int(least), int(window)), dict(table["options"])
    )
