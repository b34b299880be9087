#!/bin/sh
# Builds a static libpcap for the Rust target $1 into $2 (/opt/libpcap), unless it is there. Run by cross inside its image,
# where it gets the target alone; and by build.sh, which names the compiler in CC, AR and RANLIB.
set -eu

target=$1
prefix=${2:-/opt/libpcap}
version=1.10.5
sha256=84fa89ac6d303028c1c5b754abff77224f45eca0a94eb1a34ff0aa9ceece3925
archive=libpcap-$version.tar.xz
# The source package of Debian, whose mirrors are reached where nothing else is, and the authors' own site.
sources="http://deb.debian.org/debian/pool/main/libp/libpcap/libpcap_$version.orig.tar.xz
https://www.tcpdump.org/release/$archive"

if [ -e "$prefix/lib/libpcap.a" ]; then
    exit 0
fi

# aarch64-unknown-linux-gnu -> aarch64-linux-gnu; C compilers call armv7 arm, and riscv64gc riscv64.
host=$(echo "$target" | sed -e 's/-unknown-/-/' -e 's/^armv7-/arm-/' -e 's/^riscv64gc-/riscv64-/')

missing=
for tool in curl flex bison make xz; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2046 # a list of words
    apt-get install -qq -y --no-install-recommends ca-certificates $(echo "$missing" | sed 's/\bxz\b/xz-utils/')
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for source in $sources; do
    curl -fsSL --retry 3 -o "$archive" "$source" && break
done
echo "$sha256  $archive" | sha256sum -c --quiet -
tar -xJf "$archive"
cd "libpcap-$version"
# Only packet sockets: everything else would want libraries that a gateway does not have.
CC=${CC:-$host-gcc} ./configure --quiet --host="$host" --prefix="$prefix" --disable-shared --with-pcap=linux \
    --without-libnl --disable-dbus --disable-rdma --disable-bluetooth --disable-usb --disable-remote \
    CFLAGS="${CFLAGS:--Os} -ffunction-sections -fdata-sections -ffile-prefix-map=$work=."
make -s -j2 libpcap.a
make -s install
