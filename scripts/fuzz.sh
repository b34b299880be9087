#!/usr/bin/env bash
# Runs one fuzz target for so many seconds: fuzz.sh TARGET SECONDS
set -eu
cd "$(dirname "$0")/../fuzz"

if ! cargo +nightly --version >/dev/null 2>&1 || ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "fuzz: needs a nightly toolchain and cargo-fuzz: rustup toolchain install nightly; cargo install cargo-fuzz --locked" >&2
    exit 69
fi
options=("-max_total_time=$2")
case $1 in
    mqtt_framer_split | engine) options+=("-dict=mqtt.dict") ;;
    websocket | tls) options+=("-dict=carriers.dict") ;;
esac
# Room for models some ten times the shipped one; the other targets find more with small inputs.
if [ "$1" = model ]; then options+=("-max_len=65536"); fi
exec cargo +nightly fuzz run "$1" -- "${options[@]}"
