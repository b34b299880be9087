#!/usr/bin/env bash
# Makes the packages of every program in dist/TARGET/picket: .deb for glibc targets, .ipk and .apk for musl targets, and those of the
# LuCI app. They are left in dist/. The same programs give the same bytes. OUT chooses another folder.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
out=${OUT:-dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)

# Dates within the packages are that of the newest entry of the changelog. Only what packs is told: build scripts look at this variable
# too, and tract would be compiled anew.
unset SOURCE_DATE_EPOCH
epoch=$(date -u -d "$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)" +%s)
dated() {
    SOURCE_DATE_EPOCH=$epoch "$@"
}

# Architectures of OpenWrt that run the program of a target.
openwrt() {
    case $1 in
        aarch64-unknown-linux-musl) echo aarch64_generic aarch64_cortex-a53 aarch64_cortex-a72 aarch64_cortex-a76 ;;
        x86_64-unknown-linux-musl) echo x86_64 ;;
        armv7-unknown-linux-musleabihf) echo arm_cortex-a7_neon-vfpv4 arm_cortex-a9_vfpv3-d16 arm_cortex-a15_neon-vfpv4 ;;
        riscv64gc-unknown-linux-musl) echo riscv64_generic ;;
        *) echo "packages: no architecture of OpenWrt is known for $1" >&2 ;;
    esac
}

# Pages and completions come from the command line's definitions, once for all targets.
pages() {
    if [ -z "${pages_made-}" ]; then
        rm -rf target/pages
        # As the tests have built it, for the whole workspace.
        cargo build --quiet --locked --workspace --example pages
        "${CARGO_TARGET_DIR:-target}/debug/examples/pages" target/pages
        pages_made=1
    fi
}

deb() {
    local target=$1
    pages
    cargo_deb=$(PATH="$PWD/target/tools/bin:$PATH" command -v cargo-deb) || {
        echo "packages: cargo-deb is not installed: scripts/install-deps.sh --packages" >&2
        exit 69
    }
    mkdir -p target/package
    install -m 755 "dist/$target/picket" target/package/picket
    dated "$cargo_deb" --no-build --no-strip --target "$target" --output "$out/" --deb-revision 1 --quiet
}

made=0
for program in dist/*/picket; do
    [ -f "$program" ] || continue
    target=$(basename "$(dirname "$program")")
    made=$((made + 1))
    case $target in
        *-musl*)
            for arch in $(openwrt "$target"); do
                dated python3 packaging/openwrt/pack/package.py "$program" "$arch" "$out"
            done
            ;;
        *-gnu*) deb "$target" ;;
    esac
done
dated python3 packaging/openwrt/pack/package.py luci "$out"
if [ "$made" = 0 ]; then
    echo "packages: there is no program in dist/TARGET/picket: make cross TARGET=... (see cross/README.md)" >&2
    exit 66
fi
