#!/usr/bin/env bash
# Installs the Debian packages that building, tests and demo need, if they are missing. Does nothing, and
# needs no rights, when all are there. As root directly, else through sudo.
#
# With --model also what training needs. With --packages also what making and testing packages needs; cargo-deb goes to
# target/tools. With --lab also the client library for Python that some devices of the laboratory use, in lab-data/venv; without network or Python the laboratory goes on without it, and says so.
set -eu

# The package of each thing that is needed. A thing is a program in the path or a file.
missing=()
need() {
    local package=$1 thing=$2
    case $thing in
        /*) [ -e "$thing" ] || missing+=("$package") ;;
        # mosquitto and ip live in sbin, which is not in everybody's path.
        *) PATH="$PATH:/usr/sbin:/sbin" command -v "$thing" >/dev/null || missing+=("$package") ;;
    esac
}

need gcc gcc
need libc6-dev /usr/include/stdio.h
need pkg-config pkg-config
need libpcap-dev /usr/include/pcap/pcap.h
need mosquitto mosquitto
need mosquitto-clients mosquitto_sub
need tcpdump tcpdump
need iproute2 ip
need python3 python3
if [ "${1-}" = --packages ]; then
    need binutils readelf
    need debootstrap debootstrap
    need file file
    need lintian lintian
    need nodejs node
    need qemu-user-static qemu-aarch64-static
    # The system's own: a test shows it what the unit shows.
    need python3 /usr/bin/python3
    need systemd systemd-analyze
elif [ -n "${1-}" ] && ! python3 -c 'import ensurepip' 2>/dev/null; then
    missing+=(python3-venv)
fi

# Python's paho for the laboratory, with its hash.
client_stacks() {
    local here venv
    here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
    venv=$here/lab-data/venv
    if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import paho.mqtt' 2>/dev/null; then
        return
    fi
    mkdir -p "$here/lab-data"
    if ! { python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
            -r "$here/lab/devices/requirements.txt"; }; then
        rm -rf "$venv"
        echo "no paho for Python: the laboratory goes on without it" >&2
    fi
}

# The maker of Debian packages, of one version so that it makes the same bytes everywhere.
cargo_deb() {
    local tools
    tools=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/target/tools
    [ -x "$tools/bin/cargo-deb" ] || cargo install --quiet --locked --root "$tools" --version 3.8.0 cargo-deb
}

more() {
    case "${1-}" in
        --lab) client_stacks ;;
        --packages) cargo_deb ;;
    esac
}

if [ "${#missing[@]}" -eq 0 ]; then
    more "$@"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]}; install them by your system's means (this script knows apt-get only)" >&2
    exit 69
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "missing: ${missing[*]}; run as root: apt-get install ${missing[*]}" >&2
        exit 77
    fi
    as_root=(sudo)
fi

echo "installing: ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 install -y --no-install-recommends "${missing[@]}"

# Debian starts a broker on port 1883 with the package. Nobody asked for that one; a broker that was there
# before is left alone.
case " ${missing[*]} " in
    *" mosquitto "*)
        if [ -d /run/systemd/system ]; then
            "${as_root[@]}" systemctl disable --now --quiet mosquitto.service
        elif [ -x /etc/init.d/mosquitto ]; then
            "${as_root[@]}" /etc/init.d/mosquitto stop >/dev/null
        fi
        ;;
esac
more "$@"
