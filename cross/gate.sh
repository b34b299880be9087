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

refuse() {
    echo "$target: $*" >&2
    exit 65
}

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

# Leaves in $1.* what program $3... says of capture $2: with rules, by the model's own verdicts, which the rules forestall, and its
# counts. Side by side, for an emulator has one processor's work in each.
listen() {
    local out=$1 capture=$2 job jobs=()
    shift 2
    "$@" replay --events --model models/default.onnx "$capture" >"$out.alerts" 2>"$out.alerts.err" & jobs+=($!)
    "$@" replay --no-rules --model models/default.onnx "$capture" >"$out.verdicts" 2>"$out.verdicts.err" & jobs+=($!)
    "$@" inspect --output json "$capture" >"$out.json" 2>"$out.inspect.err" & jobs+=($!)
    for job in "${jobs[@]}"; do
        wait "$job" || refuse "$* fails on $capture: $(tail -qn 1 "$out".*.err)"
    done
    cat "$out.alerts" "$out.verdicts" >"$out.jsonl"
}

version=$("${foreign[@]}" --version) || refuse "--version fails"
[ "$version" = "$("$reference" --version)" ] || refuse "is version $version"
"${foreign[@]}" check -c packaging/config/picket.toml >"$work/check" || refuse "the shipped configuration is refused"

# What this machine's program says is the same for every target, and kept.
kept=target/cross-tools/reference
mkdir -p "$kept"
for capture in "${captures[@]}"; do
    key=$(cat "$reference" models/default.onnx "$capture" | sha256sum | cut -c 1-16)
    if [ ! -e "$kept/$key.json" ]; then
        listen "$work/reference" "$capture" "$reference"
        mv "$work/reference.jsonl" "$kept/$key.jsonl"
        mv "$work/reference.json" "$kept/$key.json"
    fi
    listen "$work/foreign" "$capture" "${foreign[@]}"
    said=$(python3 cross/compare.py "$kept/$key.jsonl" "$work/foreign.jsonl" "$kept/$key.json" "$work/foreign.json") ||
        refuse "$capture: $said"
    echo "$target, $capture: $said"
done
