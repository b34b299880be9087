"""Trains and tests within MQTTset's own split (X-train, X-test), to be compared with published figures.

    python mqttset.py --picket ../../target/release/picket --corpus DIR [--card ../README.md]

DIR holds `benign-5mb`, `bruteforce`, `flood`, `malariados`, `malformed` and `slowite`, each with `X-train` and `X-test` captures that
divide the flows of one capture. For evaluation only: MQTTset is CC BY-NC-SA 4.0, nothing trained here is kept.

No input is an address, a port, a TTL, a window size, a link type or a point in time. Every algorithm has the same settings for
all inputs, those of the published baselines where there are some (100 trees); nothing is chosen by looking at the test part.
"""

import pipeline  # First: it pins the threads before numpy is loaded.

import argparse
import csv
import io
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from figures import class_f1, marked
from metrics import Scores
from progress import say

CLASSES = ("benign", "bruteforce", "flood", "malariados", "malformed", "slowite")
FOLDERS = {"benign": "benign-5mb"}
SEED = 7
# Of one or two floods in the test part one is a sixth of macro F1: what a forest makes of them is chance, so it is
# trained with this many seeds.
SEEDS = 10
WINDOW_US = 10_000

# Who, where, when: never an input. `proto` is the same everywhere.
ABOUT = {
    *("ts", "host", "client", "server", "end_reason", "proto", "tcp", "ts_us", "start", "end"),
    *("ip_src", "ip_dst", "prt_src", "prt_dst", "src_ip", "dst_ip", "src_port", "dst_port"),
    *("sec_ip_src", "src_ip_dst_prt_delta", "num_src_flows", "label", "class", "class_id", "is_attack"),
}

Table = tuple[list[str], list[list[str]]]


def extract(picket: Path, schema: str, capture: Path) -> Table:
    """Header and rows of `picket extract`."""
    command = [picket, "extract", "--schema", schema, "--output", "csv", capture]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = list(csv.reader(io.StringIO(text)))
    begin = 1 if lines and lines[0] and lines[0][0].startswith("#") else 0
    return lines[begin], lines[begin + 1 :]


def inputs(table: Table) -> np.ndarray:
    """The columns that are no one's name, as numbers; -1 for an empty cell."""
    header, rows = table
    kept = [place for place, name in enumerate(header) if name not in ABOUT]
    numbers = [[float(row[place] or -1.0) for place in kept] for row in rows]
    return np.asarray(numbers, dtype=np.float32).reshape(len(rows), len(kept))


def last_records(table: Table) -> Table:
    """Of the vectors of a connection the last: one for each flow."""
    header, rows = table
    client, server = header.index("client"), header.index("server")
    latest = {(row[client], row[server]): row for row in rows}
    return header, list(latest.values())


def windows(table: Table) -> Table:
    """Windows as `siuru-window` cuts them, of the same packets, with more inputs.

    A window ends with the first packet of its 5-tuple more than 10 ms after its first; the last of a flow is not given out. On
    top of count, sum and mean: spread of lengths and intervals, payload, flags, and what the flow has sent before.
    """
    header, rows = table
    place = {name: index for index, name in enumerate(header)}
    flags = [place[name] for name in ("ACK", "PSH", "RST", "SYN", "FIN")]
    key = [place[name] for name in ("src_ip", "dst_ip", "src_port", "dst_port")]
    open_windows: dict[tuple[str, ...], list[tuple[int, int, int, list[int]]]] = {}
    before: dict[tuple[str, ...], tuple[int, int, int]] = {}
    ended: dict[tuple[str, ...], int] = {}
    found = []
    for row in rows:
        flow = tuple(row[index] for index in key)
        now = int(row[place["ts_us"]])
        data = int(row[place["ip_data_len"]])
        packet = (now, data, data - int(row[place["tcp_header_len"]]), [int(row[index]) for index in flags])
        window = open_windows.setdefault(flow, [])
        if window and now - window[0][0] > WINDOW_US:
            count, payload, first = before.get(flow, (0, 0, window[0][0]))
            found.append(window_row(window, count, payload, window[0][0] - first, window[0][0] - ended.get(flow, window[0][0])))
            before[flow] = (count + len(window), payload + sum(part[2] for part in window), first)
            ended[flow] = window[-1][0]
            open_windows[flow] = window = []
        window.append(packet)
    return [f"w{index}" for index in range(len(found[0]) if found else 0)], found


def window_row(window: list[tuple[int, int, int, list[int]]], count: int, payload: int, age: int, gap: int) -> list[str]:
    """The inputs of a window; `count` packets and `payload` octets came before it, `age` and `gap` in microseconds."""
    sizes = np.asarray([packet[1] for packet in window], dtype=float)
    loads = np.asarray([packet[2] for packet in window], dtype=float)
    intervals = np.diff([packet[0] for packet in window]) if len(window) > 1 else np.zeros(1)
    marks = np.asarray([packet[3] for packet in window]).sum(axis=0)
    values = [len(window), sizes.sum(), sizes.mean(), sizes.std(), sizes.min(), sizes.max()]
    values += [loads.sum(), loads.mean(), loads.max(), (loads == 0).sum(), intervals.mean(), intervals.std()]
    values += [intervals.max(), *marks, count, payload, age, gap]
    return [str(value) for value in values]


