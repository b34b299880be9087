#!/usr/bin/env bash
# Runs shellcheck over every shell script of the repository; installs it on Debian if that needs no password.
set -eu
cd "$(dirname "$0")/.."

if ! command -v shellcheck >/dev/null && command -v apt-get >/dev/null; then
    if [ "$(id -u)" -eq 0 ]; then as_root=(); else as_root=(sudo -n); fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends shellcheck \
        >/dev/null 2>&1 || true
fi
if ! command -v shellcheck >/dev/null; then
    echo "shellcheck is not installed: shell scripts are not checked"
    exit 0
fi

# By their first line, as not all have a suffix.
mapfile -t scripts < <(git ls-files -z | xargs -0 grep -lIE -m1 '^#!(/usr/bin/env bash|/bin/(ba)?sh)' --)
shellcheck -- "${scripts[@]}"
packaging/openwrt/tests/run.sh
echo "shellcheck: ${#scripts[@]} scripts"
