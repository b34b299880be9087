"""The Debian packages in the folder given: the right tree, modes and control data, the glibc they ask for; lintian is content."""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())
VERSION = f'{CARGO["workspace"]["package"]["version"]}-1'
MACHINES = {"amd64": "x86-64", "arm64": "aarch64", "armhf": "ARM"}
# What must be there, with its mode.
WANTED = {
    "./usr/bin/picket": "-rwxr-xr-x",
    "./etc/picket/picket.toml": "-rw-r-----",
    "./usr/share/picket/default.onnx": "-rw-r--r--",
    "./usr/lib/systemd/system/picket.service": "-rw-r--r--",
    "./usr/lib/sysusers.d/picket.conf": "-rw-r--r--",
    "./usr/lib/tmpfiles.d/picket.conf": "-rw-r--r--",
    "./usr/share/man/man1/picket.1.gz": "-rw-r--r--",
    "./usr/share/man/man1/picket-doctor.1.gz": "-rw-r--r--",
    "./usr/share/bash-completion/completions/picket": "-rw-r--r--",
    "./usr/share/zsh/vendor-completions/_picket": "-rw-r--r--",
    "./usr/share/fish/vendor_completions.d/picket.fish": "-rw-r--r--",
    "./usr/share/doc/picket/copyright": "-rw-r--r--",
    "./usr/share/doc/picket/changelog.Debian.gz": "-rw-r--r--",
    "./usr/share/doc/picket/examples/picket.acl": "-rw-r--r--",
}


def run(*words: object) -> str:
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def check(deb: Path) -> None:
    fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "--field", deb).splitlines() if re.match(r"[A-Z]", line))
    assert (fields["Package"], fields["Version"]) == ("picket", VERSION), fields
    arch = fields["Architecture"]
    assert deb.name == f"picket_{VERSION}_{arch}.deb", deb
    assert "systemd-sysusers" in fields["Depends"], fields

    found = {}
    for line in run("dpkg-deb", "--contents", deb).splitlines():
        mode, owner, _, _, _, path = line.split(maxsplit=5)
        assert owner in ("root/root", "0/0"), line
        found[path] = mode
    missing = {path: mode for path, mode in WANTED.items() if found.get(path) != mode}
    assert not missing, f"{deb}: {missing} in {found}"

    with tempfile.TemporaryDirectory() as folder:
        run("dpkg-deb", "--raw-extract", deb, folder)
        root = Path(folder)
        assert (root / "DEBIAN/conffiles").read_text() == "/etc/picket/picket.toml\n"
        scripts = {path.name: path.read_text() for path in (root / "DEBIAN").iterdir() if path.name in ("postinst", "prerm", "postrm")}
        assert sorted(scripts) == ["postinst", "postrm", "prerm"], scripts.keys()
        for word in ("systemd-sysusers", "systemd-tmpfiles", "deb-systemd-helper", "deb-systemd-invoke"):
            assert word in scripts["postinst"], word
        program = root / "usr/bin/picket"
        about = run("file", "--brief", program)
        assert MACHINES[arch] in about and "stripped" in about and "not stripped" not in about, about
        # No newer glibc than the package asks for, and no library besides.
        symbols = run("readelf", "--wide", "--dynamic", "--version-info", program)
        needed = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_(\d+\.\d+)", symbols)}
        asked = tuple(map(int, re.search(r"libc6 \(>= (\d+\.\d+)\)", fields["Depends"]).group(1).split(".")))
        assert needed and max(needed) <= asked, f"{max(needed)} is needed, {asked} asked for"
        libraries = set(re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", symbols))
        known = re.compile(r"(libc|libm|libgcc_s|libdl|libpthread|librt|ld-linux.*)\.so\.\d+")
        assert libraries and all(known.fullmatch(name) for name in libraries), libraries
        assert ("libgcc_s.so.1" in libraries) == ("libgcc-s1" in fields["Depends"]), libraries
    said = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root", deb], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    print(f"{deb.name}: {deb.stat().st_size} octets, {len(found)} entries, lintian content")


def main() -> None:
    debs = sorted(Path(sys.argv[1]).glob("picket_*.deb"))
    assert debs, f"there is no package in {sys.argv[1]}"
    for deb in debs:
        check(deb)


if __name__ == "__main__":
    main()
