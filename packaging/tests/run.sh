#!/usr/bin/env bash
# Checks everything that is packaged. What needs root says so and is skipped without.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."

python3 packaging/tests/openwrt.py
packaging/openwrt/tests/run.sh
packaging/openwrt/luci-app-picket/tests/run.sh
systemd-analyze security --offline=true --threshold=18 --no-pager packaging/systemd/picket.service >/dev/null

# A release that nobody has prepared is refused, with a reason for each place.
if said=$(CHECK=1 scripts/release.sh 99.0.0 2>&1) || [ "$(grep -c 'Cargo.toml\|Makefile\|changelog\|CHANGELOG' <<<"$said")" != 5 ]; then
    echo "FAILED: release.sh 99.0.0 says: $said" >&2
    exit 1
fi

# The packages of all programs in dist/, twice: the same bytes.
again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
scripts/packages.sh
OUT=$again scripts/packages.sh >/dev/null
for package in "$again"/*; do
    cmp "$package" "dist/$(basename "$package")"
done
python3 packaging/tests/deb.py dist

program=dist/x86_64-unknown-linux-gnu/picket
if [ -x "$program" ] && [ "$(uname -m)" = x86_64 ]; then
    python3 packaging/tests/unit.py "$program"
    packaging/tests/chroot.sh dist/picket_*_amd64.deb
else
    echo "packages: there is no program for this machine in dist/: the unit and an installation are not tested"
fi
for package in dist/picket_*_arm64.deb dist/picket_*_armhf.deb; do
    if [ -e "$package" ]; then packaging/tests/foreign.sh "$package"; fi
done
