#!/usr/bin/env bash
# What a running daemon costs: memory, time to start, octets written, processor time: footprint.sh [PROGRAM]
#
# Takes four minutes on loopback, as root, with a broker of its own: a minute without traffic, half a minute of 1,000 messages a second,
# half a minute with an attack of every class (picket-lab). The status socket lies in memory, as /run does on a gateway.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-target/release/picket}")
laboratory=${LABORATORY:-target/release/picket-lab}
port=${PORT:-18930}
if [ ! -x "$laboratory" ]; then
    echo "footprint: there is no $laboratory: cargo build --release -p picket-lab" >&2
    exit 66
fi

work=$(mktemp -d)
memory=$(mktemp -d -p /dev/shm)
children=()
finish() {
    kill "${children[@]}" 2>/dev/null || true
    wait
    rm -rf "$work" "$memory"
}
trap finish EXIT
mkdir "$work/state"
chmod 755 "$work" "$memory"
chown nobody "$work/state" "$memory"
cat >"$work/picket.toml" <<END
[capture]
interfaces = ["lo"]
user = "nobody"
[model]
path = "$PWD/models/default.onnx"
[store]
path = "$work/state"
[status]
socket = "$memory/picket.sock"
[publish]
broker = "mqtt://localhost:$port"
END

mosquitto -p "$port" >"$work/broker.log" 2>&1 &
children+=($!)
sleep 1
begin=$(date +%s%N)
"$program" run -c "$work/picket.toml" 2>"$work/log" &
daemon=$!
children+=("$daemon")
until grep -q watching "$work/log"; do sleep 0.002; done
echo "start until it watches        $((($(date +%s%N) - begin) / 1000000)) ms"

written() { awk '/^write_bytes/ { print $2 }' "/proc/$daemon/io"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$daemon/stat"; }
sleep 5
at_start=$(written)
sleep 60
idle=$(written)
echo "written at start              $at_start octets, in a minute without traffic $((idle - at_start))"

before=$(ticks)
publishers=()
for n in $(seq 20); do
    # 50 messages a second each, paced by the clock and not by what the machine has time for.
    python3 -c '
import time
begin = time.monotonic()
for n in range(1500):
    print(f"temperature 21.{n}", flush=True)
    time.sleep(max(0.0, begin + (n + 1) / 50 - time.monotonic()))
' | mosquitto_pub -p "$port" -i "sensor$n" -t "plant/$n/temperature" -l &
    publishers+=($!)
done
wait "${publishers[@]}"
echo "1,000 messages a second       $((($(ticks) - before) * 1000 / $(getconf CLK_TCK) / 30)) ms of processor time a second"

quiet=$(written)
"$laboratory" scenario quick --out "$work/quick" 2>/dev/null
# Until the incidents have closed.
sleep 70
records=$("$program" status -c "$work/picket.toml" | awk '$1 == "stored" { print $2 }')
echo "written under attack          $(($(written) - quiet)) octets; $records records of alerts are stored in all"

# The rings of the capture are a mapping of the socket, resident from the start and set by capture.buffer-mib.
ring=$(awk '/^[0-9a-f]+-/ { name = $6 } /^Rss:/ && name ~ /^socket:/ { sum += $2 } END { print sum + 0 }' "/proc/$daemon/smaps")
resident=$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status")
echo "resident                      $((resident - ring)) KiB, and $ring KiB of capture buffer"
