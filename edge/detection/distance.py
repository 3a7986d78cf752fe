"""How far away a face is, by the size of its box."""

from __future__ import annotations

import math

# Horizontal field of view of a Raspberry Pi's camera module 2, in degrees.
FIELD_OF_VIEW_DEG = 62.0
# The Haar box of an adult's face of 15 cm is about 19 cm wide.
_BOX_M = 0.19


def metres(side_px: float, width_px: int, field_of_view_deg: float) -> float:
    """Returns how far away an adult's face is.

    Args:
        side_px: Side of its box in pixels.
        width_px: Width of the frame in pixels.
        field_of_view_deg: Horizontal field of view of the lens in degrees.
    """
    focal_px = width_px / 2 / math.tan(math.radians(field_of_view_deg / 2))
    return _BOX_M * focal_px / side_px


def parse_lens(text: str) -> float:
    """Returns a lens's horizontal field of view in degrees.

    Raises:
        ValueError: the text is not a number of degrees that a lens can have.
    """
    try:
        degrees = float(text)
    except ValueError:
        degrees = math.nan
    if not 10 <= degrees <= 170:
        raise ValueError(f"{text!r}: expected degrees, 10 to 170")
    return degrees
