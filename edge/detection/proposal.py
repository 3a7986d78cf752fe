"""Proposes faces with a small fully-convolutional network on reduced copies of the frame.

The network is in the manner of MTCNN's P-Net (Zhang et al. 2016, arXiv:1604.02878), with the centre heat map
of CenterNet (Zhou et al. 2019, arXiv:1904.07850).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from edge.detection.candidate import Candidate
from edge.detection.image import downscale
from edge.detection.outputs import (
    CELL_CENTRE_PX,
    PROPOSAL_SHIFT_PX,
    PROPOSAL_SIDE_PX,
    PROPOSAL_SIZE_SCALE,
    SIDES_PX,
    STRIDE_PX,
)
from edge.detection.search import SearchPart, SearchScale, plan_search
from edge.inference.network import Network
from edge.inference.preprocess import normalize_contrast
from edge.types import Gray

# A window of 320x240 takes a third of a millisecond on a desktop processor.
_SCALE = SearchScale((14.0, SIDES_PX[1]), max_pixels=81_920)
_MAX_CANDIDATES = 24  # in a window, those with the highest confidence
_SHAPES = 12  # sizes of windows for which an interpreter is kept
# To open an interpreter takes as long as several frames. For frames of the commonest size it is done at the
# start; for larger ones, which take longer anyway, with the first frame.
_COMMONEST_HW = (480, 640)


class ProposalNetwork:
    """Proposes faces in windows of a frame.

    Attributes:
        name: Path of the network's file.
        patience: 1.0.
    """

    patience = 1.0

    def __init__(
        self, path: Path | None = None, smallest_px: float = 24, threshold: float = 0.3, threads: int = 1
    ) -> None:
        """Opens the network.

        Args:
            path: The .tflite file or its contract; None for the network that comes with the package.
            smallest_px: Side of the smallest face in pixels of the frame.
            threshold: Least confidence of a candidate, 0 to 1.
            threads: Processor threads.

        Raises:
            ModelError: a file is missing, damaged or not what its contract describes.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self._smallest_px = smallest_px
        self._base = network = Network.open(path, "proposal", threads)
        self.name = network.contract.name
        self._networks: dict[tuple[int, int], Network] = {}
        self._scale, self._zero_point = network.scale, network.zero_point
        self._temperature = network.contract.temperature
        logit = math.log(threshold / (1 - threshold)) * self._temperature
        self._least_code = math.ceil(logit / self._scale) + self._zero_point
        for part in self.plan(_COMMONEST_HW):
            self._network(_padded_hw(part))

    def plan(self, frame_hw: tuple[int, int]) -> tuple[SearchPart, ...]:
        """Returns the parts in which a frame of (height, width) is searched, smallest faces first."""
        return plan_search(frame_hw, self._smallest_px, _SCALE)

    def propose(self, gray: Gray, part: SearchPart) -> list[Candidate]:
        """Searches one part of a frame.

        Args:
            gray: (H, W) uint8.
            part: A part of the plan for frames of this size.

        Returns:
            Squares that may hold a face, most confident first; they may reach beyond the frame.
        """
        area, (width, height) = part.area, part.size_wh
        window = gray[area.y : area.y + area.height, area.x : area.x + area.width]
        window = normalize_contrast(downscale(window, part.size_wh))
        padded_hw = _padded_hw(part)
        if padded_hw != (height, width):
            bottom, right = padded_hw[0] - height, padded_hw[1] - width
            window = cast("Gray", cv2.copyMakeBorder(window, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        maps = self._network(padded_hw).run(window)
        faces = cv2.extractChannel(maps, 0)
        (cells,) = (faces >= self._least_code).ravel().nonzero()
        if not len(cells):
            return []  # as in most windows
        # A cell counts where none of its eight neighbours is higher: non-maximum suppression of centres.
        highest = cv2.dilate(faces.astype(np.int16), _NEIGHBOURS).take(cells).tolist()
        columns, channels = maps.shape[1:]
        found = zip(
            cells.tolist(), maps.reshape(-1, channels).take(cells, axis=0).tolist(), highest, strict=True
        )
        peaks = [(cell, codes) for cell, codes, most in found if codes[0] == most]
        peaks.sort(key=lambda peak: -peak[1][0])
        return [
            self._candidate(part, divmod(cell, columns), codes) for cell, codes in peaks[:_MAX_CANDIDATES]
        ]

    def _candidate(self, part: SearchPart, cell: tuple[int, int], codes: list[int]) -> Candidate:
        """Decodes one cell of the map."""
        zero_point, scale = self._zero_point, self._scale
        logit, dx, dy, size = [(code - zero_point) * scale for code in codes]
        side = PROPOSAL_SIDE_PX * math.exp(size / PROPOSAL_SIZE_SCALE) * part.reduction
        # In pixels of the window, whose whole numbers are centres of pixels.
        row, column = cell
        x = STRIDE_PX * column + CELL_CENTRE_PX + PROPOSAL_SHIFT_PX * dx + 0.5
        y = STRIDE_PX * row + CELL_CENTRE_PX + PROPOSAL_SHIFT_PX * dy + 0.5
        return Candidate(
            part.area.x + x * part.reduction,
            part.area.y + y * part.reduction,
            side,
            1 / (1 + math.exp(-logit / self._temperature)),
        )

    def _network(self, size_hw: tuple[int, int]) -> Network:
        """Returns the network for windows of this size."""
        if size_hw not in self._networks:
            if len(self._networks) >= _SHAPES:
                self._networks.clear()
            self._networks[size_hw] = self._base.resized(size_hw)
        return self._networks[size_hw]


_NEIGHBOURS = np.ones((3, 3), np.uint8)


def _padded_hw(part: SearchPart) -> tuple[int, int]:
    """Returns height and width of a window that is padded to whole cells."""
    width, height = part.size_wh
    return height + -height % STRIDE_PX, width + -width % STRIDE_PX
