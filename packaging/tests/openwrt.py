"""The packages for OpenWrt: the right tree, the right control data, the same bytes twice."""

import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

import read_adb

ROOT = Path(__file__).resolve().parent.parent.parent
WRITER = ROOT / "packaging/openwrt/pack/package.py"
EPOCH = 1_790_000_000
ARCH = "aarch64_cortex-a53"
# Stands for the program: what matters is that its octets and its mode arrive.
PROGRAM = b"\x7fELF" + bytes(range(256)) * 1000


def make(out: Path) -> dict[str, Path]:
    """Both packages in both forms, by name and suffix."""
    binary = out / "program"
    out.mkdir(parents=True, exist_ok=True)
    binary.write_bytes(PROGRAM)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    for arguments in ([binary, ARCH, out], ["luci", out]):
        subprocess.run([sys.executable, WRITER, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)
    return {path.name.split("_")[0] + path.suffix: path for path in out.iterdir() if path != binary}


def unpack(path: Path) -> tuple[dict[str, tarfile.TarInfo], dict[str, bytes], dict[str, bytes]]:
    """Entries and contents of an .ipk, and its control files."""
    outer = tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes())))
    parts = {info.name: outer.extractfile(info).read() for info in outer}
    assert list(parts) == ["./debian-binary", "./data.tar.gz", "./control.tar.gz"], parts.keys()
    assert parts["./debian-binary"] == b"2.0\n"

    def inner(name: str) -> tuple[dict[str, tarfile.TarInfo], dict[str, bytes]]:
        archive = tarfile.open(fileobj=io.BytesIO(gzip.decompress(parts[name])))
        infos = {info.name.removeprefix("./"): info for info in archive}
        return infos, {name: archive.extractfile(info).read() for name, info in infos.items() if info.isfile()}

    infos, files = inner("./data.tar.gz")
    return infos, files, inner("./control.tar.gz")[1]


