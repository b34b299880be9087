"""Reads what `picket extract` and the lab wrote, and puts a class to each row.

A scenario is a folder with `features.csv` (from `picket extract`) and `labels.toml` (from the lab).
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

BENIGN = "benign"
# A row of the attacker counts as the attack until this long after its end: the 10 s windows still hold it.
TAIL_SECONDS = 10.0
# Attacks of one kind that begin so close to each other are one.
TOGETHER_SECONDS = 2.0
# Rows after that are dropped until the 60 s windows hold the attack no more.
GREY_SECONDS = 60.0
# Captures with at least this many rows and no attack are dealt to the folds host by host.
LONG_CAPTURE = 20_000


@dataclass(frozen=True)
class Episode:
    """One attack: who, when, what."""

    label: str
    source: str
    start: float
    end: float
    attack: str = ""

    def is_part_of(self, other: "Episode") -> bool:
        """Whether both are what several hosts do at the same time."""
        return (self.label, self.attack) == (other.label, other.attack) and abs(self.start - other.start) < TOGETHER_SECONDS


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

    def keep(self, chosen: np.ndarray) -> "Scenario":
        """The scenario with some of its rows only."""
        return replace(
            self,
            values=self.values[chosen],
            labels=self.labels[chosen],
            hosts=self.hosts[chosen],
            times=self.times[chosen],
        )


def read_episodes(path: Path) -> tuple[Episode, ...]:
    """The attacks of a `labels.toml`; one with several sources counts once for each."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    episodes = []
    for entry in table.get("episode", []):
        sources = entry.get("sources") or [entry["source"]]
        for source in sources:
            episodes.append(
                Episode(
                    str(entry["class"]),
                    str(source),
                    float(entry["start"]),
                    float(entry["end"]),
                    str(entry.get("attack", "")),
                )
            )
    return tuple(episodes)


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


def distinct(lines: Iterable[str], stride: int) -> Iterator[str]:
    """Every `stride`-th of the lines that differ in more than time and host from all before."""
    seen: set[str] = set()
    for line in lines:
        values = line.split(",", 2)[2]
        if values not in seen:
            seen.add(values)
            if len(seen) % stride == 0:
                yield line


def read_table(
    path: Path, stride: int | None = None
) -> tuple[str, str, tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Schema, hash, columns, times, hosts and values of a `features.csv`; with `stride` only some of the different rows."""
    with path.open() as file:
        first = file.readline().split()
        fields = dict(part.split("=", 1) for part in first if "=" in part)
        if first[:1] != ["#"] or not {"schema", "hash"} <= fields.keys():
            raise ValueError(f"{path}: the first line is not '# schema=NAME hash=HASH'")
        header = file.readline().strip().split(",")
        if header[:2] != ["ts", "host"]:
            raise ValueError(f"{path}: the header does not begin with ts,host")
        kind = np.dtype([("time", "f8"), ("host", "U45"), ("values", "f4", (len(header) - 2,))])
        lines = list(file if stride is None else distinct(file, stride))
        try:
            table = np.loadtxt(lines, dtype=kind, delimiter=",", comments=None, ndmin=1) if lines else np.empty(0, kind)
        except ValueError as error:
            raise ValueError(f"{path}: {error} (rows are counted from line 3 of the file)") from error
    return fields["schema"], fields["hash"], tuple(header[2:]), table["time"], table["host"], table["values"]


def read_scenario(folder: Path, root: Path, stride: int | None = None) -> Scenario:
    """Reads and labels the rows of one folder; its name is the path below `root`. See `read_table` for `stride`."""
    episodes = read_episodes(folder / "labels.toml")
    schema, schema_hash, columns, times, hosts, values = read_table(folder / "features.csv", stride)
    labels = np.full(len(times), BENIGN, dtype="U32")
    known = np.ones(len(times), dtype=bool)
    for source in {episode.source for episode in episodes}:
        for place in np.flatnonzero(hosts == source):
            label = label_of(float(times[place]), source, episodes)
            known[place] = label is not None
            labels[place] = label or BENIGN
    scenario = Scenario(
        folder.relative_to(root).as_posix(), schema, schema_hash, columns, values, labels, hosts, times, episodes
    )
    return scenario.keep(known)


def read_corpus(root: Path, stride: int | None = None) -> list[Scenario]:
    """Every scenario below `root`, by path; all must be of one schema. See `read_table` for `stride`."""
    scenarios = [read_scenario(path.parent, root, stride) for path in sorted(root.rglob("features.csv"))]
    if not scenarios:
        raise ValueError(f"{root}: no scenario with a features.csv")
    same_schema(scenarios)
    return scenarios


def same_schema(scenarios: list[Scenario]) -> None:
    """Refuses scenarios of several schemas."""
    if len({(s.schema, s.schema_hash, s.columns) for s in scenarios}) != 1:
        raise ValueError("the scenarios were extracted with different schemas; extract them again")


@dataclass(frozen=True)
class Rows:
    """The rows of several scenarios in one."""

    columns: tuple[str, ...]
    values: np.ndarray  # float32 [rows, columns]
    labels: np.ndarray  # str [rows]
    hosts: np.ndarray  # str [rows], scenario and host: no two scenarios share one
    groups: np.ndarray  # str [rows], what a fold must not divide: a scenario, or a host of a long capture

    def take(self, chosen: np.ndarray) -> "Rows":
        """Some of the rows."""
        return Rows(self.columns, self.values[chosen], self.labels[chosen], self.hosts[chosen], self.groups[chosen])

    @staticmethod
    def of(scenarios: list[Scenario]) -> "Rows":
        """Puts scenarios together."""
        hosts = [np.char.add(f"{s.name} ", s.hosts) for s in scenarios]
        groups = []
        for scenario, names in zip(scenarios, hosts, strict=True):
            long = len(names) >= LONG_CAPTURE and not scenario.episodes
            groups.append(names if long else np.full(len(names), scenario.name))
        return Rows(
            scenarios[0].columns,
            np.concatenate([s.values for s in scenarios]),
            np.concatenate([s.labels for s in scenarios]),
            np.concatenate(hosts),
            np.concatenate(groups),
        )


def folds(rows: Rows, count: int) -> np.ndarray:
    """The fold of each row, 0 to `count - 1`: never two for one group.

    Groups are dealt out by their rarest attack class, so that each fold misses as little of a class as it can.
    """
    names, numbers = np.unique(rows.groups, return_inverse=True)
    classes, totals = np.unique(rows.labels, return_counts=True)
    rarity = dict(zip(classes.tolist(), totals.tolist(), strict=True))
    pairs = sorted(set(zip(numbers.tolist(), rows.labels.tolist(), strict=True)))
    rarest: dict[int, str] = {}
    for number, label in pairs:
        held = rarest.get(number, BENIGN)
        if label != BENIGN and (held == BENIGN or rarity[label] < rarity[held]):
            rarest[number] = label
    order = sorted(range(len(names)), key=lambda number: (rarest.get(number, BENIGN), str(names[number])))
    fold = np.empty(len(names), dtype=int)
    fold[order] = np.arange(len(names)) % count
    return fold[numbers]
