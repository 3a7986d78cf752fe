"""A program that asks for the page of `emotiny aim`, as its script does, and a loop that serves one."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from edge.aim.options import AimOptions
from edge.aim.sink import AimSink
from edge.pipeline.loop import Pipeline
from edge.settings.settings import Settings
from edge.types import Gray

LIMIT_S = 60.0
VIEWER, OTHER = "0" * 32, "1" * 32


def get(
    port: int, target: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Returns status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request(method, target, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def view(port: int, viewer: str = VIEWER, query: str = "") -> dict[str, Any]:
    """Returns what a viewer gets, once there is a frame."""
    while True:
        status, _, body = get(port, f"/view{query}", {"X-Emotiny-Viewer": viewer})
        assert status == 200, body
        fields: dict[str, Any] = json.loads(body)
        if "picture" in fields:
            return fields


def picture_in(fields: Mapping[str, Any]) -> tuple[str, Gray]:
    """Returns the media type and the pixels of a view's picture."""
    kind, _, text = fields["picture"].removeprefix("data:").partition(";base64,")
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_GRAYSCALE)
    return kind, np.asarray(pixels, dtype=np.uint8)


@contextmanager
def page_of(
    settings: Settings, *, enabled: threading.Event | None = None, **options: Any
) -> Iterator[AimSink]:
    """Runs a loop whose page is open, on a free port.

    Args:
        settings: Settings of the loop.
        enabled: Set while faces are to be read; None for always.
        options: Options of the page.
    """
    stop = threading.Event()
    with (
        AimSink(AimOptions(port=0, **options), settings.detector.min_face, lambda: 300.0) as page,
        Pipeline.from_settings(settings, sinks=[page], enabled=enabled) as pipeline,
    ):
        page.start(lambda: pipeline.tracker.possible_boxes)
        thread = threading.Thread(target=pipeline.run, args=(stop,))
        thread.start()
        try:
            yield page
        finally:
            stop.set()
            thread.join(LIMIT_S)
            assert not thread.is_alive()
