"""Made-up counts for the tests."""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from pathlib import Path

import numpy as np

from rows import BENIGN

COLUMNS = ["connections", "refused", "published", "sessions", "ports", "bytes"]
# Mean counts of each kind of host.
KINDS = {
    BENIGN: [1, 0, 10, 1, 0, 20],
    "mqtt_publish_flood": [2, 0, 8000, 2, 0, 9000],
    "tcp_scan": [500, 500, 0, 0, 300, 0],
}
CLASSES = tuple(KINDS)


def table(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` rows of each kind, and their class numbers."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.poisson(means, size=(count, len(COLUMNS))) for means in KINDS.values()])
    return values.astype(np.float32), np.repeat(np.arange(len(KINDS)), count)


def write_scenario(
    root: Path, name: str, label: str, seed: int, schema_hash: str = "00112233aabbccdd", begin: int = 1000
) -> None:
    """A minute of benign work of three hosts, then the attack of a fourth."""
    rng = np.random.default_rng(seed)
    folder = root / name
    folder.mkdir(parents=True)
    lines = [f"# schema=picket-test/1 hash={schema_hash}", "ts,host," + ",".join(COLUMNS)]
    for second in range(begin, begin + 60):
        hosts = [("10.0.0.1", BENIGN), ("10.0.0.2", BENIGN), ("10.0.0.3", BENIGN)]
        if label != BENIGN and second > begin + 30:
            hosts.append(("10.0.0.66", label))
        for host, kind in hosts:
            counts = ",".join(str(count) for count in rng.poisson(KINDS[kind]))
            lines.append(f"{second},{host},{counts}")
    (folder / "features.csv").write_text("\n".join(lines) + "\n")
    labels = ""
    if label != BENIGN:
        labels = f'[[episode]]\nclass = "{label}"\nattack = "X1"\nsource = "10.0.0.66"\n'
        labels += f"start = {begin + 30.5}\nend = {begin + 60}.0\n"
    (folder / "labels.toml").write_text(labels)


def write_corpus(root: Path, seed: int, begin: int) -> None:
    """Two scenarios of each kind."""
    for index, label in enumerate([*KINDS, *KINDS]):
        write_scenario(root, f"{index}-{label}", label, seed + index, begin=begin + 100 * index)
