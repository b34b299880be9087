#!/usr/bin/env bash
# The demo: a real mosquitto on a private port of loopback, `picket run` on lo, honest devices, then attacks.
# Shows the alerts as they arrive on the management topic, then a table. Cleans up after itself.
set -eu
cd "$(dirname "$0")/.."

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "demo: capturing needs root: run make demo as root" >&2; exit 77; }
    as_root=(sudo)
fi

echo "== building (the first time takes some minutes)"
cargo build --release --workspace --locked
picket=$PWD/target/release/picket
lab=$PWD/target/release/picket-lab

data=$PWD/demo-data
"${as_root[@]}" rm -rf "$data"
mkdir -p "$data"
# What belongs to the daemon lies where an unprivileged user can reach it, whatever the mode of this folder's parents.
state=$(mktemp -d /tmp/picket-demo.XXXXXX)
chmod 755 "$state"

pids=()
# shellcheck disable=SC2317 # reached through the trap
clean_up() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    [ -z "${daemon-}" ] || "${as_root[@]}" pkill -TERM -P "$daemon" 2>/dev/null || true
    [ -z "${daemon-}" ] || "${as_root[@]}" kill "$daemon" 2>/dev/null || true
    wait 2>/dev/null || true
    "${as_root[@]}" cp -r "$state/store" "$data/store" 2>/dev/null || true
    "${as_root[@]}" rm -rf "$state"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Users of the broker: the devices, and Picket itself. The passwords are as private as this demo.
printf 'device:demo-device\npicket:demo-picket\n' >"$data/users"
printf 'demo-device\n' >"$data/device-password"
printf 'demo-picket\n' >"$state/picket-password"
chmod 600 "$data/users" "$data/device-password" "$state/picket-password"

"$lab" broker --users "$data/users" >"$data/broker-address" 2>"$data/broker.log" &
pids+=($!)
for _ in $(seq 100); do
    [ -s "$data/broker-address" ] && break
    sleep 0.1
done
broker=$(head -n 1 "$data/broker-address")
[ -n "$broker" ] || { echo "demo: no broker; see $data/broker.log" >&2; exit 69; }
host=${broker%:*} port=${broker##*:}
echo "== mosquitto on $broker"

cat >"$state/picket.toml" <<TOML
[sensor]
name = "demo"
[capture]
interfaces = ["lo"]
# Only the demo: whatever else runs on this machine also talks over loopback.
filter = "tcp port $port or net 127.0.66.0/24"
user = "nobody"
buffer-mib = 8
[mqtt]
ports = [$port]
[model]
path = "$PWD/models/default.onnx"
[store]
path = "$state/store"
[publish]
broker = "mqtt://$broker"
user = "picket"
password-file = "$state/picket-password"
[status]
socket = "$state/run/picket.sock"
TOML
cp "$state/picket.toml" "$data/picket.toml"

"${as_root[@]}" "$picket" run -c "$state/picket.toml" 2>"$data/picket.log" &
daemon=$!
if ! mosquitto_sub -h "$host" -p "$port" -u picket -P demo-picket -t picket/v1/demo/status -C 1 -W 15 >"$data/status.json"; then
    echo "demo: picket did not come up; its log:" >&2
    tail -n 5 "$data/picket.log" >&2
    exit 69
fi
echo "== picket run -i lo: $(cat "$data/status.json")"

mosquitto_sub -h "$host" -p "$port" -u picket -P demo-picket -v -t 'picket/v1/demo/alert/#' >"$data/alerts.txt" &
subscriber=$!
pids+=("$subscriber")
tail -n +1 -f --pid="$subscriber" "$data/alerts.txt" 2>/dev/null | python3 -u scripts/demo_alerts.py &

echo "== twelve honest devices"
"$lab" benign --broker "$broker" --secs 75 --devices 12 --from 127.0.70.1 --username device \
    --password-file "$data/device-password" --summary "$data/benign.json" 2>"$data/benign.log" &
benign=$!
pids+=("$benign")
sleep 8

attack() {
    local class=$1 from=$2
    shift 2
    echo "== attack: $class from $from"
    "$lab" attack "$class" --broker "$broker" --from "$from" --summary "$data/attack-$class.json" "$@" \
        2>>"$data/attacks.log"
    sleep 1
}
attack mqtt_bruteforce 127.0.66.1 --secs 5
attack mqtt_connect_flood 127.0.66.2 --secs 5 --username device --password-file "$data/device-password"
attack mqtt_publish_flood 127.0.66.3 --secs 5 --username device --password-file "$data/device-password"
attack mqtt_slow_dos 127.0.66.4 --secs 6 --username device --password-file "$data/device-password"
attack tcp_scan 127.0.66.5 --secs 5
attack mqtt_malformed 127.0.66.6 --secs 6 --username device --password-file "$data/device-password"
sleep 3

kill "$benign" 2>/dev/null || true
wait "$benign" 2>/dev/null || true
echo
python3 scripts/demo_summary.py "$data"
