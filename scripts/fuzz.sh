#!/usr/bin/env bash
# Runs one fuzz target, or `all` that need no shell, for so many seconds each: fuzz.sh TARGET SECONDS
set -eu
cd "$(dirname "$0")/../fuzz"

if ! rustup toolchain list 2>/dev/null | grep -q ^nightly || ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "fuzz: needs a nightly toolchain and cargo-fuzz: rustup toolchain install nightly; cargo install cargo-fuzz --locked" >&2
    exit 69
fi

# These build in a minute or two. The others need the shell, which takes ten.
core=(decode fragment stream mqtt_framer_split mqtt_round_trip websocket tls engine)

run() {
    local target=$1 seconds=$2 features=(--features shell)
    if [[ " ${core[*]} " == *" $target "* ]]; then features=(); fi
    # An input that takes seconds, or much memory, is a finding as well.
    local options=("-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512)
    case $target in
        mqtt_framer_split | mqtt_round_trip) options+=(-dict=mqtt.dict) ;;
        engine)
            # libFuzzer takes one dictionary.
            mkdir -p target
            cat mqtt.dict carriers.dict >target/engine.dict
            options+=(-dict=target/engine.dict -max_len=2048)
            ;;
        websocket | tls) options+=(-dict=carriers.dict) ;;
        # Room for models some ten times the shipped one; the other targets find more with small inputs.
        model) options+=(-max_len=65536) ;;
    esac
    cargo +nightly fuzz run "${features[@]}" "$target" -- "${options[@]}"
}

if [ "$1" != all ]; then
    run "$1" "$2"
    exit
fi
for target in "${core[@]}"; do
    log=target/$target.log
    mkdir -p target
    if ! run "$target" "$2" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "fuzz: $target failed" >&2
        exit 1
    fi
    echo "fuzz: $target: $(grep '^Done' "$log")"
done
