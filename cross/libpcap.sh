#!/bin/sh
# Builds a static libpcap for the Rust target $1 into $2 (/opt/libpcap). Run by cross inside its image, where it
# gets the target alone; or by hand, with the cross compiler in the path.
set -eu

target=$1
prefix=${2:-/opt/libpcap}
version=1.10.5
sha256=37ced90a19a302a7f32e458224a00c365c117905c2cd35ac544b6880a81488f0

# aarch64-unknown-linux-gnu -> aarch64-linux-gnu; C compilers call armv7 arm.
host=$(echo "$target" | sed -e 's/-unknown-/-/' -e 's/^armv7-/arm-/')

missing=
for tool in curl flex bison make; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -qq -y --no-install-recommends ca-certificates $missing
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
curl -fsSLO "https://www.tcpdump.org/release/libpcap-$version.tar.gz"
echo "$sha256  libpcap-$version.tar.gz" | sha256sum -c -
tar -xzf "libpcap-$version.tar.gz"
cd "libpcap-$version"
# Only packet sockets: everything else would want libraries that a gateway does not have.
CC="$host-gcc" ./configure --quiet --host="$host" --prefix="$prefix" --disable-shared --with-pcap=linux \
    --without-libnl --disable-dbus --disable-rdma --disable-bluetooth --disable-usb --disable-remote
make -s -j2 libpcap.a
make -s install
