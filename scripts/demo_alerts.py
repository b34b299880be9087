"""Prints alerts, as `mosquitto_sub -v` gives them, one line each."""

import json
import sys

for line in sys.stdin:
    topic, _, payload = line.partition(" ")
    try:
        alert = json.loads(payload)
    except json.JSONDecodeError:
        continue
    print(f"   {alert['ts'][11:23]}  {alert['state']:6}  {alert['severity']:8}  {alert['message']}")
