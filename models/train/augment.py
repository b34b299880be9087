"""Rows that did not occur but could have."""

from collections.abc import Callable

import numpy as np

from rows import BENIGN, Rows

# A column that is a property of its values or of a moment, not a rate: a busier host does not have more of it.
NOT_RATES = ("distinct_", "sessions_", "qos2_open", "violation_kinds")
# Devices behind one address talk to the same hosts.
SHARED = ("distinct_hosts",)
# Nearly all rows of a network are benign; as many as that would drown the attacks.
BENIGN_WEIGHT = 3.0
FLOOD = "mqtt_publish_flood"
# PUBLISH in 10 s of a device that is not one of several behind an address: a camera, a bridge, a log.
BUSY = 100


def augment(rows: Rows, seed: int, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Values and labels of `rows` and of what is added to them.

    Every column counts something, so several devices behind one address (NAT, or a compromised device that
    goes on with its work) have the sum of their rows, but for the hosts they talk to, which are the same. A
    busier or calmer host has a multiple of its rates, while the number of its topics, credentials and
    sessions stays. Of each kind as many rows as `share` of the benign and all of the attacks' rows:

    - benign: 2 to 8 devices of any kinds; 2 to 8 devices of one kind (rows of one host at different times), but no more
      than one that is busy; the rates of one row times 1/4 to 3/2;
    - attacks: an attack row and a benign row; the rates of an attack row times 1/2 to 4;
    - publish floods: benign rows whose messages are multiplied to a thousand a second and more, which is what the class
      means whoever sends them (see `flooding`), as many as a quarter of a `share`;
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

    busy = np.zeros(len(values), dtype=bool)
    if "publish_10s" in columns:
        busy = values[:, columns.index("publish_10s")] > BUSY

    def crowd(first: np.ndarray, draw: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """One to seven more devices behind the address of each of the rows `first`."""
        sums = values[first].copy()
        more = rng.integers(1, 8, size=first.size)
        for place in range(7):
            some = np.flatnonzero(more > place)
            others = draw(first[some])
            some, others = some[~busy[others]], others[~busy[others]]
            sums[some] = joined(sums[some], values[others])
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

    def few(places: np.ndarray) -> np.ndarray:
        """A share of the places."""
        return np.sort(rng.choice(places, size=round(share * places.size), replace=False))

    def grown(make: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """What `make` makes of some benign rows."""
        places = few(benign)
        return make(places), labels[places]

    parts = [
        (values, labels),
        grown(lambda places: crowd(places, lambda others: rng.choice(benign, size=others.size))),
        grown(lambda places: crowd(places, same_host)),
        grown(lambda places: scaled(values[places], rates, 0.25, 1.5, rng)),
        (joined(values[hostile], values[rng.choice(benign, size=hostile.size)]), labels[hostile]),
        (scaled(values[hostile], rates, 0.5, 4.0, rng), labels[hostile]),
        grown(lambda places: browsing(columns, values[places], rng)),
        (browsing(columns, values[hostile], rng), labels[hostile]),
    ]
    if "publish_10s" in columns and (labels == FLOOD).any():
        senders = few(benign[values[benign, columns.index("publish_10s")] > 0])
        floods = flooding(columns, values[senders[::4]], rng)
        parts.append((floods, np.full(len(floods), FLOOD)))
    return np.concatenate([some for some, _ in parts]), np.concatenate([names for _, names in parts])


def scaled(
    values: np.ndarray, rates: np.ndarray, low: float, high: float, rng: np.random.Generator
) -> np.ndarray:
    """The rates of each row times a factor of its own, log-uniform, rounded to whole counts again."""
    factors = np.exp(rng.uniform(np.log(low), np.log(high), size=(values.shape[0], 1)))
    return np.where(rates, np.round(values * factors), values).astype(np.float32)


def flooding(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows with 10,000 to 100,000 messages in ten seconds, in a segment each or up to 300 in one."""
    rows = values.copy()
    place = {name: index for index, name in enumerate(columns)}
    sent = np.exp(rng.uniform(np.log(1e4), np.log(1e5), size=len(rows)))
    factor = np.maximum(sent / rows[:, place["publish_10s"]], 1.0)
    for kind in ("publish", "publish_acked", "publish_retained"):
        recent, minute = f"{kind}_10s", f"{kind}_60s"
        if recent in place and minute in place:
            more = np.round(rows[:, place[recent]] * (factor - 1.0))
            rows[:, place[recent]] += more
            rows[:, place[minute]] += more
    together = np.exp(rng.uniform(0.0, np.log(300.0), size=len(rows))) * (rng.random(len(rows)) < 0.5)
    size = np.exp(rng.uniform(np.log(20.0), np.log(1000.0), size=len(rows)))
    for name, more in (("segments_sent_10s", sent / np.maximum(together, 1.0)), ("bytes_sent_10s", sent * size / 64.0)):
        if name in place:
            rows[:, place[name]] += np.round(more).astype(np.float32)
    return rows


def browsing(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows of hosts that do other things, too: open 1 to 200 TCP connections a minute to 1 to 60 hosts, of which up to a
    third fail, at up to three ports and twelve hosts; HTTP in the clear; names asked, time kept and calls made over UDP; pings;
    segments after the end, or of connections that were there before. Web browsing, updates, a service that is gone. Each row has one to all of these habits."""
    rows = values.copy()
    count = len(rows)
    place = {name: index for index, name in enumerate(columns)}

    def some(share: float, numbers: np.ndarray) -> np.ndarray:
        """The numbers in a share of the rows, else nothing."""
        return np.where(rng.random(count) < share, numbers, 0)

    opened = np.exp(rng.uniform(0.0, np.log(200.0), size=count)).astype(int)
    opened_lately = rng.binomial(opened, rng.uniform(0.0, 1.0, size=count))
    failed = rng.binomial(opened, rng.uniform(0.0, 0.35, size=count))
    failed_lately = rng.binomial(failed, rng.uniform(0.0, 1.0, size=count))
    datagrams = some(0.5, np.exp(rng.uniform(0.0, np.log(60.0), size=count)).astype(int))
    additions = {
        "syn_60s": opened,
        "syn_10s": opened_lately,
        "syn_failed_60s": failed,
        "syn_failed_10s": failed_lately,
        "distinct_failed_ports_60s": np.minimum(failed, rng.integers(1, 4, size=count)),
        "distinct_failed_hosts_60s": np.minimum(failed, rng.integers(1, 13, size=count)),
        "distinct_hosts_60s": np.minimum(opened, rng.integers(1, 61, size=count)),
        "http_requests_10s": some(0.3, opened_lately),
        "udp_sent_10s": datagrams,
        "distinct_probed_ports_60s": np.minimum(datagrams, rng.integers(1, 13, size=count)),
        "unreachable_60s": some(0.2, rng.integers(1, 5, size=count)),
        "other_sent_10s": some(0.2, rng.integers(1, 12, size=count)),
        "stray_sent_10s": some(0.3, np.exp(rng.uniform(0.0, np.log(40.0), size=count)).astype(int)),
    }
    for name, addition in additions.items():
        if name in place:
            rows[:, place[name]] += addition.astype(np.float32)
    return rows


def row_weights(labels: np.ndarray) -> np.ndarray:
    """Every attack class weighs the same in total, benign `BENIGN_WEIGHT` times as much as all of them together."""
    names, counts = np.unique(labels, return_counts=True)
    benign = BENIGN_WEIGHT * (len(names) - 1)
    share = {name: (benign if name == BENIGN else 1.0) / count for name, count in zip(names, counts, strict=True)}
    weights = np.asarray([share[label] for label in labels])
    return weights * (len(labels) / weights.sum())
