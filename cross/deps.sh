#!/usr/bin/env bash
# Installs what building for the Rust target $1 and running the result need, if it is missing: Debian packages, the target's
# std, and for musl zig from PyPI.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
target=${1:?a target}
# shellcheck source=cross/target.sh
source cross/target.sh
describe "$target"

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
# A mirror that is just being written has lists that do not fit each other: a moment later they do.
fetch() {
    local tries
    for tries in 1 2 3; do
        if "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 "$@"; then
            return 0
        fi
        echo "apt-get $1: try $tries of 3 failed" >&2
        sleep 10
    done
    return 69
}
install() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' || missing+=("$package")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "installing: ${missing[*]}"
        fetch update
        fetch install -y --no-install-recommends "${missing[@]}"
    fi
}
# shellcheck disable=SC2086 # a list of words
install $debian

tools=target/cross-tools
mkdir -p "$tools"
if [ -n "$zig" ] && ! "$tools/venv/bin/python" -m ziglang version >/dev/null 2>&1; then
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r cross/requirements.txt
fi

# The std of the compiler that is used anyway, where rustup can have it.
sysroot=$(rustc --print sysroot)
has_std() {
    [ -n "$(find "$sysroot/lib/rustlib/$target/lib" -name 'libstd-*' 2>/dev/null)" ]
}
source_of_std=$sysroot/lib/rustlib/src/rust/library/Cargo.lock
if has_std || [ -d "$tools/std/$target" ]; then
    exit 0
fi
if command -v rustup >/dev/null && rustup target add "$target" && has_std; then
    exit 0
fi
if [ "$target" != aarch64-unknown-linux-gnu ]; then
    # build.sh compiles it, for which zig has what of C it needs.
    if [ -n "$zig" ] && { [ -e "$source_of_std" ] || { command -v rustup >/dev/null && rustup component add rust-src; }; }; then
        echo "rustup has no std of $target: compiling it from its source"
        exit 0
    fi
    echo "$target: there is no std of it for $(rustc -V); rustup has it" >&2
    exit 69
fi
# Debian has a newer compiler than its release began with, and its std for other processors.
echo "rustup has no std of $target: taking compiler and std from Debian"
dpkg --print-foreign-architectures | grep -qx arm64 || "${as_root[@]}" dpkg --add-architecture arm64
fetch update
install rustc-web cargo-web lld-16
(
    cd "$tools"
    mkdir -p std
    fetch download libstd-rust-web-dev:arm64
    dpkg-deb -x libstd-rust-web-dev_*_arm64.deb "std/$target"
)
