"""Trains every configured algorithm on the same rows and compares them on the same test captures.

    python compare.py --train DIR [DIR...] --test DIR [--simulated DIR] [--quiet DIR] --models DIR [--card ../README.md]
        [--latency PROGRAM]

The files go to `--models`. PROGRAM is called with a model and a file of rows, and prints microseconds for each row: alone, in
batches of 16, in batches of 256 (`examples/model_latency.rs`).
"""

import pipeline  # First: it pins the threads before numpy is loaded.

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from build import Built, BuiltDetector, build, build_detector, run_onnx
from configuration import Configuration, read_configuration
from data import Data, read_data
from figures import class_f1, marked
from metrics import Scores, area, calibration_error, likeliest
from progress import say
from rows import BENIGN, Rows

# Rows that the latency is measured with: drawn from the test captures, since one row again and again flatters trees.
TIMED_ROWS = 4096


@dataclass(frozen=True)
class Timing:
    """Microseconds for a row in the daemon's own runtime."""

    alone: float
    by_16: float
    by_256: float


def timing(program: Path | None, model: Path, rows: Path) -> Timing | None:
    """Asks the daemon's runtime."""
    if not program:
        return None
    answer = subprocess.run([program, model, rows], check=True, capture_output=True, text=True).stdout.split()
    return Timing(*(float(number) for number in answer[:3]))


def write_rows(path: Path, rows: Rows, seed: int) -> None:
    """Some rows of all classes, for the latency."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(rows.labels), size=min(TIMED_ROWS, len(rows.labels)), replace=False)
    np.savetxt(path, rows.values[chosen], fmt="%.9g", delimiter=",")


def timed(model: bytes, values: np.ndarray, output: str) -> tuple[np.ndarray, float]:
    """What onnxruntime gives, and how long it takes."""
    start = time.process_time()
    return run_onnx(model, values, output), time.process_time() - start


def cells(found: Timing | None) -> str:
    """Three cells."""
    return f"{found.alone:.1f} | {found.by_16:.2f} | {found.by_256:.2f}" if found else " | | "


def classifier_line(
    configuration: Configuration, built: Built, rows: Rows, found: Timing | None
) -> str:
    """One line of the table of classifiers."""
    number = {name: index for index, name in enumerate(built.classes)}
    targets = np.asarray([number[name] for name in rows.labels.tolist()])
    probabilities, seconds = timed(built.model, rows.values, "probs")
    scores = Scores.of(built.classes, rows.labels, likeliest(built.classes, probabilities))
    own = likeliest(built.classes, built.learner.probabilities(rows.values))
    alarms, benign = scores.false_alarms()
    return (
        f"| {configuration.name} | {built.learner.describe()} | {scores.accuracy():.4f} | {scores.macro_f1():.4f} | "
        f"{class_f1(scores)} | {alarms / max(benign, 1):.4%} | {calibration_error(probabilities, targets):.4f} | "
        f"{(likeliest(built.classes, probabilities) == own).mean():.4%} | {built.fit_seconds:.1f} | {seconds:.2f} | "
        f"{len(built.model) / 1024:.1f} | {cells(found)} |"
    )


def detector_line(configuration: Configuration, built: BuiltDetector, rows: Rows, found: Timing | None) -> str:
    """One line of the table of anomaly models."""
    scores, seconds = timed(built.model, rows.values, "score")
    scores = scores[:, 0]
    hostile = rows.labels != BENIGN
    strange = scores >= built.threshold
    shares = " ".join(
        f"{strange[rows.labels == name].mean():.2f}" for name in sorted(set(rows.labels.tolist()) - {BENIGN})
    )
    return (
        f"| {configuration.name} | {built.detector.describe()} | {area(scores, hostile):.4f} | "
        f"{strange[hostile].mean():.4f} | {shares} | {strange[~hostile].mean():.4%} | {built.fit_seconds:.1f} | "
        f"{seconds:.2f} | {len(built.model) / 1024:.1f} | {cells(found)} |"
    )


def compare(configurations: list[Configuration], data: Data, models: Path, latency: Path | None, seed: int) -> str:
    """The tables."""
    rows = Rows.of(data.test)
    models.mkdir(parents=True, exist_ok=True)
    timed_rows = models / "rows.csv"
    write_rows(timed_rows, rows, seed)
    classes = " ".join(name.removeprefix("mqtt_") for name in data.classes)
    hostile = " ".join(name.removeprefix("mqtt_") for name in data.classes[1:] if (rows.labels == name).any())
    speed = "tract µs/row alone | by 16 | by 256"
    tables = (
        [
            f"| model | shape | accuracy | macro F1 | F1: {classes} | benign rows called an attack | calibration error | "
            f"file names the trainer's class | training s | test s | KiB | {speed} |",
            "|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ],
        [
            f"| model | shape | area under ROC | attack rows called strange | of {hostile} | benign rows called strange | "
            f"training s | test s | KiB | {speed} |",
            "|---|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
        ],
    )
    for configuration in configurations:
        say(configuration.name)
        path = models / f"{configuration.name}.onnx"
        if configuration.is_anomaly:
            detector = build_detector(configuration, data, seed)
            path.write_bytes(detector.model)
            tables[1].append(detector_line(configuration, detector, rows, timing(latency, path, timed_rows)))
        else:
            built = build(configuration, data, seed, folds_used=1)
            path.write_bytes(built.model)
            tables[0].append(classifier_line(configuration, built, rows, timing(latency, path, timed_rows)))
    return "\n\n".join("\n".join(table) for table in tables if len(table) > 2)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare all algorithms on the same rows.")
    pipeline.data_arguments(parser)
    parser.add_argument("--configs", type=Path, nargs="+", default=sorted((pipeline.HERE / "configs").glob("*.toml")))
    parser.add_argument("--models", type=Path, required=True, help="folder for the ONNX files")
    parser.add_argument("--card", type=Path, help="model card whose comparison to replace")
    parser.add_argument("--latency", type=Path, help="program that measures the daemon's runtime")
    arguments = parser.parse_args()
    configurations = [read_configuration(path) for path in arguments.configs]
    data = read_data(arguments.train, arguments.simulated, arguments.quiet, arguments.test)
    text = compare(configurations, data, arguments.models, arguments.latency, arguments.seed)
    if arguments.card:
        marked(arguments.card, "comparison", text)
    print(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"compare.py: {error}")