def modes_of_the_feed_package() -> dict[str, int]:
    """What the feed package's Makefile installs: path and mode."""
    text = (ROOT / "packaging/openwrt/picket/Makefile").read_text()
    modes = {"BIN": 0o755, "DATA": 0o644, "CONF": 0o600}
    found = re.findall(r"^\t\$\(INSTALL_(BIN|DATA|CONF)\) \S+ \$\(1\)/(\S+)$", text, re.MULTILINE)
    return {path: modes[kind] for kind, path in found}


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.made = make(Path(cls.folder.name) / "one")
        cls.again = make(Path(cls.folder.name) / "two")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_the_same_bytes_twice(self) -> None:
        self.assertEqual(sorted(self.made), ["luci-app-picket.apk", "luci-app-picket.ipk", "picket.apk", "picket.ipk"])
        for name, path in self.made.items():
            self.assertEqual(path.read_bytes(), self.again[name].read_bytes(), name)

    def test_ipk_holds_what_the_feed_package_holds(self) -> None:
        infos, files, control = unpack(self.made["picket.ipk"])
        wanted = modes_of_the_feed_package()
        self.assertGreater(len(wanted), 5)
        self.assertEqual({name: infos[name].mode for name in files if not name.startswith("lib/")}, wanted)
        self.assertEqual(files["usr/bin/picket"], PROGRAM)
        self.assertEqual(files["usr/share/picket/default.onnx"], (ROOT / "models/default.onnx").read_bytes())
        self.assertEqual(files["lib/upgrade/keep.d/picket"], b"/etc/picket/\n")
        self.assertEqual((infos["etc/picket"].isdir(), infos["etc/picket"].mode), (True, 0o750))
        for name, info in infos.items():
            self.assertEqual((info.uid, info.gid, info.mtime), (0, 0, EPOCH), name)
            above = name.rpartition("/")[0]
            self.assertTrue(not above or above in infos, f"{above} is not there before {name}")
        self.assertEqual(control["conffiles"], b"/etc/config/picket\n")
        fields = dict(line.split(": ", 1) for line in control["control"].decode().splitlines() if not line.startswith(" "))
        version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        expected = {"Package": "picket", "Version": f"{version}-r1", "Architecture": ARCH, "Require-User": "picket=977:picket=977",
                    "Installed-Size": str(sum(map(len, files.values())))}
        self.assertEqual({key: fields.get(key) for key in expected}, expected)
        self.assertNotIn("Depends", fields, "an unknown name there makes opkg blame the architecture")
        makefile = (ROOT / "packaging/openwrt/picket/Makefile").read_text()
        self.assertIn("USERID:=picket=977:picket=977", makefile)

    def test_apk_holds_the_same_as_ipk(self) -> None:
        for name in ("picket", "luci-app-picket"):
            infos, files, _ = unpack(self.made[f"{name}.ipk"])
            apk = read_adb.read(self.made[f"{name}.apk"])
            ours = {path: item for path, item in apk.items.items() if not path.startswith("lib/apk")}
            self.assertEqual({path: item.data for path, item in ours.items() if item.data is not None}, files)
            for path, item in ours.items():
                if path in infos:
                    self.assertEqual(item.mode, infos[path].mode, path)
            for path, item in apk.items.items():
                self.assertEqual(item.owner, ("root", "root"), path)
                self.assertEqual(item.mtime, EPOCH if item.data is not None else 0, path)

    def test_apk_says_what_openwrt_wants_to_know(self) -> None:
        apk = read_adb.read(self.made["picket.apk"])
        self.assertEqual((apk.info["name"], apk.info["arch"], apk.info["depends"]), ("picket", ARCH, []))
        self.assertTrue(str(apk.info["version"]).endswith("-r1"))
        about = {path.removeprefix("lib/apk/packages/picket."): item.data.decode() for path, item in apk.items.items()
                 if path.startswith("lib/apk/packages/picket.")}
        self.assertEqual(about["rusers"], "picket=977:picket=977\n")
        self.assertEqual(about["conffiles"], "/etc/config/picket\n/etc/picket/\n")
        config = apk.items["etc/config/picket"].data
        self.assertEqual(about["conffiles_static"], f"/etc/config/picket {hashlib.sha256(config).hexdigest()}\n")
        listed = about["list"].splitlines()
        self.assertEqual(listed, sorted(f"/{path}" for path, item in apk.items.items()
                                        if item.data is not None and not path.startswith("lib/apk")))
        self.assertEqual(sorted(apk.scripts), ["post-install", "post-upgrade", "pre-deinstall"])
        self.assertIn("add_group_and_user", apk.scripts["post-install"])
        self.assertIn("PKG_UPGRADE=1", apk.scripts["post-upgrade"])
        for script in apk.scripts.values():
            self.assertTrue(script.startswith("#!/bin/sh\n"))
            subprocess.run(["sh", "-n"], input=script.encode(), check=True)

    def test_luci_depends_on_what_it_shows(self) -> None:
        apk = read_adb.read(self.made["luci-app-picket.apk"])
        self.assertEqual((apk.info["arch"], apk.info["depends"]), ("noarch", ["luci-base", "picket"]))
        self.assertEqual(apk.items["usr/libexec/rpcd/luci.picket"].mode, 0o755)

    def test_a_damaged_apk_is_noticed(self) -> None:
        import zlib
        raw = self.made["picket.apk"].read_bytes()
        octets = bytearray(zlib.decompress(raw[4:], -15))
        path = Path(self.folder.name) / "damaged.apk"
        # One octet of the description, one of a file's contents.
        for at in (octets.index(b"Intrusion"), octets.index(PROGRAM[:300]) + 290):
            broken = bytearray(octets)
            broken[at] ^= 1
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            path.write_bytes(b"ADBd" + deflate.compress(bytes(broken)) + deflate.flush())
            with self.assertRaises(ValueError):
                read_adb.read(path)


if __name__ == "__main__":
    unittest.main()
