"""Takes a picture of `emotiny aim` in a drawn room: `python -m tests.support.aim_screenshot docs/aim.png`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from edge.settings.settings import Settings
from tests.support.aim_client import page_of
from tests.support.chromium import Chromium
from tests.support.room import write_room

_SIZE_WH = (1280, 720)
# By then the readings of both people are settled.
_WAIT_S = 6.0


def take_screenshot(path: Path) -> None:
    """Writes the picture as a PNG."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "room.avi")
        write_room(clip, 60)
        browser = Chromium(Path(folder, "profile"))
        try:
            browser.resize(*_SIZE_WH)
            with page_of(Settings(source=str(clip))) as page:
                browser.open(page.url)
                time.sleep(_WAIT_S)
                path.write_bytes(browser.screenshot())
        finally:
            browser.close()


if __name__ == "__main__":
    take_screenshot(Path(sys.argv[1]))
