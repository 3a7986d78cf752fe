"""What a viewer gets of a frame: a picture of it, what was read, and the ruler."""

from __future__ import annotations

import base64
import json
from typing import Any

import cv2

from edge.aim.latest import Shot
from edge.aim.options import AimOptions
from edge.aim.outline import outline
from edge.detection.distance import metres
from edge.output.jsonl import report_to_dict

# The longer side of a real picture, and its JPEG's quality of 100.
_SIDE, _QUALITY = 640, 70


class ViewMaker:
    """Turns shots into JSON.

    Args:
        options: Whether the picture itself is shown, and the lens.
        min_face_px: Side of the smallest face that is searched for.
        is_turned: Whether the frame is rotated by 90 or 270 degrees, so that its height is what the lens
            sees horizontally.
    """

    def __init__(self, options: AimOptions, min_face_px: int, *, is_turned: bool) -> None:
        self._options = options
        self._min_face_px = min_face_px
        self._is_turned = is_turned

    def view(self, shot: Shot, left_s: float) -> bytes:
        """Returns a shot as JSON; see `page.js` for its fields.

        Args:
            shot: The frame.
            left_s: Seconds until the page ends.
        """
        height, width = shot.gray.shape
        distance_m = metres(self._min_face_px, height if self._is_turned else width, self._options.lens_deg)
        fields: dict[str, Any] = {
            "shot": shot.number,
            "left_s": round(left_s),
            "real": self._options.show_picture,
            "picture": self._picture(shot),
            "size": [width, height],
            "smallest_px": self._min_face_px,
            "smallest_m": round(distance_m, 1),
            "lens": self._options.lens_deg,
            "report": report_to_dict(shot.report),
        }
        return json.dumps(fields, allow_nan=False).encode()

    def _picture(self, shot: Shot) -> str:
        """Returns the picture as a data URL. Lines are a PNG, which keeps them sharp and small."""
        if not self._options.show_picture:
            boxes = (*shot.possible_faces, *(face.box for face in shot.report.faces))
            lines = outline(shot.gray, boxes)
            return _data_url("image/png", cv2.imencode(".png", lines)[1].tobytes())
        scale = min(1.0, _SIDE / max(shot.gray.shape))
        small = cv2.resize(shot.gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        return _data_url("image/jpeg", jpeg.tobytes())


def waiting_view(reason: str | None, left_s: float) -> bytes:
    """Returns the JSON for a moment without a frame, and why there is none."""
    return json.dumps({"waiting": reason, "left_s": round(left_s)}).encode()


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
