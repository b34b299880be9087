"""Does the daemon's runtime say what onnxruntime says? 10,000 rows: real ones of the test captures and made up ones.

    python agree.py --test DIR --program ../../target/release/examples/model_outputs MODEL.onnx...

Prints for each model the greatest difference of an output and the share of rows beyond 1e-5. Fails when a difference
is beyond what a model of this kind may have: 1e-5; for int8 one step of the logits in 1 of 1,000 rows, as the runtimes
round sums that fall between two codes differently; for naive Bayes ten times 1e-5 in as many, as its logits are sums of squares in
the hundreds, of which 32 bits keep five digits, in whichever order they are added.
"""

import pipeline  # First: it pins the threads before numpy is loaded.

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from build import run_onnx
from rows import Rows, read_corpus

COUNT = 10_000
EXACT = 1e-5
# One step of the logits of an int8 network moves a probability by less.
STEP = 0.04
ROUNDED = 1e-3
# What 32 bits leave of a probability whose logits are sums of squares.
SQUARED = 10 * EXACT


def allowed(model: onnx.ModelProto) -> tuple[float, float]:
    """The share of rows beyond `EXACT`, and the greatest difference, that a model of this kind may have."""
    if any(node.op_type == "QLinearConv" for node in model.graph.node):
        return ROUNDED, STEP
    if any(node.op_type == "Mul" and node.input[0] == node.input[1] for node in model.graph.node):
        return ROUNDED, SQUARED
    return 0.0, EXACT


def vectors(rows: Rows, seed: int) -> np.ndarray:
    """Half real rows, drawn evenly from the classes; a quarter of mixtures of two; a quarter of any counts."""
    rng = np.random.default_rng(seed)
    names = np.unique(rows.labels)
    places = [rng.choice(np.flatnonzero(rows.labels == name), size=COUNT // 2 // len(names) + 1) for name in names]
    real = rows.values[np.concatenate(places)[: COUNT // 2]]
    pairs = rng.integers(0, len(rows.labels), size=(2, COUNT // 4))
    mixed = np.round(rows.values[pairs[0]] * rng.random((COUNT // 4, 1)) + rows.values[pairs[1]])
    most = rows.values.max(axis=0) * 4.0 + 4.0
    wild = np.floor(np.expm1(rng.random((COUNT - len(real) - len(mixed), real.shape[1])) * np.log1p(most)))
    wild[rng.random(wild.shape) < 0.5] = 0.0
    return np.concatenate([real, mixed, wild]).astype(np.float32)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare the daemon's runtime with onnxruntime.")
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--test", type=Path, required=True, help="folder of the test captures")
    parser.add_argument("--program", type=Path, required=True, help="examples/model_outputs")
    arguments = parser.parse_args()
    values = vectors(Rows.of(read_corpus(arguments.test)), pipeline.SEED)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        np.savetxt(path, values, fmt="%.9g", delimiter=",")
        for model in arguments.models:
            octets = model.read_bytes()
            proto = onnx.load_from_string(octets)
            theirs = run_onnx(octets, values, proto.graph.output[0].name)
            command = [arguments.program, model, path]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            ours = np.loadtxt(answer.splitlines(), delimiter=",", ndmin=2)
            # A score has no bounds: what counts is its relative difference.
            scale = np.maximum(np.abs(theirs), 1.0)
            difference = (np.abs(ours - theirs) / scale).max(axis=1)
            beyond = float((difference > EXACT).mean())
            share, most = allowed(proto)
            bad = beyond > share or difference.max() > most
            failed |= bad
            print(
                f"{model.name}: {len(values)} rows, greatest difference {difference.max():.2e}, "
                f"beyond {EXACT:.0e}: {beyond:.4%}{' FAILED' if bad else ''}"
            )
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"agree.py: {error}")
