#!/usr/bin/env bash
# Builds Picket's core into a program without std and without a heap, and proves that the build would
# notice both.
set -eu
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}/bare-metal"

build() { cargo build --quiet --locked "$@"; }

# must_fail FEATURE MESSAGE: the build with FEATURE stops with MESSAGE.
must_fail() {
    if output=$(build --features "$1" 2>&1); then
        echo "bare-metal: the build passed with $1, so it proves nothing" >&2
        exit 1
    fi
    case $output in
        *"$2"*) ;;
        *) printf '%s\nbare-metal: %s failed for another reason\n' "$output" "$1" >&2; exit 1 ;;
    esac
}

build
must_fail needs-alloc 'no global memory allocator found'
must_fail needs-std 'panic_impl'

bare=x86_64-unknown-none
if [ -d "$(rustc --print sysroot)/lib/rustlib/$bare" ]; then
    build --target "$bare"
    echo "bare-metal: the core links without std and heap, on $bare too"
else
    echo "bare-metal: the core links without std and heap ($bare is not installed, so not tried)"
fi
