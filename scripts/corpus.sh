#!/usr/bin/env bash
# Makes the labelled traffic of the laboratory: lab-data/corpus/train and, from other scenarios, test. Needs root,
# for network namespaces. With --quick a few scenarios of each. SEED chooses all that is random (1).
set -eu

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
seed=${SEED:-1}
out=$root/lab-data/corpus
limits=('' '')
if [ "${1-}" = --quick ]; then
    limits=('--limit 4' '--limit 3')
fi
# cargo may not be root's, and what is built should not be: whoever calls this as root through sudo builds before.
cargo build --release --quiet --manifest-path "$root/Cargo.toml" -p picket-lab
lab=${CARGO_TARGET_DIR:-$root/target}/release/picket-lab
index=0
for split in train test; do
    rm -rf "${out:?}/$split"
    mkdir -p "$out/$split"
    # shellcheck disable=SC2086 # an option and its value, or nothing
    "$lab" corpus --split "$split" --seed "$seed" --out "$out/$split" ${limits[index]}
    index=$((index + 1))
done
echo "the corpus is in $out"
