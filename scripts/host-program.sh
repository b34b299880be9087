#!/usr/bin/env bash
# Leaves a program for this machine in dist/TARGET/picket, built with the release profile from what the tests have compiled already:
# to test packages with. What is released comes from `make cross`.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
# A package must run without Debian's libpcap and all that it brings: it is linked statically, as in cross builds.
cross/libpcap.sh "$target" "$PWD/target/libpcap/$target"
export LIBPCAP_LIBDIR=$PWD/target/libpcap/$target/lib LIBPCAP_VER=1.10.5
cargo build --release --locked --package picket --bin picket
mkdir -p "dist/$target"
strip -o "dist/$target/picket" "${CARGO_TARGET_DIR:-target}/release/picket"
