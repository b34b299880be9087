#!/usr/bin/env bash
# Installs, starts, upgrades and purges the Debian package $1 (amd64) in a fresh Debian 12: chroot.sh PACKAGE. Needs root.
#
# systemd is not the first process of a chroot, so the service is started by hand, as its unit says: ExecStartPre, then ExecStart as
# its user with CAP_NET_RAW alone, in the folders that the unit asks for.
set -euo pipefail
package=$(realpath -- "${1:?"a package"}")
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
[ "$(id -u)" = 0 ] || { echo "chroot: skipped, needs root"; exit 0; }

root=$(mktemp -d "${TMPDIR:-/var/tmp}/picket-chroot.XXXXXX")
# The service is nobody special, and has to find its way in.
chmod 755 "$root"
clean_up() {
    trap - EXIT
    [ -z "${daemon-}" ] || kill "$daemon" 2>/dev/null || true
    wait 2>/dev/null || true
    for mount in dev/null proc; do
        if mountpoint -q "$root/$mount"; then umount "$root/$mount"; fi
    done
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT

began=$SECONDS
debootstrap --variant=minbase --include=systemd,init-system-helpers "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
    # Not the package's fault: without a mirror, or the right to make devices, there is no Debian to install it in.
    { tail -n 20 "$root.log"; rm -f "$root.log"; echo "chroot: skipped, debootstrap gave no $suite"; exit 0; }
rm -f "$root.log"
echo "chroot: $suite in $((SECONDS - began)) s"
mount -t proc proc "$root/proc"
# Nothing is started or stopped for us, as in any chroot.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

inside() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
must() {
    if ! "$@"; then
        echo "FAILED: $*" >&2
        exit 1
    fi
}

cp "$package" "$root/picket.deb"
must inside dpkg --install /picket.deb >/dev/null
must inside getent passwd picket >/dev/null
must [ "$(inside systemctl is-enabled picket)" = enabled ]
must [ "$(stat -c %a "$root/etc/picket/picket.toml")" = 640 ]
# On a booted system this runs in the package's script.
inside systemd-tmpfiles --create /usr/lib/tmpfiles.d/picket.conf
must [ "$(inside stat -c %G /etc/picket/picket.toml)" = picket ]
must inside picket --version >/dev/null
must inside picket check >/dev/null
must inside sh -c 'command -v picket >/dev/null && test -s /usr/share/man/man1/picket.1.gz'

# An edited configuration, and the service with it.
sed -i 's/^#interfaces = .*/interfaces = ["lo"]/; s/^#buffer-mib = .*/buffer-mib = 4/; s/^#broker = .*/broker = ""/' \
    "$root/etc/picket/picket.toml"
inside install -d -o picket -g picket -m 750 /var/lib/picket /run/picket
inside setpriv --reuid picket --regid picket --clear-groups --bounding-set -all,+net_raw --inh-caps -all,+net_raw \
    --ambient-caps -all,+net_raw --no-new-privs sh -c 'umask 027; picket check >/dev/null && exec picket run' &
daemon=$!
for _ in $(seq 600); do
    if inside picket status >"$root/status" 2>/dev/null; then break; fi
    sleep 0.1
done
must grep -qx 'capture    ok' "$root/status"
must grep -qx 'model      ok' "$root/status"
must grep -qx 'store      ok' "$root/status"

# An upgrade keeps what was edited, and asks nobody.
edited=$(sha256sum <"$root/etc/picket/picket.toml")
cp -r "$root/picket.deb" "$root/next.deb"
inside sh -c 'mkdir /next && dpkg-deb --raw-extract /next.deb /next &&
    sed -i "s/^Version: .*/&+next/" /next/DEBIAN/control && echo "# a new default" >>/next/etc/picket/picket.toml &&
    dpkg-deb --root-owner-group -Zgzip -z1 --build /next /next.deb >/dev/null && rm -r /next'
must inside dpkg --force-confold --install /next.deb >/dev/null 2>"$root/upgrade"
must [ "$(sha256sum <"$root/etc/picket/picket.toml")" = "$edited" ]
must test -e "$root/etc/picket/picket.toml.dpkg-dist"
# shellcheck disable=SC2016 # for dpkg-query to expand
must [ "$(inside dpkg-query -W -f '${Version}\n' picket | grep -c next)" = 1 ]
must inside picket check >/dev/null

# The daemon is asked to end, and does.
kill -TERM "$(pgrep -P "$daemon" || echo "$daemon")"
wait "$daemon" && ended=0 || ended=$?
daemon=
must [ "$ended" = 0 ]

must inside dpkg --purge picket >/dev/null 2>&1
for path in etc/picket usr/bin/picket usr/share/picket usr/lib/systemd/system/picket.service \
    etc/systemd/system/multi-user.target.wants/picket.service; do
    must [ ! -e "$root/$path" ]
done
# What was detected is the operator's, and so is the user who owns it.
must test -d "$root/var/lib/picket"
must inside getent passwd picket >/dev/null
echo "chroot: installed, started, upgraded with an edited configuration, purged; $((SECONDS - began)) s in all"
