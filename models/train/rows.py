"""Reads what `picket extract` and the lab wrote, and puts a class to each row.

A scenario is a folder with `features.csv` (from `picket extract`) and `labels.toml` (from the lab).
"""

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BENIGN = "benign"
# A row of the attacker counts as the attack until this long after its end: the 10 s windows still hold it.
TAIL_SECONDS = 10.0
# Rows after that are dropped until the 60 s windows hold the attack no more.
GREY_SECONDS = 60.0


@dataclass(frozen=True)
class Episode:
    """One attack: who, when, what."""

    label: str
    source: str
    start: float
    end: float


@dataclass(frozen=True)
class Scenario:
    """The labelled rows of one capture."""

    name: str
    schema: str
    schema_hash: str
    columns: tuple[str, ...]
    values: np.ndarray  # float32 [rows, columns]
    labels: np.ndarray  # str [rows]
    hosts: np.ndarray  # str [rows]
    times: np.ndarray  # float64 [rows], seconds since 1970
    episodes: tuple[Episode, ...]


def read_episodes(path: Path) -> tuple[Episode, ...]:
    """The attacks of a `labels.toml`."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    return tuple(
        Episode(str(entry["class"]), str(entry["source"]), float(entry["start"]), float(entry["end"]))
        for entry in table.get("episode", [])
    )


def label_of(time: float, host: str, episodes: tuple[Episode, ...]) -> str | None:
    """The class of the row of `host` at `time`; None when its windows hold part of an attack only."""
    grey = False
    for episode in episodes:
        if host != episode.source:
            continue
        # The second in which it begins holds it in part.
        if episode.start + 1.0 <= time <= episode.end + TAIL_SECONDS:
            return episode.label
        grey = grey or episode.start - 1.0 <= time <= episode.end + GREY_SECONDS
    return None if grey else BENIGN


def read_scenario(folder: Path, root: Path) -> Scenario:
    """Reads and labels the rows of one folder; its name is the path below `root`."""
    episodes = read_episodes(folder / "labels.toml")
    path = folder / "features.csv"
    with path.open(newline="") as file:
        first = file.readline().split()
        fields = dict(part.split("=", 1) for part in first if "=" in part)
        if first[:1] != ["#"] or not {"schema", "hash"} <= fields.keys():
            raise ValueError(f"{path}: the first line is not '# schema=NAME hash=HASH'")
        reader = csv.reader(file)
        header = next(reader, [])
        if header[:2] != ["ts", "host"]:
            raise ValueError(f"{path}: the header does not begin with ts,host")
        times, hosts, labels, values = [], [], [], []
        for number, row in enumerate(reader, start=3):
            if len(row) != len(header):
                raise ValueError(f"{path}:{number}: {len(row)} fields for {len(header)} columns")
            label = label_of(float(row[0]), row[1], episodes)
            if label is None:
                continue
            times.append(float(row[0]))
            hosts.append(row[1])
            labels.append(label)
            values.append([float(value) for value in row[2:]])
    return Scenario(
        name=folder.relative_to(root).as_posix(),
        schema=fields["schema"],
        schema_hash=fields["hash"],
        columns=tuple(header[2:]),
        values=np.asarray(values, dtype=np.float32).reshape(len(values), len(header) - 2),
        labels=np.asarray(labels, dtype=str),
        hosts=np.asarray(hosts, dtype=str),
        times=np.asarray(times, dtype=np.float64),
        episodes=episodes,
    )


def read_corpus(root: Path) -> list[Scenario]:
    """Every scenario below `root`, by path; all must be of one schema."""
    scenarios = [read_scenario(path.parent, root) for path in sorted(root.rglob("features.csv"))]
    if not scenarios:
        raise ValueError(f"{root}: no scenario with a features.csv")
    if len({(s.schema, s.schema_hash, s.columns) for s in scenarios}) != 1:
        raise ValueError(f"{root}: the scenarios were extracted with different schemas; extract them again")
    return scenarios
