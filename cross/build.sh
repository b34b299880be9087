#!/usr/bin/env bash
# Builds picket for the Rust target $1 without docker and leaves it in dist/$1/picket: `make cross TARGET=...`.
#
# What it takes comes from the package registries alone: C compilers from Debian (or, for musl, zig from PyPI), the target's
# std from rustup, for aarch64-unknown-linux-gnu else from Debian, and where neither has it its source from rustup; libpcap's source from
# Debian's mirror, crates from crates.io.
#
# FEATURES  features of the build (gateway); tiny has no TLS
# PROFILE   profile of the build (dist)
# OUT       folder of the result (dist/$1)
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
root=$PWD
built=$(realpath -m -- "${CARGO_TARGET_DIR:-target}")
# State between builds has no place in what is given away.
export CARGO_INCREMENTAL=0
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
rustc=${RUSTC:-rustc}
lld=$("$rustc" --print sysroot)/lib/rustlib/$("$rustc" -vV | sed -n 's/^host: //p')/bin/gcc-ld
flags=() build_std=() order=() map=("-Clink-arg=-Wl,-Map=picket-$target.map")
if [ -d "$tools/std/$target" ]; then
    # Debian's compiler with Debian's std for another processor.
    export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc
    rustc=$RUSTC
    lld=/usr/lib/llvm-16/bin
    flags+=(-L "$tools/std/$target/usr/lib/rustlib/$target/lib")
elif [ -z "$(find "$("$rustc" --print sysroot)/lib/rustlib/$target/lib" -name 'libstd-*' 2>/dev/null)" ]; then
    # Nobody has one: it is compiled from its source, which a released compiler does when told that it is not one.
    export RUSTC_BOOTSTRAP=1
    build_std=("-Zbuild-std=std,panic_unwind")
fi

if [ -n "$zig" ]; then
    # C is compiled by zig, whose musl is of the 1.2 kind.
    export ZIG_PYTHON=$tools/venv/bin/python ZIG_TARGET=$zig ZIG_CPU=$cpu
    CC=$root/cross/zig-cc AR=$root/cross/zig-ar
    RANLIB="$AR s"
else
    CC=$gcc AR=${gcc/%gcc/ar} RANLIB=${gcc/%gcc/ranlib}
fi
CC=$CC AR=$AR RANLIB=$RANLIB cross/libpcap.sh "$target" "$root/target/libpcap/$target"
export "CC_$lower=$CC" "AR_$lower=$AR" LIBPCAP_LIBDIR=$root/target/libpcap/$target/lib LIBPCAP_VER=1.10.5
unset CC AR RANLIB

# lld folds functions that came out the same, and packs the relocations of a program that may be loaded anywhere: the
# same program is a tenth smaller than with GNU ld. Packed ones need glibc 2.36 or musl 1.2.4.
link=-Wl,
if [ -n "$zig" ] && [ "${#build_std[@]}" = 0 ] && [[ $target == *-musl* ]]; then
    # Linked by Rust's own linker with Rust's own musl.
    linker=rust-lld link='' map=("-Clink-arg=-Map=picket-$target.map")
    flags+=(-Clink-arg=--icf=all -Clink-arg=-zpack-relative-relocs)
elif [ -n "$zig" ]; then
    # zig knows neither folding nor maps.
    linker=$root/cross/zig-cc map=()
    flags+=(-Clink-self-contained=no)
else
    linker=$gcc
    if [ -d "$lld" ]; then
        flags+=(-Clink-arg=-fuse-ld=lld "-Clink-arg=-B$lld" "-Clink-arg=-Wl,--icf=all" "-Clink-arg=-Wl,-z,pack-relative-relocs")
    fi
fi
# What runs lies beside each other, so that less of the program is resident: see used-code.
if [[ $target =~ ^(aarch64|x86_64)- && " ${flags[*]} " == *icf=all* ]]; then
    order=("-Clink-arg=${link}-T${link:+,}cross/used.ld")
fi
if [[ $target == *-musl* ]]; then
    flags+=(-Ctarget-feature=+crt-static)
fi
if [ -n "$cfg" ]; then
    flags+=("--cfg=$cfg")
fi
# No path of this machine in what it makes: two machines make the same octets.
sysroot=$("$rustc" --print sysroot)
flags+=("--remap-path-prefix=$root=/picket" "--remap-path-prefix=$built=/built"
    "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" "--remap-path-prefix=$sysroot=/rust")
export "CARGO_TARGET_${upper}_LINKER=$linker" "CARGO_TARGET_${upper}_RUSTFLAGS=${flags[*]}"
export CFLAGS="${CFLAGS-} -ffile-prefix-map=${CARGO_HOME:-$HOME/.cargo}=/cargo -ffile-prefix-map=$root=/picket -ffile-prefix-map=$built=/built"
# The commit's date, which the program takes for the earliest that it can be. In a variable of its own: build scripts of dependencies
# look at SOURCE_DATE_EPOCH, and would have all of tract compiled anew after each commit.
export PICKET_BUILT=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

mkdir -p "$out"
# The map tells what the program consists of, although its symbols are stripped: see size-report. Where the linker leaves it is the same
# in every folder, for cargo's names of symbols depend on all that the compiler is told.
cargo rustc --locked "${build_std[@]}" --profile "$profile" --target "$target" --no-default-features --features "$features" --bin picket \
    -- "${map[@]}" "${order[@]}"
if [ "${#map[@]}" -gt 0 ] && [ -e "picket-$target.map" ]; then
    mv "picket-$target.map" "$out/picket.map"
fi
cp "$built/$target/$profile/picket" "$out/picket"
echo "$out/picket: $(stat -c %s "$out/picket") octets"
