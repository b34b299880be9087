"""Attacks by what their class means: benign rows whose hosts also do it, whoever made the tool and at whatever rate.

The laboratory's tools have their habits. A flood of a thousand messages a second, a scan of a hundred ports, or fifty packets that
break the standard are attacks whatever else the host does, so rows with them are made of benign ones.
"""

import numpy as np

Added = dict[str, np.ndarray]


def some(rng: np.random.Generator, share: float, numbers: np.ndarray) -> np.ndarray:
    """The numbers in a share of the rows, else nothing."""
    return np.where(rng.random(len(numbers)) < share, numbers, 0)


def spread(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """Numbers whose logarithms are spread evenly."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size=count))


def added(columns: tuple[str, ...], values: np.ndarray, additions: Added) -> np.ndarray:
    """The rows with these whole numbers more in the columns that there are."""
    rows = values.copy()
    for name, addition in additions.items():
        if name in columns:
            rows[:, columns.index(name)] += np.floor(addition).astype(np.float32)
    return rows


def flooding(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to ten thousand messages a second for two to ten seconds, in a segment each or up to 300 in one; from the session that
    is there, or from up to a hundred that were opened for it; half of them acknowledged."""
    count = len(values)
    sent = spread(rng, 1e3, 1e4, count) * rng.uniform(2.0, 10.0, size=count)
    together = np.maximum(some(rng, 0.5, spread(rng, 1.0, 300.0, count)), 1.0)
    acked = some(rng, 0.5, sent)
    retained = some(rng, 0.1, sent)
    clients = np.floor(some(rng, 0.5, spread(rng, 1.0, 100.0, count)))
    lately = rng.binomial(clients.astype(int), rng.uniform(0.0, 1.0, size=count))
    return added(
        columns,
        values,
        {
            "publish_10s": sent,
            "publish_60s": sent,
            "publish_acked_10s": acked,
            "publish_acked_60s": acked,
            "publish_retained_10s": retained,
            "publish_retained_60s": retained,
            "segments_sent_10s": sent / together,
            "segments_received_10s": acked / together,
            "bytes_sent_10s": sent * spread(rng, 20.0, 1000.0, count) / 64.0,
            "bytes_received_10s": acked * 4.0 / 64.0,
            "syn_60s": clients,
            "syn_10s": lately,
            "connect_60s": clients,
            "connect_10s": lately,
            "connect_accepted_60s": clients,
            "connect_accepted_10s": lately,
            "session_used_60s": clients,
            "session_used_10s": lately,
            "distinct_client_ids_60s": np.where(rng.random(count) < 0.8, clients, np.minimum(clients, 1)),
            "sessions_open": clients,
        },
    )


def tcp_scanning(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Twenty to twenty thousand ports of one to three hosts, by connections that fail but for a few; a quarter by segments that
    belong to no connection instead (FIN, NULL, Xmas, ACK)."""
    count = len(values)
    ports = spread(rng, 20.0, 20_000.0, count)
    lately = ports * rng.uniform(0.0, 1.0, size=count)
    tries = rng.integers(1, 4, size=count)
    by_connection = rng.random(count) < 0.75
    failed = np.where(by_connection, rng.uniform(0.9, 1.0, size=count), 0.0)
    stray = np.where(by_connection, 0.0, 1.0)
    return added(
        columns,
        values,
        {
            "syn_60s": by_connection * ports * tries,
            "syn_10s": by_connection * lately * tries,
            "syn_failed_60s": failed * ports,
            "syn_failed_10s": failed * lately,
            "distinct_failed_ports_60s": failed * ports,
            "distinct_failed_hosts_60s": by_connection * rng.integers(1, 4, size=count),
            "distinct_hosts_60s": by_connection * rng.integers(0, 4, size=count),
            "stray_sent_10s": stray * lately * tries,
            "distinct_probed_ports_60s": stray * ports,
        },
    )


def udp_scanning(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Twenty to twenty thousand ports by UDP, each asked up to three times; no answer, one unreachable a second as most systems
    send them, or one for each."""
    count = len(values)
    ports = spread(rng, 20.0, 20_000.0, count)
    lately = np.maximum(ports * rng.uniform(0.0, 1.0, size=count), 1.0)
    answered = rng.integers(0, 3, size=count)
    return added(
        columns,
        values,
        {
            "udp_sent_10s": lately * rng.integers(1, 4, size=count),
            "distinct_probed_ports_60s": ports,
            "unreachable_60s": np.choose(answered, [np.zeros(count), np.minimum(ports, 60.0), ports]),
        },
    )


def malforming(columns: tuple[str, ...], values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Five to five hundred control packets that break the standard, of one to five families, or names that no honest client uses."""
    count = len(values)
    wrong = np.where(rng.random(count) < 0.8, spread(rng, 5.0, 500.0, count), 0.0)
    odd = np.where(wrong == 0.0, spread(rng, 10.0, 500.0, count), some(rng, 0.3, spread(rng, 1.0, 100.0, count)))
    families = ("format", "order", "identifier", "text", "property")
    parts = rng.random((count, len(families))) * (rng.random((count, len(families))) < 0.5)
    parts[np.arange(count), rng.integers(0, len(families), size=count)] += 0.1
    parts *= (wrong / parts.sum(axis=1))[:, None]
    kinds = np.minimum(np.maximum((parts > 1.0).sum(axis=1), 1) + rng.integers(0, 6, size=count), wrong)
    return added(
        columns,
        values,
        {
            "violation_60s": wrong,
            "violation_10s": wrong * rng.uniform(0.0, 1.0, size=count),
            "oddity_60s": odd,
            "violation_kinds": kinds,
            **{f"violation_{family}_60s": parts[:, place] for place, family in enumerate(families)},
        },
    )


BY_DEFINITION = {
    "mqtt_publish_flood": ("publish_10s", flooding),
    "tcp_scan": ("distinct_failed_ports_60s", tcp_scanning),
    "udp_scan": ("distinct_probed_ports_60s", udp_scanning),
    "mqtt_malformed": ("violation_60s", malforming),
}
"""How rows of a class are made, and a column without which they cannot be."""
