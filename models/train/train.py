"""Trains the model that Picket ships, measures it, and writes model, golden vectors and figures.

    python train.py --train DIR --test DIR --out ../default.onnx --golden ../golden/default.json --card ../README.md

DIR holds a folder per scenario with `features.csv` and `labels.toml`. The same input, seed and SOURCE_DATE_EPOCH
give the same octets.
"""

import os

# Before numpy is loaded: sums in one order only.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime

from evaluate import Scores, choose_thresholds, first_alarms, verdicts
from export import Metadata, to_onnx
from network import Network, augment, train
from rows import BENIGN, Scenario, read_corpus

FOLDS = 4
# A row is too novel to judge when more than a quarter of its columns exceed 16 times their maximum in training.
NOVELTY_FACTOR = 16
NOVELTY_SHARE = 4
GOLDEN_PER_CLASS = 6
# Runtimes round sums that fall between two codes differently; one code of the logits moves a probability by less.
GOLDEN_TOLERANCE = 0.04
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True)
class Built:
    """A trained and exported model."""

    network: Network
    thresholds: dict[str, float]
    model: bytes
    held_out: Scores  # on the training scenarios, each by a network that did not see it


def stack(scenarios: list[Scenario]) -> tuple[np.ndarray, np.ndarray]:
    """Values and labels of several scenarios."""
    return np.concatenate([s.values for s in scenarios]), np.concatenate([s.labels for s in scenarios])


def host_names(scenarios: list[Scenario]) -> np.ndarray:
    """A name for each row's host that no host of another scenario has."""
    return np.concatenate([np.char.add(f"{s.name} ", s.hosts) for s in scenarios])


