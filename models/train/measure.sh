#!/bin/sh
# The figures of the model card that are not of training: models/train/measure.sh [CORPUS]. Needs the traffic of `make model`.
# CORPUS is a folder with captures of others (`mqttset-reduced`, ...); without it only our own traffic is measured.
#
#   1. the test captures of the laboratory, rules and model, and each alone
#   2. a simulated benign day that neither training nor calibration saw: false alerts a day
#   3. MQTTset, reduced: the model alone, which never saw any of it
#   4. benign captures of others: alerts of medium or more by rules and model
#   5. what the model costs in memory
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
data=${PICKET_LAB_DATA:-$root/lab-data}
corpus=${1-}
picket=${CARGO_TARGET_DIR:-$root/target}/release/picket
model=$root/models/default.onnx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "== 1. test captures"
"$picket" evaluate --model "$model" "$data/corpus/test"
echo "== 2. simulated day"
"$picket" evaluate --model "$model" "$data/simulated/test"
if [ -n "$corpus" ]; then
    echo "== 3. MQTTset, the model alone"
    cat >"$work/labels.toml" <<'L'
[[rule]]
label = "mqtt_bruteforce"
file = "bruteforce.pcapng"
source = "192.168.1.90"
[[rule]]
label = "mqtt_publish_flood"
attack = "flood"
file = "flood.pcap"
source = "192.168.1.100"
[[rule]]
label = "mqtt_publish_flood"
attack = "malariados"
file = "malariados.pcap"
source = "192.168.1.90"
[[rule]]
label = "mqtt_malformed"
file = "malformed.pcap"
source = "192.168.1.90"
[[rule]]
label = "mqtt_slow_dos"
attack = "slowite"
file = "slowite.pcap"
source = "10.16.120.44"
L
    "$picket" evaluate --no-rules --model "$model" --labels "$work/labels.toml" \
        "$corpus/mqttset-reduced/"*.pcap "$corpus/mqttset-reduced/"*.pcapng "$corpus/mqttset-reduced/benign-5mb"
    echo "== 4. benign captures of others: alerts of medium or more"
    find "$corpus/mqttset-reduced/benign.pcap" "$corpus/mqttset-reduced/benign-5mb" "$corpus/rishi-mqtt" \
        "$corpus/stander-by" "$corpus/ics-pcaps" "$corpus/pradeesi" -name '*.pcap*' | sort | while read -r capture; do
        alerts=$("$picket" replay --model "$model" "$capture" 2>/dev/null |
            grep -Ec '"severity":"(medium|high|critical)"' || true)
        echo "$alerts ${capture#"$corpus"/}"
    done
fi
echo "== 5. memory, KiB at most: without and with the model"
capture=$(find "$data/corpus/test" -name capture.pcap | sort | head -n 1)
for option in --no-model "--model $model"; do
    # shellcheck disable=SC2086 # an option and its value
    python3 - "$picket" replay $option "$capture" <<'P'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
P
done
