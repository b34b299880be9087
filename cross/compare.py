"""Compares what two builds of picket say of one capture: compare.py ALERTS ALERTS INSPECT INSPECT, reference first.

Everything has to be equal, but that a confidence may differ by .001. Prints what was compared, or the first difference."""

import json
import sys

TOLERANCE = 0.001


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def difference(reference, other, place):
    """Where the two differ, or None."""
    if isinstance(reference, dict) and isinstance(other, dict):
        if reference.keys() != other.keys():
            return f"{place}: {sorted(reference.keys() ^ other.keys())} on one side only"
        pairs = [(f"{place}.{key}", value, other[key]) for key, value in reference.items()]
    elif isinstance(reference, list) and isinstance(other, list):
        if len(reference) != len(other):
            return f"{place}: {len(reference)} and {len(other)}"
        pairs = [(f"{place}[{at}]", *pair) for at, pair in enumerate(zip(reference, other))]
    elif place.endswith(".confidence"):
        return None if abs(reference - other) <= TOLERANCE else f"{place}: {reference} and {other}"
    else:
        return None if reference == other else f"{place}: {reference} and {other}"
    return next(filter(None, (difference(one, two, name) for name, one, two in pairs)), None)


def main(arguments):
    alerts = [lines(path) for path in arguments[:2]]
    inspected = [[json.load(open(path, encoding="utf-8"))] for path in arguments[2:]]
    found = difference(alerts[0], alerts[1], "alerts") or difference(inspected[0], inspected[1], "inspect")
    if found:
        print(found)
        return 1
    counts = inspected[0][0]
    reports = sum("detector" in line for line in alerts[0])
    print(
        f"{counts['packets']} packets, {counts['octets']} octets, {reports} alerts and {len(alerts[0]) - reports} events equal"
    )
    return 0


sys.exit(main(sys.argv[1:]))
