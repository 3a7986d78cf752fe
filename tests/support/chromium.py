"""A real browser without a screen, driven over a pipe by the Chrome DevTools Protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    _PROGRAM is None, reason="no browser: apt-get install --no-install-recommends chromium"
)
# The browser reads from descriptor 3 and writes to 4.
_EXEC = """import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

# Pictures that are loaded when they come into view are loaded now.
_FAULTS = """(async () => {
  const faults = [], pictures = [...document.images];
  for (const picture of pictures) picture.loading = "eager";
  await Promise.all(pictures.map((picture) => picture.decode().catch(() => 0)));
  for (const picture of pictures)
    if (!picture.naturalWidth) faults.push(`not loaded: ${picture.src.slice(0, 200)}`);
  const width = document.documentElement.scrollWidth;
  if (width > window.innerWidth) faults.push(`${width} pixels wide in a window of ${window.innerWidth}`);
  return faults;
})()"""
SCREENS = pytest.mark.parametrize(("width", "height", "phone"), [(1280, 800, False), (390, 844, True)])


class Chromium:
    """One tab. Every method fails if the browser ends.

    Attributes:
        complaints: Texts of what the browser has logged, such as a violation of the page's policy, and
            scripts' errors.
        requests: Addresses that pages have asked for.
    """

    def __init__(self, folder: Path) -> None:
        """Starts the browser.

        Args:
            folder: New folder for its profile.
        """
        assert _PROGRAM is not None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._number = 0
        self._pending = b""
        self._loaded = False
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _EXEC, str(reads), str(writes), _PROGRAM),
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
                *("--no-first-run", "--disable-extensions", "--remote-debugging-pipe"),
                *("--hide-scrollbars", f"--user-data-dir={folder}", "about:blank"),
            ],
            pass_fds=(reads, writes),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._session = ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network"):
            self._ask(f"{domain}.enable")

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Sets the size of the window in CSS pixels."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def open(self, url: str) -> None:
        """Opens a page, and waits until it is loaded."""
        self._loaded = False
        self._ask("Page.navigate", url=url)
        while not self._loaded:
            self._receive()

    def evaluate(self, script: str) -> Any:
        """Returns the value of an expression in the page; waits for a promise."""
        done = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def faults(self) -> list[str]:
        """Returns what is wrong with the page: wider than the window, pictures that are not loaded."""
        found: list[str] = self.evaluate(_FAULTS)
        return found

    def screenshot(self) -> bytes:
        """Returns what the window shows as a PNG."""
        return base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"])

    def close(self) -> None:
        """Ends the browser."""
        os.close(self._to)
        self._process.kill()
        self._process.wait()
        os.close(self._from)

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            received = os.read(self._from, 1 << 16)
            assert received, "the browser has ended"
            self._pending += received
        text, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        event = message.get("method")
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Log.entryAdded":
            self.complaints.append(message["params"]["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif event == "Runtime.consoleAPICalled" and message["params"]["type"] == "error":
            self.complaints.append(str(message["params"]["args"]))
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))
        return message
