"""The options of `bench`, apart from its work: `run` reads them too, and should not wait for more."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def add_options(command: argparse.ArgumentParser, size: Callable[[str], tuple[int, int]]) -> None:
    """Adds them; `size` reads a width and height."""
    add = command.add_argument
    add("clips", nargs="*", metavar="CLIP", help="videos, or demo (demo)")
    add("--size", dest="size_wh", type=size, metavar="WxH", help="picture size (what the clip has)")
    add("--frames", type=int, default=150, metavar="N", help="of each clip at most (%(default)s)")
    add("--runs", type=int, default=3, metavar="N", help="of each loop, in turn (%(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="of OpenCV and of each network (%(default)s)")
    add(
        "--scenes",
        action="store_true",
        help="1 to 16 faces, 320x240 to 1920x1080, one and two threads; "
        "`python -m train bench-plot FILE OUT.png` draws what --json FILE holds of them",
    )
    add("--footprint", action="store_true", help="memory and start of fresh processes")
    add("--long", type=int, default=0, metavar="N", help="N frames on, does the loop grow?")
    add("--json", type=Path, metavar="FILE", help="write all figures into it")
    add("--against", type=Path, metavar="FILE", help="compare with what --json wrote earlier")
    add("--report", action="store_true", help="a table about this board, to paste into an issue; alone")
