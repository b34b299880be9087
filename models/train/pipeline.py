"""Trains, calibrates, quantizes, exports, evaluates and bundles the model that Picket ships.

    python pipeline.py --train DIR [DIR...] --test DIR [--simulated DIR] [--quiet DIR] --out ../default.onnx
        --golden ../golden/default.json --card ../README.md --bundle FILE.tar

A DIR holds a folder per capture with `features.csv` and `labels.toml`. `--simulated` is benign traffic to train on as well,
`--quiet` benign traffic that only judges certainty. The same input and seed give the same octets.
"""

import os

# Before numpy is loaded: sums in one order only.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import hashlib
import sys
from pathlib import Path

from build import build
from bundle import golden, golden_file, manifest, write_bundle
from configuration import read_configuration
from data import Data, read_data
from figures import default_figures, figures_of, marked
from progress import say
from rows import Rows

HERE = Path(__file__).resolve().parent
SEED = 7


def data_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that name the data."""
    parser.add_argument("--train", type=Path, required=True, nargs="+", help="folders of the training captures")
    parser.add_argument("--test", type=Path, required=True, help="folder of the test captures")
    parser.add_argument("--simulated", type=Path, help="folder of simulated benign traffic to train on")
    parser.add_argument("--quiet", type=Path, help="folder of benign traffic that only judges certainty")
    parser.add_argument("--seed", type=int, default=SEED)


def provenance(data: Data) -> dict[str, object]:
    """What the model was trained on."""
    digest = hashlib.sha256()
    for scenario in data.train:
        digest.update(scenario.values.tobytes())
        digest.update("\n".join(scenario.labels.tolist()).encode())
    return {
        "captures": len(data.train),
        "rows": sum(len(s.times) for s in data.train),
        "rows_sha256": digest.hexdigest(),
        "left_out": data.left_out,
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train, measure and export Picket's model.")
    data_arguments(parser)
    parser.add_argument("--config", type=Path, default=HERE / "configs" / "mlp.toml")
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--golden", type=Path, required=True, help="golden vectors to write")
    parser.add_argument("--card", type=Path, help="model card whose figures to replace")
    parser.add_argument("--bundle", type=Path, help="tar to write, ready to be signed")
    arguments = parser.parse_args()

    configuration = read_configuration(arguments.config)
    data = read_data(arguments.train, arguments.simulated, arguments.quiet, arguments.test)
    built = build(configuration, data, arguments.seed)
    arguments.out.write_bytes(built.model)
    golden_rows = golden(built, Rows.of(data.test), arguments.seed)
    golden_text = golden_file(built, golden_rows)
    arguments.golden.write_text(golden_text)
    say("measuring")
    text = default_figures(built, data)
    if arguments.card:
        marked(arguments.card, "figures", text)
    if arguments.bundle:
        described = manifest(built, golden_rows, figures_of(built, data), provenance(data))
        files = {"model.onnx": built.model, "golden.json": golden_text.encode(), "manifest.json": described.encode()}
        write_bundle(arguments.bundle, files)
    print(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"pipeline.py: {error}")
