#!/usr/bin/env bash
# Unpacks the Debian package $1 of another processor in a Debian 12 of that processor and runs it there under emulation:
# foreign.sh PACKAGE. Needs root.
set -euo pipefail
package=$(realpath -- "${1:?"a package"}")
[ "$(id -u)" = 0 ] || { echo "foreign: skipped, needs root"; exit 0; }
arch=$(dpkg-deb --field "$package" Architecture)
case $arch in
    arm64) emulator=qemu-aarch64-static ;;
    armhf) emulator=qemu-arm-static ;;
    *) echo "foreign: no emulator is known for $arch" >&2; exit 64 ;;
esac
command -v "$emulator" >/dev/null || { echo "foreign: $emulator is missing: apt-get install qemu-user-static" >&2; exit 69; }

root=$(mktemp -d "${TMPDIR:-/var/tmp}/picket-foreign.XXXXXX")
clean_up() {
    trap - EXIT
    if mountpoint -q "$root/proc"; then umount "$root/proc"; fi
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT
# The first half of an installation unpacks what every Debian has; nothing of it has to run for this.
debootstrap --foreign --variant=minbase --arch="$arch" bookworm "$root" "${MIRROR:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
    # Not the package's fault: without a mirror, or the right to make devices, there is no Debian to run it in.
    { tail -n 20 "$root.log"; rm -f "$root.log"; echo "foreign: skipped, debootstrap gave no $arch"; exit 0; }
rm -f "$root.log"
dpkg-deb --extract "$package" "$root"
cp "$(command -v "$emulator")" "$root/emulator"
mkdir -p "$root/proc"
mount -t proc proc "$root/proc"

inside() {
    chroot "$root" /emulator /usr/bin/picket "$@"
}
version=$(dpkg-deb --field "$package" Version)
[ "$(inside --version)" = "${version%-*}" ] || { echo "FAILED: another version than $version" >&2; exit 1; }
# The model loads: a refused one would be noted.
said=$(inside check)
case $said in
    *'without a model'*) echo "FAILED: $said" >&2; exit 1 ;;
esac
[ "$(inside doctor --offline --output json | grep -c '"id": "model.ok"')" = 1 ] || { echo "FAILED: doctor" >&2; exit 1; }
echo "foreign: $arch runs in a Debian of its own"
