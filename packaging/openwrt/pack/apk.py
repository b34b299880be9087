"""Writes .apk of version 3, the package of apk-tools 3 (OpenWrt since 25.12): an ADB document and the files, deflated.

The format is that of apk-v3(5) and of the schemas in apk-tools. An ADB document is a heap of values; a value is a word of 32 bits, of
which the first four say what it is and the rest is a small number or an offset into the heap. All numbers are little-endian.

The same input gives the same bytes. Packages are not signed: OpenWrt signs the index of a feed, so a file that is carried by hand is
installed with `apk add --allow-untrusted`.
"""

import hashlib
import struct
import zlib

from tree import Entry, complete

_INT, _INT_32 = 0x1 << 28, 0x2 << 28
_BLOB_8, _BLOB_16, _BLOB_32 = 0x8 << 28, 0x9 << 28, 0xA << 28
_ARRAY, _OBJECT = 0xD << 28, 0xE << 28
_SMALL = 1 << 28
_NULL = 0

_BLOCK_ADB, _BLOCK_DATA = 0, 2
_ALIGNMENT = 8

# Places of the fields in their objects, from 1 (apk_adb.h). Every field below is one of these.
_PACKAGE = {"info": 1, "paths": 2, "scripts": 3}
_INFO = {"name": 1, "version": 2, "hashes": 3, "description": 4, "arch": 5, "license": 6, "origin": 7, "maintainer": 8, "url": 9,
         "installed-size": 12, "depends": 15}
_ACL = {"mode": 1, "user": 2, "group": 3}
_FOLDER = {"name": 1, "acl": 2, "files": 3}
_FILE = {"name": 1, "acl": 2, "size": 3, "mtime": 4, "hash": 5}
_DEPENDENCY = {"name": 1}
SCRIPTS = {"pre-install": 2, "post-install": 3, "pre-deinstall": 4, "post-deinstall": 5, "pre-upgrade": 6, "post-upgrade": 7}

# The id of a package has the length of a SHA-1, whatever it is made with.
_ID_OCTETS = 20


class _Heap:
    """Values, each written once."""

    def __init__(self) -> None:
        # Versions, reserved, and the root value, which is put in at the end.
        self.octets = bytearray(8)
        self._known: dict[tuple[int, bytes], int] = {}

    def _place(self, octets: bytes, alignment: int, shared: bool = True) -> int:
        if shared and (place := self._known.get((alignment, octets))) is not None:
            return place
        self.octets += bytes(-len(self.octets) % alignment)
        place = len(self.octets)
        self.octets += octets
        self._known[(alignment, octets)] = place
        return place

    def number(self, value: int) -> int:
        if value < _SMALL:
            return _INT | value
        return _INT_32 | self._place(struct.pack("<I", value), 4)

    def blob(self, octets: bytes | str, shared: bool = True) -> int:
        octets = octets.encode() if isinstance(octets, str) else octets
        if not octets:
            return _NULL
        if len(octets) < 1 << 8:
            return _BLOB_8 | self._place(struct.pack("<B", len(octets)) + octets, 1, shared)
        if len(octets) < 1 << 16:
            return _BLOB_16 | self._place(struct.pack("<H", len(octets)) + octets, 2, shared)
        return _BLOB_32 | self._place(struct.pack("<I", len(octets)) + octets, 4, shared)

    def _slots(self, kind: int, values: list[int]) -> int:
        while values and values[-1] == _NULL:
            values = values[:-1]
        if not values:
            return _NULL
        # The first slot is their number, itself included.
        return kind | self._place(struct.pack(f"<{len(values) + 1}I", len(values) + 1, *values), 4)

    def array(self, values: list[int]) -> int:
        return self._slots(_ARRAY, values)

    def record(self, places: dict[str, int], fields: dict[str, int]) -> int:
        values = [_NULL] * max(places.values())
        for name, value in fields.items():
            values[places[name] - 1] = value
        return self._slots(_OBJECT, values)


def _block(kind: int, octets: bytes) -> bytes:
    size = 4 + len(octets)
    return struct.pack("<I", kind << 30 | size) + octets + bytes(-size % _ALIGNMENT)


def write(info: dict[str, str], depends: list[str], scripts: dict[str, str], entries: list[Entry], epoch: int) -> bytes:
    """The package: fields of its information, names that it needs, scripts by name, contents."""
    entries = complete(entries)
    heap = _Heap()

    def acl(mode: int) -> int:
        return heap.record(_ACL, {"mode": heap.number(mode), "user": heap.blob("root"), "group": heap.blob("root")})

    folders, data = [], []
    for folder in (entry for entry in entries if entry.data is None):
        files = []
        # By name: the whole path of a folder's entry sorts differently when a name holds what comes before "/".
        inside = sorted((entry for entry in entries if entry.data is not None and entry.folder == folder.path),
                        key=lambda entry: entry.name.encode())
        for file in inside:
            files.append(heap.record(_FILE, {
                "name": heap.blob(file.name),
                "acl": acl(file.mode),
                "size": heap.number(len(file.data)),
                "mtime": heap.number(epoch),
                "hash": heap.blob(hashlib.sha256(file.data).digest()),
            }))
            if file.data:
                # Counted from 1: this folder, this file.
                data.append(struct.pack("<II", len(folders) + 1, len(files)) + file.data)
        folders.append(heap.record(_FOLDER, {
            "name": heap.blob(folder.path), "acl": acl(folder.mode), "files": heap.array(files),
        }))

    identity = heap.blob(b"\0" * _ID_OCTETS, shared=False)
    fields = {key: heap.blob(value) for key, value in info.items()}
    fields["hashes"] = identity
    fields["installed-size"] = heap.number(sum(len(entry.data or b"") for entry in entries))
    fields["depends"] = heap.array([heap.record(_DEPENDENCY, {"name": heap.blob(name)}) for name in sorted(depends)])
    root = heap.record(_PACKAGE, {
        "info": heap.record(_INFO, fields),
        "paths": heap.array(folders),
        "scripts": heap.record(SCRIPTS, {name: heap.blob(text) for name, text in scripts.items()}),
    })
    struct.pack_into("<I", heap.octets, 4, root)
    # The id is the beginning of the document's SHA-256, taken while its own place is empty.
    at = (identity & (_SMALL - 1)) + 1
    heap.octets[at:at + _ID_OCTETS] = hashlib.sha256(heap.octets).digest()[:_ID_OCTETS]

    document = b"ADB.pckg" + _block(_BLOCK_ADB, bytes(heap.octets)) + b"".join(_block(_BLOCK_DATA, part) for part in data)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"ADBd" + deflate.compress(document) + deflate.flush()
