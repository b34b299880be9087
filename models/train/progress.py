"""What a long run shows of itself, on stderr."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
START = time.monotonic()


def say(text: str) -> None:
    """One line with the time since the start."""
    tqdm.write(f"[{time.monotonic() - START:6.0f} s] {text}", file=sys.stderr)


def steps(name: str, items: Sequence[T]) -> Iterator[T]:
    """The items, with a bar on a terminal."""
    return iter(tqdm(items, desc=name, leave=False, disable=None, file=sys.stderr))
