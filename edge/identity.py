"""Gives every face a number that it keeps while it is followed from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

from edge.types import Box

_MIN_IOU = 0.3
_HOLD_S = 1.0


class Identities:
    """Numbers from 1, never given twice.

    A box carries on the number of the remembered face it overlaps most, best overlaps first. A face that
    is missed is remembered for a second, where it was last seen.
    """

    def __init__(self) -> None:
        self._last_id = 0
        self._remembered: dict[int, tuple[Box, float]] = {}

    def assign(self, boxes: Sequence[Box], at_s: float) -> list[int]:
        """A number for each box of a frame.

        Args:
            boxes: the faces found in it.
            at_s: when it was captured, in seconds.

        Returns:
            As many numbers, all different.
        """
        known = {id_: box for id_, (box, seen_s) in self._remembered.items() if at_s - seen_s <= _HOLD_S}
        pairs = sorted(
            ((box.iou(seen), -id_, index) for index, box in enumerate(boxes) for id_, seen in known.items()),
            reverse=True,
        )
        ids: dict[int, int] = {}
        for iou, negative_id, index in pairs:
            if iou >= _MIN_IOU and index not in ids and -negative_id in known:
                ids[index] = -negative_id
                del known[-negative_id]
        for index in range(len(boxes)):
            if index not in ids:
                self._last_id += 1
                ids[index] = self._last_id
        self._remembered = {id_: self._remembered[id_] for id_ in known}
        self._remembered |= {ids[index]: (box, at_s) for index, box in enumerate(boxes)}
        return [ids[index] for index in range(len(boxes))]
