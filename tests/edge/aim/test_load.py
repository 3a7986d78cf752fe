"""What a viewer costs the loop. `pytest -s tests/edge/aim/test_load.py` prints the frames per second."""

import contextlib
import socket
import threading
import time

import pytest

from edge.aim.options import AimOptions
from edge.aim.sink import AimSink
from edge.pipeline.loop import Pipeline
from edge.settings.settings import Settings
from tests.support.aim_client import LIMIT_S, VIEWER, get

FRAMES, ROUNDS = 150, 3
# The machine may do something else meanwhile. A loop that waited for the slow viewer would be a hundred times
# slower.
LEAST_SHARE = 0.4


def fast_viewer(port, done):
    """Asks as often as it is answered."""
    seen = 0
    while not done.is_set():
        seen += get(port, "/view", {"X-Emotiny-Viewer": VIEWER})[0] == 200
    return seen


def slow_viewer(port, done):
    """Reads one byte a second of each of as many connections as it gets, with next to no buffer."""
    request = f"GET /view HTTP/1.1\r\nHost: localhost\r\nX-Emotiny-Viewer: {VIEWER}\r\n\r\n".encode()
    seen = 0
    with contextlib.ExitStack() as stack:
        clients: list[socket.socket] = []
        while not done.is_set():
            if len(clients) < 8:
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                client.settimeout(LIMIT_S)
                client.connect(("127.0.0.1", port))
                client.sendall(request)
                clients.append(client)
            client = clients.pop(0)
            client.settimeout(0.2)
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                got = client.recv(1)
                seen += len(got)
                if got:
                    clients.append(client)
            done.wait(1 / 8)
    return seen


@pytest.fixture
def rate(tiny):
    """Returns frames per second of a loop whose page has some viewer."""

    def measure(viewer=None):
        settings = Settings(source="demo", fast=True, models=tiny)
        with (
            AimSink(AimOptions(port=0, show_picture=True), 24, lambda: 300.0) as page,
            Pipeline.from_settings(settings, sinks=[page]) as pipeline,
        ):
            page.start()
            done, seen = threading.Event(), []
            thread = None
            if viewer is not None:
                thread = threading.Thread(target=lambda: seen.append(viewer(page.port, done)))
                thread.start()
            began_s = time.monotonic()
            frames = pipeline.run(max_frames=FRAMES).frames
            took_s = time.monotonic() - began_s
            done.set()
            page.close()
            if thread is not None:
                thread.join(LIMIT_S)
                assert seen[0] > 0
        return frames / took_s

    return measure


def test_no_viewer_slows_the_loop_down(rate):
    rates = [(rate(), rate(fast_viewer), rate(slow_viewer)) for _ in range(ROUNDS)]
    # The best of each, because what else the machine does only makes it slower.
    alone, with_viewer, with_slow_viewer = map(max, zip(*rates, strict=True))
    shares = [with_viewer / alone, with_slow_viewer / alone]
    print(
        f"\nframes per second: {alone:.0f} without a viewer, {with_viewer:.0f} with one ({shares[0]:.2f}), "
        f"{with_slow_viewer:.0f} with a slow one ({shares[1]:.2f})"
    )
    assert min(shares) > LEAST_SHARE