@dataclass(frozen=True)
class Level:
    """One kind of row."""

    name: str
    schema: str
    choose: Callable[[Table], Table]


LEVELS = (
    Level("flow: `picket-connection`, last record", "picket-connection", last_records),
    Level("flow: `picket-connection`, every record", "picket-connection", lambda table: table),
    Level("flow: `hindy-uniflow`", "hindy-uniflow", lambda table: table),
    Level("flow: `hindy-biflow`", "hindy-biflow", lambda table: table),
    Level("10 ms window: `siuru-window`", "siuru-window", lambda table: table),
    Level("10 ms window: the same windows, 22 inputs", "siuru-packet", windows),
    Level("source host and second: `picket-host`", "picket-host", lambda table: table),
)


def learners() -> dict[str, object]:
    """The algorithms, the same for all rows."""
    prepare = lambda: make_pipeline(FunctionTransformer(lambda x: np.sign(x) * np.log1p(np.abs(x))), StandardScaler())
    return {
        "decision tree": DecisionTreeClassifier(random_state=SEED),
        "random forest (100)": RandomForestClassifier(100, random_state=SEED, n_jobs=1),
        "gradient boosting": HistGradientBoostingClassifier(
            early_stopping=False, min_samples_leaf=2, l2_regularization=1.0, random_state=SEED
        ),
        "naive Bayes": make_pipeline(prepare(), GaussianNB(var_smoothing=1e-3)),
        "logistic regression": make_pipeline(prepare(), LogisticRegression(C=10.0, max_iter=2000)),
        "MLP (64, 32)": make_pipeline(
            prepare(), MLPClassifier((64, 32), alpha=1e-2, max_iter=300, n_iter_no_change=20, random_state=SEED)
        ),
    }


def part(picket: Path, corpus: Path, level: Level, half: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and class numbers of one half of the split."""
    values, targets = [], []
    for number, name in enumerate(CLASSES):
        folder = FOLDERS.get(name, name)
        captures = sorted((corpus / folder).glob(f"{folder}-{half}.pcap*"))
        if len(captures) != 1:
            raise ValueError(f"{corpus / folder}: no capture {folder}-{half}")
        table = level.choose(extract(picket, level.schema, captures[0]))
        if table[1]:
            values.append(inputs(table))
            targets.append(np.full(len(values[-1]), number))
    return np.concatenate(values), np.concatenate(targets)


def over_seeds(values: np.ndarray, targets: np.ndarray, unseen: np.ndarray, truth: np.ndarray) -> str:
    """Mean, least and greatest macro F1 of forests that differ in their seed only."""
    found = []
    for seed in range(SEEDS):
        forest = RandomForestClassifier(100, random_state=seed, n_jobs=1).fit(values, targets)
        answers = forest.predict(unseen)
        found.append(Scores.of(CLASSES, np.asarray(CLASSES)[truth], np.asarray(CLASSES)[answers]).macro_f1())
    return f"{np.mean(found):.4f} ({min(found):.4f} to {max(found):.4f})"


def measure(picket: Path, corpus: Path, level: Level) -> list[str]:
    """A line of the table for each algorithm."""
    values, targets = part(picket, corpus, level, "train")
    unseen, truth = part(picket, corpus, level, "test")
    counts = " ".join(str(number) for number in np.bincount(truth, minlength=len(CLASSES)))
    lines = []
    for name, model in learners().items():
        start = time.process_time()
        with warnings.catch_warnings():
            # A fixed number of epochs is meant.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(values, targets)
        fitted = time.process_time()
        answers = model.predict(unseen)
        asked = time.process_time()
        scores = Scores.of(CLASSES, np.asarray(CLASSES)[truth], np.asarray(CLASSES)[answers])
        seeds = over_seeds(values, targets, unseen, truth) if isinstance(model, RandomForestClassifier) else ""
        lines.append(
            f"| {level.name} | {name} | {scores.accuracy():.4f} | **{scores.macro_f1():.4f}** | {seeds} | {class_f1(scores)} | {counts} | "
            f"{fitted - start:.2f} | {(asked - fitted) * 1e6 / len(truth):.1f} |"
        )
    return lines


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train and test within MQTTset's own split.")
    parser.add_argument("--picket", type=Path, required=True, help="the program")
    parser.add_argument("--corpus", type=Path, required=True, help="MQTTset, reduced and split")
    parser.add_argument("--card", type=Path, help="model card whose table to replace")
    arguments = parser.parse_args()
    names = ", ".join(CLASSES)
    lines = [f"| rows | algorithm | accuracy | macro F1 | over {SEEDS} seeds | F1: {names} | test rows | training s | test µs/row |"]
    lines.append("|---|---|---:|---:|---|---|---|---:|---:|")
    for level in LEVELS:
        say(level.name)
        lines += measure(arguments.picket, arguments.corpus, level)
    text = "\n".join(lines)
    if arguments.card:
        marked(arguments.card, "mqttset", text)
    print(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"mqttset.py: {error}")
