"""The demo's table: for each attack the first alert, and whether anybody else was named.

Exits with 1 when an attack was missed, was given another name, or an honest device was accused.
"""

import json
import pathlib
import sys
from datetime import datetime

data = pathlib.Path(sys.argv[1])

alerts = []
for line in (data / "alerts.txt").read_text().splitlines():
    alerts.append(json.loads(line.partition(" ")[2]))

attacks = []
for path in data.glob("attack-*.json"):
    summary = json.loads(path.read_text())
    attacks.extend(summary.get("episodes", [summary]))
attacks.sort(key=lambda attack: attack["start"])

failed = False
print(f"{'attack':20} {'from':12} {'first alert after':>17}  {'reported as':20} {'severity':9} detector")
for attack in attacks:
    own = [alert for alert in alerts if alert["source"]["ip"] == attack["attacker"]]
    right = [alert for alert in own if alert["class"] == attack["class"]]
    if not right:
        failed = True
        names = sorted({alert["class"] for alert in own}) or ["nothing"]
        print(f"{attack['class']:20} {attack['attacker']:12} {'-':>17}  MISSED ({', '.join(names)})")
        continue
    first = right[0]
    after = datetime.fromisoformat(first["first_seen"].replace("Z", "+00:00")).timestamp() - attack["start"]
    worst = max(right, key=lambda alert: ["low", "medium", "high", "critical"].index(alert["severity"]))
    print(
        f"{attack['class']:20} {attack['attacker']:12} {after:15.2f} s  {first['class']:20} "
        f"{worst['severity']:9} {first['detector']}"
    )
    for name in sorted({alert["class"] for alert in own} - {attack["class"]}):
        print(f"{'':20} {'':12} {'':17}  also {name}")

attackers = {attack["attacker"] for attack in attacks}
accused = sorted({alert["source"]["ip"] for alert in alerts} - attackers)
if accused:
    failed = True
    print(f"\nHONEST DEVICES ACCUSED: {', '.join(accused)}")
else:
    print(f"\nNo alert names an honest device ({len(alerts)} alerts in all).")
print(f"Data: {data} (alerts.txt, attack-*.json, picket.log, picket.toml, store/)")
sys.exit(failed)
