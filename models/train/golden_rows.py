"""What onnxruntime says of 10,000 rows, for the test that tract says the same: `python golden_rows.py MODEL OUTPUT`.

To be run whenever the model changes. The rows are not stored: `tests/model_default.rs` makes the same ones from the same
seed. The probabilities are, as fixed-point numbers of 24 bits, which are exact to 3e-8.

The file, gzip: "picket golden rows 1\n", the SHA-256 of the model, then in little endian the number of rows, columns and
classes, 4 octets each, then for each row and class 3 octets, rows one after another.
"""

import gzip
import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
import onnxruntime

MAGIC = b"picket golden rows 1\n"
ROWS = 10_000
SEED = 0x5049_434B_4554
ONE = (1 << 24) - 1


def splitmix64(seed: int, count: int) -> np.ndarray:
    """The first `count` numbers of the generator of that name (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
        return state ^ (state >> np.uint64(31))


def rows(columns: int) -> np.ndarray:
    """Counts as they occur: half are zero, a quarter below 16, an eighth below 1,000, an eighth below 2 to the power of 0
    to 19."""
    drawn = splitmix64(SEED, ROWS * columns)
    kind, value = drawn & np.uint64(7), drawn >> np.uint64(8)
    power = np.uint64(1) << ((value >> np.uint64(40)) % np.uint64(20))
    choices = [np.zeros_like(value), value % np.uint64(16), value % np.uint64(1000)]
    values = np.select([kind < 4, kind < 6, kind < 7], choices, value % power)
    return values.astype(np.float32).reshape(ROWS, columns)


def main(model: Path, output: Path) -> None:
    """Writes the file."""
    file = model.read_bytes()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    columns = session.get_inputs()[0].shape[1]
    probabilities = session.run(None, {"X": rows(columns)})[0]
    if not (np.isfinite(probabilities).all() and probabilities.min() >= 0.0 and probabilities.max() <= 1.000_001):
        raise ValueError("these are no probabilities")
    fixed = np.rint(np.minimum(probabilities.astype(np.float64), 1.0) * ONE).astype("<u4")
    octets = fixed.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    head = MAGIC + hashlib.sha256(file).digest() + struct.pack("<III", ROWS, columns, probabilities.shape[1])
    output.write_bytes(gzip.compress(head + octets, 9, mtime=0))
    best, count = np.unique(probabilities.argmax(axis=1), return_counts=True)
    classes = ", ".join(f"column {column}: {rows}" for column, rows in zip(best, count, strict=True))
    print(f"{output}: {output.stat().st_size} octets; most probable {classes}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
