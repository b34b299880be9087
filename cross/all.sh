#!/usr/bin/env bash
# Builds every target of tier A, sends each through the gate, and prints a table: `make cross-all`. A target that fails is told, and
# the others follow. With TIER=B those of tier B too, whose failures are no failure of the whole.
#
# TARGETS  these instead, all of which have to pass
# BUILT    1 takes the programs that are in dist/ already
set -uo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit

first=(aarch64-unknown-linux-gnu x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
    armv7-unknown-linux-gnueabihf)
second=(armv7-unknown-linux-musleabihf arm-unknown-linux-gnueabihf riscv64gc-unknown-linux-gnu mipsel-unknown-linux-musl
    mips-unknown-linux-musl)
if [ -n "${TARGETS-}" ]; then
    read -ra first <<<"$TARGETS"
fi
targets=("${first[@]}")
if [ "${TIER-A}" = B ]; then
    targets+=("${second[@]}")
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The counts of all captures together, of the gate's lines.
counts() {
    sed -n 's/.*: \([0-9]*\) packets, \([0-9]*\) octets, \([0-9]*\) alerts and \([0-9]*\) events equal$/\1 \2 \3 \4/p' "$log" |
        awk '{ p += $1; o += $2; a += $3; e += $4 } END { printf "%d | %d | %d | %d | equal", p, o, a, e }'
}

# The last thing that was said.
reason() {
    local said
    said=$(tail -n 1 "$log")
    echo "${said#"$1: "}"
}

failed=0 table=()
for target in "${targets[@]}"; do
    size=- verdict=''
    if [ "${BUILT-}" != 1 ] || [ ! -x "dist/$target/picket" ]; then
        cross/build.sh "$target" 2>&1 | tee "$log" || verdict="not built: $(reason "$target")"
    fi
    if [ -z "$verdict" ]; then
        size=$(stat -c %s "dist/$target/picket")
        cross/gate.sh "$target" 2>&1 | tee "$log" || verdict="refused: $(reason "$target")"
    fi
    if [ -n "$verdict" ]; then
        row="- | - | - | - | $verdict"
        [[ " ${first[*]} " != *" $target "* ]] || failed=1
    else
        row=$(counts)
    fi
    table+=("| $target | $size | $row |")
done
printf '| %s | octets of program | packets | octets of packets | alerts | events | gate |\n' target
printf '|---|---|---|---|---|---|---|\n'
printf '%s\n' "${table[@]}"
exit "$failed"
