"""The deed behind the word: what a row must show before it can be called an attack.

The daemon reports a class only of a host that did at least a little of it (`src/detect/plausible.rs`). Rows of an attacker
that show less, such as the first second of a scan or one of a thousand forged addresses, teach nothing: they are left out.
"""

from dataclasses import dataclass

import numpy as np

VIOLATIONS = tuple(f"violation_{family}_60s" for family in ("format", "order", "identifier", "text", "property"))


@dataclass(frozen=True)
class Deed:
    """At least one of the sums of columns must reach its number."""

    sums: tuple[tuple[tuple[str, ...], int], ...]

    def shown(self, columns: tuple[str, ...], values: np.ndarray) -> np.ndarray:
        """The rows that show it; all of them if the schema has none of the columns."""
        place = {name: index for index, name in enumerate(columns)}
        shown = np.zeros(len(values), dtype=bool)
        known = False
        for names, least in self.sums:
            places = [place[name] for name in names if name in place]
            if places:
                known = True
                shown |= values[:, places].sum(axis=1) >= least
        return shown if known else np.ones(len(values), dtype=bool)


def any_of(least: int, *names: str) -> Deed:
    """One column alone must reach the number."""
    return Deed(tuple(((name,), least) for name in names))


def together(least: int, *names: str) -> Deed:
    """The columns together must reach the number."""
    return Deed(((names, least),))


DEEDS = {
    "mqtt_bruteforce": any_of(3, "connect_refused_60s", "encrypted_refused_60s"),
    "mqtt_connect_flood": any_of(5, "connect_60s"),
    "mqtt_publish_flood": Deed(((("publish_10s",), 50), (("large_packets_60s",), 1))),
    "mqtt_slow_dos": any_of(
        3,
        "sessions_unused",
        "sessions_idle",
        "connect_long_keepalive_60s",
        "connect_persistent_60s",
        "stalled_60s",
        "qos2_open",
    ),
    "mqtt_malformed": Deed(
        ((("violation_60s", "oddity_60s", "property_bytes_60s"), 2), ((*VIOLATIONS, "oddity_60s"), 2))
    ),
    "mqtt_recon": Deed(
        (
            (("filters_wildcard_60s", "subscribe_all_60s", "filters_shared_60s"), 1),
            (("filters_refused_60s", "publish_refused_60s"), 1),
            # Those asked for, not those that are still remembered.
            (("filters_60s",), 3),
        )
    ),
    "mqtt_tampering": together(
        1,
        "takeover_60s",
        "publish_foreign_60s",
        "publish_commanding_60s",
        "connect_will_60s",
        "publish_retained_60s",
    ),
    "tcp_scan": any_of(3, "distinct_failed_ports_60s", "distinct_probed_ports_60s"),
    "udp_scan": any_of(3, "distinct_probed_ports_60s"),
    "host_scan": Deed(
        (
            (("distinct_hosts_60s",), 3),
            (("distinct_failed_hosts_60s",), 3),
            (("other_sent_10s", "udp_sent_10s"), 3),
        )
    ),
    "ssh_bruteforce": any_of(3, "ssh_opened_60s"),
    "telnet_bruteforce": any_of(3, "telnet_opened_60s"),
    "syn_flood": any_of(50, "syn_10s"),
    "udp_flood": together(50, "udp_sent_10s", "other_sent_10s"),
    "ack_flood": any_of(50, "stray_sent_10s"),
    "http_flood": any_of(50, "http_requests_10s"),
    "arp_spoof": together(1, "arp_claims_60s", "arp_unasked_60s"),
}


def shown(columns: tuple[str, ...], values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The rows that show what they are labelled with; benign rows always do."""
    kept = np.ones(len(labels), dtype=bool)
    for name, deed in DEEDS.items():
        mine = labels == name
        if mine.any():
            kept[mine] = deed.shown(columns, values[mine])
    return kept
