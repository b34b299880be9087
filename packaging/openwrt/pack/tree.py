"""What a package holds: folders and files with their modes, all owned by root."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file, or a folder when there are no data. `path` has no slash in front."""

    path: str
    mode: int
    data: bytes | None = None

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def file(path: str, mode: int, source: Path) -> Entry:
    return Entry(path, mode, source.read_bytes())


def below(prefix: str, root: Path) -> list[Entry]:
    """Every file below `root`, placed below `prefix`; those that may be run here may be run there."""
    found = []
    for source in sorted(root.rglob("*")):
        if source.is_file():
            mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
            found.append(file(prefix + source.relative_to(root).as_posix(), mode, source))
    return found


def complete(entries: list[Entry]) -> list[Entry]:
    """The entries with all folders above them, in the order of their paths. None comes twice."""
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in by_path:
            raise ValueError(f"{entry.path} is there twice")
        by_path[entry.path] = entry
    for entry in entries:
        folder = entry.folder
        while folder and folder not in by_path:
            by_path[folder] = Entry(folder, 0o755)
            folder = folder.rpartition("/")[0]
    return sorted(by_path.values(), key=lambda entry: entry.path.encode())
