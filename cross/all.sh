#!/usr/bin/env bash
# Builds every target of tier A, sends each through the gate, and prints a table: `make cross-all`. With TIER=B those of tier B
# too, of which one that fails is told and is no reason to stop.
set -uo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit

first=(aarch64-unknown-linux-gnu x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
    armv7-unknown-linux-gnueabihf)
second=(armv7-unknown-linux-musleabihf arm-unknown-linux-gnueabihf riscv64gc-unknown-linux-gnu)
targets=("${first[@]}")
if [ "${TIER-A}" = B ]; then
    targets+=("${second[@]}")
fi

failed=0 table=()
for target in "${targets[@]}"; do
    if ! cross/build.sh "$target"; then
        size='-' said='does not build'
    else
        size=$(stat -c %s "dist/$target/picket")
        if said=$(cross/gate.sh "$target" 2>&1); then
            said='counts, events and alerts equal'
        else
            said=$(tail -n 1 <<<"$said")
        fi
    fi
    if [ "$said" != 'counts, events and alerts equal' ] && [[ " ${first[*]} " = *" $target "* ]]; then
        failed=1
    fi
    table+=("$(printf '| %-32s | %10s | %s |' "$target" "$size" "$said")")
done
printf '| %-32s | %10s | %s |\n' target octets gate
printf '%s\n' "${table[@]}"
exit "$failed"
