#!/bin/sh
# Makes models/default.onnx from nothing: builds Picket and its lab, makes the training and test traffic,
# extracts the features, trains, measures, exports. Needs Rust, Python 3.11 with venv, mosquitto, and the right to make
# network namespaces (see lab/). Run from anywhere: models/train/make_model.sh [--keep-traffic]
#
# --keep-traffic uses the captures of the last run and only extracts and trains again, for instance after a
# change of the feature schema.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
data=${PICKET_LAB_DATA:-$root/lab-data}
python=${PYTHON:-python3.11}

cargo build --release --manifest-path "$root/Cargo.toml" -p picket -p picket-lab
target=${CARGO_TARGET_DIR:-$root/target}/release

if [ ! -x "$root/.venv/bin/python" ]; then
    "$python" -m venv "$root/.venv"
fi
"$root/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

# Two rounds of training traffic: the seed decides rates, styles and devices.
if [ "${1-}" != --keep-traffic ]; then
    rm -rf "${data:?}/train" "${data:?}/test"
    mkdir -p "$data/train"
    for seed in 1 2; do
        "$target/picket-lab" corpus --split train --seed "$seed" --out "$data/train/$seed"
    done
    # Test traffic of seed 1 was looked at while the method was chosen, so it cannot judge it any more.
    "$target/picket-lab" corpus --split test --seed 2 --out "$data/test"
fi
find "$data" -name capture.pcap | while read -r capture; do
    "$target/picket" extract "$capture" --output csv >"${capture%/*}/features.csv"
done

mkdir -p "$root/models/golden"
"$root/.venv/bin/python" "$here/train.py" --train "$data/train" --test "$data/test" \
    --out "$root/models/default.onnx" --golden "$root/models/golden/default.json" --card "$root/models/README.md"
cargo test --manifest-path "$root/Cargo.toml" --test model_default
