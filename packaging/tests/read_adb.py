"""Reads .apk packages of version 3, from the description of the format in apk-v3(5): for tests, and apart from the writer.

Everything that apk-tools would refuse is an error here: blocks out of order, values out of bounds, names out of order, contents that
are not what their hashes say.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Item:
    """A folder, or a file with its contents."""

    mode: int
    owner: tuple[str, str]
    data: bytes | None = None
    mtime: int = 0


@dataclass
class Apk:
    info: dict[str, object]
    scripts: dict[str, str]
    items: dict[str, Item] = field(default_factory=dict)


def _must(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


class _Document:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        compat, _, _, self.root = struct.unpack_from("<BBHI", octets)
        _must(compat == 0, "a version of the format that old readers do not know")

    def _word(self, at: int) -> int:
        _must(at % 4 == 0 and at + 4 <= len(self.octets), f"a word at {at}")
        return struct.unpack_from("<I", self.octets, at)[0]

    def number(self, value: int) -> int:
        kind, rest = value >> 28, value & 0xFFFFFFF
        if kind == 1:
            return rest
        _must(kind == 2, f"no number: {value:#x}")
        return self._word(rest)

    def blob(self, value: int) -> bytes:
        if value == 0:
            return b""
        kind, at = value >> 28, value & 0xFFFFFFF
        width = {8: 1, 9: 2, 10: 4}[kind]
        length = int.from_bytes(self.octets[at:at + width], "little")
        found = self.octets[at + width:at + width + length]
        _must(len(found) == length, "a text beyond the end")
        return found

    def text(self, value: int) -> str:
        return self.blob(value).decode()

    def slots(self, value: int, kind: int) -> list[int]:
        if value == 0:
            return []
        _must(value >> 28 == kind, f"another kind than {kind:#x}: {value:#x}")
        at = value & 0xFFFFFFF
        count = self._word(at)
        _must(count >= 1, "an object without its first slot")
        return [self._word(at + 4 * place) for place in range(1, count)]

    def array(self, value: int) -> list[int]:
        return self.slots(value, 0xD)

    def record(self, value: int, length: int) -> list[int]:
        found = self.slots(value, 0xE)
        _must(len(found) <= length, "an object with more fields than its schema")
        return found + [0] * (length - len(found))


def _blocks(octets: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(octets):
        head = struct.unpack_from("<I", octets, at)[0]
        kind, size = head >> 30, head & 0x3FFFFFFF
        _must(size >= 4 and at + size <= len(octets), "a block beyond the end")
        found.append((kind, octets[at + 4:at + size]))
        after = at + size
        at = -(-after // 8) * 8
        _must(at <= len(octets) and not any(octets[after:at]), "padding that is not zero")
    return found


def _ordered(names: list[bytes], what: str) -> None:
    _must(names == sorted(set(names)), f"{what} out of order")


def read(path: Path) -> Apk:
    raw = path.read_bytes()
    _must(raw[:4] == b"ADBd", "not a deflated ADB")
    inflate = zlib.decompressobj(-15)
    octets = inflate.decompress(raw[4:])
    _must(inflate.eof and not inflate.unused_data, "octets behind the end")
    _must(octets[:8] == b"ADB.pckg", "not a package")
    blocks = _blocks(octets[8:])
    _must([kind for kind, _ in blocks] == [0] + [2] * (len(blocks) - 1), "blocks out of order")
    document = _Document(blocks[0][1])

    info, paths, scripts, triggers, priority = document.record(document.root, 5)
    _must(triggers == 0 and priority == 0, "fields that no package of ours has")
    fields = document.record(info, 22)
    names = ["name", "version", "hashes", "description", "arch", "license", "origin", "maintainer", "url"]
    about: dict[str, object] = {name: document.text(value) for name, value in zip(names, fields) if name != "hashes"}
    about["installed-size"] = document.number(fields[11])
    needs = [document.blob(document.record(one, 4)[0]) for one in document.array(fields[14])]
    _ordered(needs, "dependencies")
    about["depends"] = [name.decode() for name in needs]

    # The id, made while its place was empty.
    identity = document.blob(fields[2])
    at = (fields[2] & 0xFFFFFFF) + 1
    blank = document.octets[:at] + bytes(len(identity)) + document.octets[at + len(identity):]
    _must(len(identity) == 20 and hashlib.sha256(blank).digest()[:20] == identity, "the id is of other contents")

    kinds = ["trigger", "pre-install", "post-install", "pre-deinstall", "post-deinstall", "pre-upgrade", "post-upgrade"]
    texts = {kind: document.text(value) for kind, value in zip(kinds, document.record(scripts, 7)) if value}
    apk = Apk(about, texts)

    contents = iter(blocks[1:])
    folder_names = []
    total = 0
    for folder_place, value in enumerate(document.array(paths), 1):
        name, acl, files = document.record(value, 3)
        folder = document.text(name)
        folder_names.append(document.blob(name))
        mode, user, group, _ = document.record(acl, 4)
        apk.items[folder] = Item(document.number(mode), (document.text(user), document.text(group)))
        file_names = []
        for file_place, one in enumerate(document.array(files), 1):
            name, acl, size, mtime, digest, target = document.record(one, 6)
            _must(target == 0, "a link")
            file_names.append(document.blob(name))
            mode, user, group, _ = document.record(acl, 4)
            data = b""
            if length := document.number(size):
                head, data = (lambda block: (block[:8], block[8:]))(next(contents)[1])
                _must(struct.unpack("<II", head) == (folder_place, file_place), "contents of another file")
                _must(len(data) == length, "contents of another length")
            _must(hashlib.sha256(data).digest() == document.blob(digest), "contents unlike their hash")
            total += len(data)
            path_of = f"{folder}/{document.text(name)}" if folder else document.text(name)
            owner = (document.text(user), document.text(group))
            apk.items[path_of] = Item(document.number(mode), owner, data, document.number(mtime))
        _ordered(file_names, "files")
    _ordered(folder_names, "folders")
    _must(next(contents, None) is None, "contents of no file")
    _must(total == about["installed-size"], "an installed size unlike the contents")
    return apk
