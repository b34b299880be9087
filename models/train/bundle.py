"""The files of a model, and a tar of them that is ready to be signed. The same content makes the same octets."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np

from build import Built, run_onnx
from rows import Rows

# What a signed manifest may carry, two of them made up.
MOST_GOLDEN = 32
# Runtimes round sums that fall between two codes differently; one code of the logits moves a probability by less.
GOLDEN_TOLERANCE = 0.04
# The oldest version of Picket that knows all metadata of these files.
MIN_DAEMON = "0.1.0"


def golden_rows(rows: Rows, classes: tuple[str, ...], seed: int) -> np.ndarray:
    """Some rows of each class, a row of zeros and a row of large values."""
    rng = np.random.default_rng(seed)
    width = rows.values.shape[1]
    per_class = (MOST_GOLDEN - 2) // len(classes)
    chosen = [np.zeros((1, width), np.float32), np.full((1, width), 1e6, np.float32)]
    for name in classes:
        places = np.flatnonzero(rows.labels == name)
        if places.size:
            picked = rng.choice(places, size=min(per_class, places.size), replace=False)
            chosen.append(rows.values[picked])
    return np.concatenate(chosen)


def golden(built: Built, rows: Rows, seed: int) -> list[dict[str, list[float]]]:
    """Rows and the probabilities that the reference runtime gives them."""
    values = golden_rows(rows, built.classes, seed)
    answers = run_onnx(built.model, values)
    return [
        {"x": row.tolist(), "probs": [round(float(p), 6) for p in probs]}
        for row, probs in zip(values, answers, strict=True)
    ]


def golden_file(built: Built, rows: list[dict[str, list[float]]]) -> str:
    """The golden vectors as `picket model test` reads them, one on a line."""
    head = json.dumps(
        {
            "model": f"{built.metadata.name}@{built.metadata.version}",
            "schema_hash": built.metadata.schema_hash,
            "tolerance": GOLDEN_TOLERANCE,
        },
        indent=2,
    ).removesuffix("\n}")
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    return f'{head},\n  "rows": [\n{lines}\n  ]\n}}\n'


def manifest(
    built: Built, rows: list[dict[str, list[float]]], figures: dict[str, object], training: dict[str, object]
) -> str:
    """What is in the bundle and where it comes from. `artifact`, `compat` and `self_test` have the names that they
    have in the manifest of a release (`src/update/`), which adds what only its signer can know."""
    metadata = built.metadata
    document = {
        "schema": "picket.bundle/1",
        "name": metadata.name,
        "version": metadata.version,
        "created": metadata.created,
        "artifact": {"sha256": hashlib.sha256(built.model).hexdigest(), "length": len(built.model)},
        "compat": {
            "format": "onnx",
            "schema": metadata.schema,
            "schema_hash": metadata.schema_hash,
            "min_daemon": MIN_DAEMON,
            "classes": list(metadata.classes),
        },
        "kind": metadata.kind,
        "thresholds": metadata.thresholds,
        "vote": metadata.vote,
        "sure": metadata.sure,
        "self_test": {"tolerance": GOLDEN_TOLERANCE, "rows": rows},
        "training": {"method": metadata.training, **training},
        "figures": figures,
    }
    return json.dumps(document, indent=1) + "\n"


def write_bundle(path: Path, files: dict[str, bytes]) -> None:
    """A tar with nothing in it that changes from run to run: no times, no owners, sorted names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
