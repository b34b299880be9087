"""Makes the OpenWrt packages of a prebuilt program: `package.py BINARY ARCH OUT`, and of the LuCI app: `package.py luci OUT`.

Each as .ipk for opkg (OpenWrt up to 24.10) and as .apk for apk (since 25.12). What is in them is what the feed package in
`../picket/Makefile` installs; a test compares the two.
"""

import hashlib
import os
import re
import sys
from pathlib import Path

import apk
import ipk
from tree import Entry, below, file

_HERE = Path(__file__).resolve().parent.parent
_ROOT = _HERE.parent.parent
_MAINTAINER = "The Picket developers <picket@picket.invalid>"
_URL = "https://picket.invalid"
_LICENSE = "MIT Apache-2.0"
# User and group by the numbers that the feed package has.
_USERID = "picket=977:picket=977"
_RELEASE = 1


def version() -> str:
    found = re.search(r'^version = "(.+)"$', (_ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    return f"{found.group(1)}-r{_RELEASE}"


def picket(binary: Path) -> list[Entry]:
    files = _HERE / "picket" / "files"
    return [
        file("usr/bin/picket", 0o755, binary),
        file("usr/share/picket/default.onnx", 0o644, _ROOT / "models" / "default.onnx"),
        file("etc/config/picket", 0o600, files / "picket.config"),
        file("etc/init.d/picket", 0o755, files / "picket.init"),
        file("etc/capabilities/picket.json", 0o644, files / "picket.capabilities.json"),
        file("etc/uci-defaults/80_picket", 0o755, files / "picket.defaults"),
        file("etc/hotplug.d/ntp/50-picket", 0o644, files / "picket.ntp"),
        # A folder among the configuration files survives an upgrade of the system with all that is in it.
        Entry("lib/upgrade/keep.d/picket", 0o644, b"/etc/picket/\n"),
        Entry("etc/picket", 0o750),
    ]


def luci() -> list[Entry]:
    app = _HERE / "luci-app-picket"
    return below("www/", app / "htdocs") + below("", app / "root")


def _script(call: str, name: str = "", before: str = "") -> str:
    """A script that leaves the work to OpenWrt's functions."""
    lines = ["#!/bin/sh", '[ "${IPKG_NO_SCRIPT}" = 1 ] && exit 0', '[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0',
             '. "${IPKG_INSTROOT}/lib/functions.sh"']
    if name:
        lines += ['export root="${IPKG_INSTROOT}"', f'export pkgname="{name}"']
    return "\n".join(lines[:1] + ([before] if before else []) + lines[1:] + [call]) + "\n"


class Package:
    """A package, whatever its form."""

    def __init__(self, name: str, arch: str, summary: str, entries: list[Entry], conffiles: list[str], depends: list[str],
                 userid: str = "") -> None:
        self.name, self.arch, self.summary, self.entries = name, arch, summary, entries
        self.conffiles, self.depends, self.userid = conffiles, depends, userid

    def ipk(self, epoch: int) -> bytes:
        control = {"Package": self.name, "Version": version(), "Depends": ", ".join(self.depends), "Source": f"feeds/{self.name}",
                   "SourceName": self.name, "License": _LICENSE, "Section": "net", "Require-User": self.userid,
                   "SourceDateEpoch": str(epoch), "URL": _URL, "Maintainer": _MAINTAINER, "Architecture": self.arch}
        scripts = {"postinst": _script('default_postinst "$0" "$@"'), "prerm": _script('default_prerm "$0" "$@"')}
        conffiles = [path for path in self.conffiles if not path.endswith("/")]
        control = {key: value for key, value in control.items() if value}
        return ipk.write(control, self.summary, conffiles, scripts, self.entries, epoch)

    def apk(self, epoch: int) -> bytes:
        info = {"name": self.name, "version": version(), "description": " ".join(self.summary.split()),
                "arch": "noarch" if self.arch == "all" else self.arch, "license": _LICENSE, "origin": f"feeds/{self.name}",
                "maintainer": _MAINTAINER, "url": _URL}
        install = _script("add_group_and_user\ndefault_postinst", self.name)
        upgrade = _script("add_group_and_user\ndefault_postinst", self.name, "export PKG_UPGRADE=1")
        scripts = {"post-install": install, "post-upgrade": upgrade, "pre-deinstall": _script("default_prerm", self.name)}
        return apk.write(info, self.depends, scripts, self.entries + self._about(), epoch)

    def _about(self) -> list[Entry]:
        """What OpenWrt's functions look up below /lib/apk/packages."""
        base = f"lib/apk/packages/{self.name}"
        listed = sorted(f"/{entry.path}" for entry in self.entries if entry.data is not None)
        found = [Entry(f"{base}.list", 0o644, "".join(f"{path}\n" for path in listed).encode())]
        if self.conffiles:
            sums = [f"/{entry.path} {hashlib.sha256(entry.data).hexdigest()}\n" for entry in self.entries
                    if f"/{entry.path}" in self.conffiles]
            found.append(Entry(f"{base}.conffiles", 0o644, "".join(f"{path}\n" for path in self.conffiles).encode()))
            found.append(Entry(f"{base}.conffiles_static", 0o644, "".join(sums).encode()))
        if self.userid:
            found.append(Entry(f"{base}.rusers", 0o644, f"{self.userid}\n".encode()))
        return found

    def write(self, out: Path, epoch: int) -> None:
        out.mkdir(parents=True, exist_ok=True)
        for suffix, data in (("ipk", self.ipk(epoch)), ("apk", self.apk(epoch))):
            path = out / f"{self.name}_{version()}_{self.arch}.{suffix}"
            path.write_bytes(data)
            print(f"{path} {len(data)} octets")


def main() -> None:
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    match sys.argv[1:]:
        case ["luci", out]:
            summary = "LuCI pages of Picket: status, alerts, settings"
            Package("luci-app-picket", "all", summary, luci(), [], ["luci-base", "picket"]).write(Path(out), epoch)
        case [binary, arch, out]:
            summary = ("Intrusion detection for MQTT\n"
                       "Listens to the MQTT traffic that passes the router and reports attacks:\n"
                       "guessed passwords, floods, slow denial of service, scans, malformed\n"
                       "packets. It only listens, and needs no cloud.")
            conffiles = ["/etc/config/picket", "/etc/picket/"]
            Package("picket", arch, summary, picket(Path(binary)), conffiles, [], _USERID).write(Path(out), epoch)
        case _:
            sys.exit("usage: SOURCE_DATE_EPOCH=N package.py BINARY ARCH OUT | package.py luci OUT")


if __name__ == "__main__":
    main()