def out_of_fold(scenarios: list[Scenario], classes: tuple[str, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities for every training row by networks that did not see its scenario, and the labels.

    Scenarios are dealt out to the folds by their first attack class, so that each fold misses as little of a class as
    it can. A class that a fold did not learn gets probability 0 there.
    """
    order = sorted(scenarios, key=lambda s: (s.episodes[0].label if s.episodes else BENIGN, s.name))
    found, labels = [], []
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        kept = [s for s in order if s not in held]
        if not held:
            continue
        network = train(scenarios[0].columns, *stack(kept), host_names(kept), seed)
        values, names = stack(held)
        probabilities = np.zeros((len(names), len(classes)))
        probabilities[:, [classes.index(name) for name in network.classes]] = network.probabilities(values)
        found.append(probabilities)
        labels.append(names)
    return np.concatenate(found), np.concatenate(labels)


def novelty(values: np.ndarray) -> str:
    """The bounds beyond which a row is unlike anything seen in training."""
    bounds = np.ceil(np.maximum(values.max(axis=0), 1.0))
    columns = values.shape[1] // NOVELTY_SHARE
    return f"factor={NOVELTY_FACTOR} columns={columns} bounds=" + ",".join(f"{bound:.0f}" for bound in bounds)


def golden_rows(values: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], seed: int) -> np.ndarray:
    """Some rows of each class, a row of zeros and a row of large values."""
    rng = np.random.default_rng(seed)
    chosen = [np.zeros((1, values.shape[1]), np.float32), np.full((1, values.shape[1]), 1e6, np.float32)]
    for name in classes:
        places = np.flatnonzero(labels == name)
        if places.size:
            chosen.append(values[rng.choice(places, size=min(GOLDEN_PER_CLASS, places.size), replace=False)])
    return np.concatenate(chosen)


def run_onnx(model: bytes, values: np.ndarray) -> np.ndarray:
    """Probabilities by the reference runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(["probs"], {"X": values})[0]


def figures(tests: list[Scenario], built: Built) -> str:
    """The tables of the model card, from scenarios that training never saw."""
    network, thresholds, model = built.network, built.thresholds, built.model
    values, labels = stack(tests)
    unknown = sorted(set(labels) - set(network.classes))
    if unknown:
        raise ValueError(f"the test scenarios have classes that training does not: {', '.join(unknown)}")
    classes = network.classes
    in_int8 = run_onnx(model, values)
    in_float = network.probabilities(values)
    lines = []
    for title, probabilities in (("int8 (as shipped)", in_int8), ("float (before quantisation)", in_float)):
        scores = Scores.of(classes, labels, verdicts(classes, probabilities, thresholds))
        alarms, benign = scores.false_alarms()
        lines += [f"**{title}**", "", scores.table(), ""]
        share = alarms / max(benign, 1)
        lines += [f"Macro F1 {scores.macro_f1():.4f}; benign rows called an attack: {alarms} of {benign} ({share:.4%}).", ""]
    alarms, benign = built.held_out.false_alarms()
    lines += [
        "For comparison, the training scenarios, each by a float network that did not see it: macro F1 "
        f"{built.held_out.macro_f1():.4f}, benign rows called an attack {alarms} of {benign} ({alarms / max(benign, 1):.4%}).",
        "",
    ]
    same = (verdicts(classes, in_int8, thresholds) == verdicts(classes, in_float, thresholds)).mean()
    lines += [f"int8 and float give the same verdict for {same:.4%} of the rows.", ""]
    reported = [verdicts(classes, run_onnx(model, s.values), thresholds) for s in tests]
    lines += ["Time from the start of an attack to the first right verdict, model alone:", ""]
    lines += ["| scenario | class | first right verdict | length of the attack |", "|---|---|---:|---:|"]
    for scenario, label, delay, length in first_alarms(tests, reported):
        when = "never" if delay is None else f"{delay:.1f} s"
        lines.append(f"| {scenario} | `{label}` | {when} | {length:.0f} s |")
    limits = ", ".join(f"`{name}` {value}" for name, value in thresholds.items())
    lines += ["", f"Thresholds: {limits}. File: {len(model)} octets."]
    return "\n".join(lines)


def write_card(path: Path, text: str) -> None:
    """Replaces what is between the markers of the model card."""
    card = path.read_text()
    head, rest = card.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")


def created() -> str:
    """Now, or SOURCE_DATE_EPOCH, in RFC 3339."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def build(scenarios: list[Scenario], name: str, version: str, seed: int) -> Built:
    """Trains, chooses thresholds and exports."""
    values, labels = stack(scenarios)
    columns = scenarios[0].columns
    hosts = host_names(scenarios)
    network = train(columns, values, labels, hosts, seed)
    probabilities, truth = out_of_fold(scenarios, network.classes, seed)
    thresholds = choose_thresholds(network.classes, probabilities, truth)
    held_out = Scores.of(network.classes, truth, verdicts(network.classes, probabilities, thresholds))
    grown, _ = augment(columns, values, labels, hosts, seed)
    hidden = "-".join(str(size) for size in (values.shape[1], *(b.size for b in network.biases)))
    metadata = Metadata(
        name=name,
        version=version,
        created=created(),
        training=f"MLP {hidden}, static int8 per tensor, {len(labels)} rows of {len(scenarios)} picket-lab scenarios, seed {seed}",
        schema=scenarios[0].schema,
        schema_hash=scenarios[0].schema_hash,
        thresholds=thresholds,
        novelty=novelty(grown),
    )
    model = to_onnx(network, grown, metadata)
    return Built(network, thresholds, model.SerializeToString(deterministic=True), held_out)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train, measure and export Picket's model.")
    parser.add_argument("--train", type=Path, required=True, help="folder of the training scenarios")
    parser.add_argument("--test", type=Path, required=True, help="folder of the test scenarios")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--golden", type=Path, required=True, help="golden vectors to write")
    parser.add_argument("--card", type=Path, help="model card whose figures to replace")
    parser.add_argument("--name", default="default")
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    scenarios, tests = read_corpus(arguments.train), read_corpus(arguments.test)
    first, other = scenarios[0], tests[0]
    if (first.schema_hash, first.columns) != (other.schema_hash, other.columns):
        raise ValueError("training and test scenarios were extracted with different schemas; extract them again")
    built = build(scenarios, arguments.name, arguments.version, arguments.seed)
    arguments.out.write_bytes(built.model)

    golden = golden_rows(*stack(tests), built.network.classes, arguments.seed)
    document = {
        "model": f"{arguments.name}@{arguments.version}",
        "schema_hash": first.schema_hash,
        "tolerance": GOLDEN_TOLERANCE,
        "rows": [
            {"x": row.tolist(), "probs": [round(float(p), 6) for p in probs]}
            for row, probs in zip(golden, run_onnx(built.model, golden), strict=True)
        ],
    }
    lines = ",\n".join("    " + json.dumps(row) for row in document.pop("rows"))
    head = json.dumps(document, indent=2).removesuffix("\n}")
    arguments.golden.write_text(f'{head},\n  "rows": [\n{lines}\n  ]\n}}\n')

    text = f"Trained on {count(scenarios)}; measured on {count(tests)}.\n\n" + figures(tests, built)
    if arguments.card:
        write_card(arguments.card, text)
    print(text)
    return 0


def count(scenarios: list[Scenario]) -> str:
    """How many scenarios, rows and classes, in words."""
    _, labels = stack(scenarios)
    names, counts = np.unique(labels, return_counts=True)
    parts = ", ".join(f"{number} `{name}`" for name, number in zip(names, counts, strict=True))
    return f"{len(scenarios)} scenarios with {len(labels)} rows ({parts})"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"train.py: {error}")
