#!/usr/bin/env bash
# Builds picket for the Rust target $1 without docker and leaves it in dist/$1/picket: `make cross TARGET=...`.
#
# What it takes comes from the package registries alone: C compilers from Debian (or, for musl, zig from PyPI), the target's
# std from rustup or, for aarch64-unknown-linux-gnu, from Debian, libpcap's source from Debian's mirror, crates from crates.io.
#
# FEATURES  features of the build (full); tiny has no TLS
# PROFILE   profile of the build (dist)
# OUT       folder of the result (dist/$1)
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
root=$PWD
target=${1:?"a target, such as aarch64-unknown-linux-gnu (see cross/README.md)"}
features=${FEATURES:-gateway}
profile=${PROFILE:-dist}
out=${OUT:-dist/$target}

# shellcheck source=cross/target.sh
source cross/target.sh
describe "$target"
cross/deps.sh "$target"

upper=$(tr 'a-z-' 'A-Z_' <<<"$target")
lower=$(tr - _ <<<"$target")
tools=$root/target/cross-tools
flags=()

if [ -n "$zig" ]; then
    # C is compiled by zig, whose musl is of the 1.2 kind, and linked by Rust's own linker with Rust's own musl.
    export ZIG_PYTHON=$tools/venv/bin/python ZIG_TARGET=$zig
    export "CC_$lower=$root/cross/zig-cc" "AR_$lower=$root/cross/zig-ar"
    export "CARGO_TARGET_${upper}_LINKER=rust-lld"
    CC=$root/cross/zig-cc AR=$root/cross/zig-ar RANLIB="$root/cross/zig-ar s" \
        cross/libpcap.sh "$target" "$root/target/libpcap/$target"
    link=''
else
    export "CC_$lower=$gcc" "AR_$lower=${gcc/%gcc/ar}" "CARGO_TARGET_${upper}_LINKER=$gcc"
    CC=$gcc AR=${gcc/%gcc/ar} RANLIB=${gcc/%gcc/ranlib} \
        cross/libpcap.sh "$target" "$root/target/libpcap/$target"
    link=-Wl,
fi
export LIBPCAP_LIBDIR=$root/target/libpcap/$target/lib LIBPCAP_VER=1.10.5

rustc=${RUSTC:-rustc}
lld=$("$rustc" --print sysroot)/lib/rustlib/$("$rustc" -vV | sed -n 's/^host: //p')/bin/gcc-ld
if [ -d "$tools/std/$target" ]; then
    # Debian's compiler with Debian's std for another processor.
    export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc
    rustc=$RUSTC
    lld=/usr/lib/llvm-16/bin
    flags+=(-L "$tools/std/$target/usr/lib/rustlib/$target/lib")
fi
if [ -n "$zig" ] || [ -d "$lld" ]; then
    # lld folds functions that came out the same, and packs the relocations of a program that may be loaded anywhere: the
    # same program is a tenth smaller than with GNU ld. Packed ones need glibc 2.36 or musl 1.2.4.
    if [ -z "$zig" ]; then
        flags+=(-Clink-arg=-fuse-ld=lld "-Clink-arg=-B$lld")
    fi
    flags+=("-Clink-arg=${link}--icf=all" "-Clink-arg=${link}-z${link:+,}pack-relative-relocs")
fi
if [[ $target == *-musl* ]]; then
    flags+=(-Ctarget-feature=+crt-static)
fi
# No path of this machine in what it makes: two machines make the same octets.
sysroot=$("$rustc" --print sysroot)
flags+=("--remap-path-prefix=$root=/picket" "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    "--remap-path-prefix=$sysroot=/rust")
export "CARGO_TARGET_${upper}_RUSTFLAGS=${flags[*]}"
export CFLAGS="${CFLAGS-} -ffile-prefix-map=${CARGO_HOME:-$HOME/.cargo}=/cargo -ffile-prefix-map=$root=/picket"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

mkdir -p "$out"
# The map tells what the program consists of, although its symbols are stripped: see size-report.
cargo rustc --locked --profile "$profile" --target "$target" --no-default-features --features "$features" --bin picket \
    -- "-Clink-arg=${link}-Map=$root/$out/picket.map"
cp "${CARGO_TARGET_DIR:-target}/$target/$profile/picket" "$out/picket"
echo "$out/picket: $(stat -c %s "$out/picket") octets"
