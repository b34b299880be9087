#!/usr/bin/env bash
# Whether a build for another processor tells the same as one for this machine: gate.sh TARGET [CAPTURE...]
#
# dist/TARGET/picket runs under qemu-user, or straight where the processor is this machine's. It has to print the version and
# accept the shipped configuration, which also sends a packet through libpcap (src/capture/abi.rs); then both read the
# same captures with the shipped model: equal counts of packets, octets and control packets, equal events, and equal
# alerts, of which the confidence may differ by .001. Captures of the laboratory are made where none are given.
#
# REFERENCE  the program of this machine (target/release/picket, built if it is not there)
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
target=${1:?a target}
shift
captures=("$@")
# shellcheck source=cross/target.sh
source cross/target.sh
describe "$target"

foreign=(dist/"$target"/picket)
if [ -n "$qemu" ]; then
    foreign=("$qemu" ${sysroot:+-L "$sysroot"} "${foreign[@]}")
fi
reference=${REFERENCE:-target/release/picket}
if [ ! -x "$reference" ]; then
    cargo build --release --locked --bin picket
fi

if [ "${#captures[@]}" -eq 0 ]; then
    laboratory=target/cross-tools/captures
    if [ ! -e "$laboratory/quick/capture.pcap" ]; then
        cargo build --release --locked -p picket-lab
        # An attack of every class on a real broker, and two hours of an ordinary site.
        target/release/picket-lab scenario quick --out "$laboratory/quick.new"
        mv "$laboratory/quick.new" "$laboratory/quick"
    fi
    if [ ! -e "$laboratory/calm/capture.pcap" ]; then
        target/release/picket-lab simulate --hours 2 --out "$laboratory/calm"
    fi
    captures=("$laboratory"/{quick,calm}/capture.pcap)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
test "$("${foreign[@]}" --version)" = "$("$reference" --version)"
"${foreign[@]}" check -c packaging/config/picket.toml >"$work/check"
for capture in "${captures[@]}"; do
    for side in reference foreign; do
        declare -n program=$side
        "${program[@]}" replay --events --model models/default.onnx "$capture" >"$work/$side.jsonl" 2>"$work/$side.err"
        # The model's own verdicts, which the rules forestall.
        "${program[@]}" replay --no-rules --model models/default.onnx "$capture" >>"$work/$side.jsonl" 2>>"$work/$side.err"
        "${program[@]}" inspect --output json "$capture" >"$work/$side.json"
    done
    printf '%s, %s: ' "$target" "$capture"
    python3 cross/compare.py "$work"/{reference,foreign}.jsonl "$work"/{reference,foreign}.json
done
