"""Rows that did not occur but could have."""

from collections.abc import Callable

import numpy as np

from rows import BENIGN, Rows

# A column that is a property of its values or of a moment, not a rate: a busier host does not have more of it.
NOT_RATES = ("distinct_", "sessions_", "mean_", "max_", "longest_", "share_")
# Devices behind one address talk to the same hosts.
SHARED = ("distinct_hosts", "max_", "longest_")


def augment(rows: Rows, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and labels of `rows` and of what is added to them.

    Every column counts something, so several devices behind one address (NAT, or a compromised device that
    goes on with its work) have the sum of their rows, but for the hosts they talk to, which are the same. A
    busier or calmer host has a multiple of its rates, while the number of its topics, credentials and
    sessions stays. As many rows of each kind as there are rows:

    - benign: 2 to 8 devices of any kinds; 2 to 8 devices of one kind (rows of one host at different times); the
      rates of one row times 1/4 to 4;
    - attacks: an attack row and a benign row; the rates of an attack row times 1/2 to 4;
    - any row of a host that also uses other services over TCP: see `browsing`.
    """
    rng = np.random.default_rng(seed)
    columns, values, labels = rows.columns, rows.values, rows.labels
    rates = np.asarray([not name.startswith(NOT_RATES) for name in columns])
    shared = np.asarray([name.startswith(SHARED) for name in columns])
    benign = np.flatnonzero(labels == BENIGN)
    hostile = np.flatnonzero(labels != BENIGN)

    def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Two devices behind one address."""
        return np.where(shared, np.maximum(one, other), one + other)

    def crowd(first: np.ndarray, draw: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """One to seven more devices behind the address of each of the rows `first`."""
        sums = values[first].copy()
        more = rng.integers(1, 8, size=first.size)
        for place in range(7):
            some = np.flatnonzero(more > place)
            sums[some] = joined(sums[some], values[draw(first[some])])
        return sums

    # The places of each host's benign rows lie together in `by_host`, from `start` on, `count` of them.
    by_host = benign[np.argsort(rows.hosts[benign], kind="stable")]
    _, number, count = np.unique(rows.hosts[by_host], return_inverse=True, return_counts=True)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    host_of = np.zeros(len(labels), dtype=int)
    host_of[by_host] = number

    def same_host(places: np.ndarray) -> np.ndarray:
        host = host_of[places]
        return by_host[start[host] + (rng.random(places.size) * count[host]).astype(int)]

    parts = [
        (values, labels),
        (crowd(benign, lambda places: rng.choice(benign, size=places.size)), labels[benign]),
        (crowd(benign, same_host), labels[benign]),
        (scaled(values[benign], rates, 0.25, 4.0, rng), labels[benign]),
        (joined(values[hostile], values[rng.choice(benign, size=hostile.size)]), labels[hostile]),
        (scaled(values[hostile], rates, 0.5, 4.0, rng), labels[hostile]),
        (browsing(columns, values, rng), labels),
    ]
    return np.concatenate([some for some, _ in parts]), np.concatenate([names for _, names in parts])


def scaled(
    values: np.ndarray, rates: np.ndarray, low: float, high: float, rng: np.random.Generator
) -> np.ndarray:
    """The rates of each row times a factor of its own, log-uniform, rounded to whole counts again."""
    factors = np.exp(rng.uniform(np.log(low), np.log(high), size=(values.shape[0], 1)))
    return np.where(rates, np.round(values * factors), values).astype(np.float32)


def browsing(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows of hosts that also open 1 to 100 other TCP connections a minute, to 1 to 40 hosts, of which up to a
    fifth fail, at up to three ports: web browsing, updates, a service that is gone."""
    rows = values.copy()
    count = len(rows)
    place = {name: index for index, name in enumerate(columns)}
    opened = np.exp(rng.uniform(0.0, np.log(100.0), size=count)).astype(int)
    opened_lately = rng.binomial(opened, rng.uniform(0.0, 1.0, size=count))
    failed = rng.binomial(opened, rng.uniform(0.0, 0.2, size=count))
    failed_lately = rng.binomial(failed, rng.uniform(0.0, 1.0, size=count))
    additions = {
        "syn_60s": opened,
        "syn_10s": opened_lately,
        "syn_failed_60s": failed,
        "syn_failed_10s": failed_lately,
        "distinct_failed_ports_60s": np.minimum(failed, rng.integers(1, 4, size=count)),
        "distinct_hosts_60s": np.minimum(opened, rng.integers(1, 41, size=count)),
    }
    for name, addition in additions.items():
        if name in place:
            rows[:, place[name]] += addition.astype(np.float32)
    return rows


def row_weights(labels: np.ndarray) -> np.ndarray:
    """Every attack class weighs the same in total, benign as much as all of them together."""
    names, counts = np.unique(labels, return_counts=True)
    hostile = len(names) - 1
    share = {name: (hostile if name == BENIGN else 1.0) / count for name, count in zip(names, counts, strict=True)}
    weights = np.asarray([share[label] for label in labels])
    return weights * (len(labels) / weights.sum())
