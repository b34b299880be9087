"""Writes .ipk, the package of opkg: a gzipped tar of `debian-binary`, `data.tar.gz` and `control.tar.gz`.

The same input gives the same bytes: entries are in order, belong to root and carry one time.
"""

import gzip
import io
import tarfile

from tree import Entry, complete


def _tar(entries: list[Entry], epoch: int) -> bytes:
    out = io.BytesIO()
    # The root folder is an entry of its own, as in packages of OpenWrt's own tools.
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in [Entry("", 0o755), *complete(entries)]:
            info = tarfile.TarInfo(f"./{entry.path}")
            info.mode, info.mtime = entry.mode, epoch
            info.uname = info.gname = "root"
            if entry.data is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(entry.data)
                archive.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()


def _gzip(data: bytes) -> bytes:
    # Without a name and a time in its header.
    return gzip.compress(data, compresslevel=9, mtime=0)


def write(control: dict[str, str], description: str, conffiles: list[str], scripts: dict[str, str],
          entries: list[Entry], epoch: int) -> bytes:
    """The package: fields of the control file in their order, configuration files, scripts by name, contents."""
    size = sum(len(entry.data or b"") for entry in entries)
    fields = {**control, "Installed-Size": str(size)}
    text = "".join(f"{key}: {value}\n" for key, value in fields.items())
    lines = description.splitlines()
    text += f"Description: {lines[0]}\n" + "".join(f" {line}\n" for line in lines[1:])
    about = [Entry("control", 0o644, text.encode())]
    if conffiles:
        about.append(Entry("conffiles", 0o644, "".join(f"{path}\n" for path in conffiles).encode()))
    about += [Entry(name, 0o755, script.encode()) for name, script in scripts.items()]

    out = io.BytesIO()
    parts = {
        "debian-binary": b"2.0\n",
        "data.tar.gz": _gzip(_tar(entries, epoch)),
        "control.tar.gz": _gzip(_tar(about, epoch)),
    }
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in parts.items():
            info = tarfile.TarInfo(f"./{name}")
            info.mode, info.mtime, info.size = 0o644, epoch, len(data)
            info.uname = info.gname = "root"
            archive.addfile(info, io.BytesIO(data))
    return _gzip(out.getvalue())
