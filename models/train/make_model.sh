#!/bin/sh
# Makes models/default.onnx from nothing: traffic, rows, training, calibration, int8, figures, bundle. `make model` calls
# it. Needs Rust, Python 3.11 with venv, mosquitto, and for the traffic the right to make network namespaces.
#
#   models/train/make_model.sh [STEP...]
#
#   traffic   labelled captures of the laboratory and simulated benign days
#   rows      picket extract over every capture
#   train     the shipped model: models/default.onnx, golden vectors, card, lab-data/default.tar (ready to be signed)
#   compare   every algorithm of models/train/configs on the same rows: lab-data/models, and a table in the card
#   test      the tests of the training code, and those of the shipped model
#
# Without a step all of them. After a change of the schema: rows train compare test.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
data=$root/lab-data
target=${CARGO_TARGET_DIR:-$root/target}/release
python=$root/.venv/bin/python
# Seeds of the laboratory's captures to train on and to test with, and of simulated benign days: to train on, to set thresholds
# and certainty with, and to count false alarms in.
train_seeds='1 3'
test_seed=2
train_days='21 22 23 24'
quiet_days='12 14 15'
test_days='18 19'

programs() {
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" -p picket -p picket-lab --examples
}

environment() {
    if [ ! -x "$python" ]; then
        "${PYTHON:-python3.11}" -m venv "$root/.venv"
    fi
    "$root/.venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
}

# What `make corpus` does, with more than one seed to train on.
traffic() {
    "$root/scripts/install-deps.sh" --lab
    rm -rf "${data:?}/corpus" "${data:?}/simulated"
    for seed in $train_seeds; do
        "$target/picket-lab" corpus --split train --seed "$seed" --out "$data/corpus/train/$seed"
    done
    "$target/picket-lab" corpus --split test --seed "$test_seed" --out "$data/corpus/test"
    days train "$train_days"
    days quiet "$quiet_days"
    days test "$test_days"
}

# days NAME SEEDS
days() {
    for seed in $2; do
        "$target/picket-lab" simulate --hours 24 --seed "$seed" --out "$data/simulated/$1/$seed"
    done
}

rows() {
    find "$data/corpus" "$data/simulated/train" "$data/simulated/quiet" -name capture.pcap | sort | while read -r capture; do
        "$target/picket" extract "$capture" --output csv >"${capture%/*}/features.csv"
    done
}

# run SCRIPT OPTION...: with the data of all scripts
run() {
    script=$1
    shift
    "$python" "$here/$script" --train "$data/corpus/train" --simulated "$data/simulated/train" \
        --quiet "$data/simulated/quiet" --test "$data/corpus/test" --card "$root/models/README.md" "$@"
}

train() {
    mkdir -p "$root/models/golden"
    run pipeline.py --out "$root/models/default.onnx" --golden "$root/models/golden/default.json" \
        --bundle "$data/default.tar"
    "$python" "$here/golden_rows.py" "$root/models/default.onnx" "$root/models/golden/default-rows.gz"
}

compare() {
    run compare.py --models "$data/models" --latency "$target/examples/model_latency"
    "$python" "$here/agree.py" --test "$data/corpus/test" --program "$target/examples/model_outputs" "$data/models"/*.onnx
}

check() {
    (cd "$here" && "$python" -m unittest)
    cargo test --quiet --manifest-path "$root/Cargo.toml" --test model_default
}

programs
environment
for step in "${@:-all}"; do
    case $step in
        traffic) traffic ;;
        rows) rows ;;
        train) train ;;
        compare) compare ;;
        test) check ;;
        all)
            traffic
            rows
            train
            compare
            check
            ;;
        *)
            echo "make_model.sh: no step $step" >&2
            exit 64
            ;;
    esac
done
