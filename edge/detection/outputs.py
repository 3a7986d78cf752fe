"""What the face networks' outputs mean, in units that let one int8 scale fit all channels.

The proposal network returns a map with four channels for each cell of 8x8 pixels: "face", "dx", "dy", "size".
The refinement network returns seven numbers for a square crop around a box: "face", "dx", "dy", "size",
"roll_sin", "roll_cos", "yaw". In both, "face" is a logit. Training encodes and the device decodes by the
constants here. A face's side is that of the box that the Haar cascade would draw.
"""

from __future__ import annotations

# The proposal network: the centre of cell (row i, column j) lies at pixel (8 * j + 3.5, 8 * i + 3.5), where
# whole numbers are the centres of pixels.
STRIDE_PX = 8
CELL_CENTRE_PX = 3.5
# Sides of the faces that the proposal network is trained to find, in pixels of the picture that it is given.
SIDES_PX = (9.5, 36.0)
# dx and dy: pixels from the cell's centre to the face's centre, divided by this.
PROPOSAL_SHIFT_PX = 8.0
# size: PROPOSAL_SIZE_SCALE * ln(side / PROPOSAL_SIDE_PX).
PROPOSAL_SIDE_PX = 18.0
PROPOSAL_SIZE_SCALE = 2.0

# The refinement network: its crop is a square with CROP_MARGIN times the side of the judged box, resized to
# CROP_SIDE_PX.
CROP_MARGIN = 1.25
CROP_SIDE_PX = 32
# dx and dy: (face's centre - crop's centre) / side of the judged box, times this.
REFINEMENT_SHIFT_SCALE = 8.0
# size: REFINEMENT_SIZE_SCALE * ln(face's side / side of the judged box).
REFINEMENT_SIZE_SCALE = 8.0
# roll_sin and roll_cos: sine and cosine of the head's roll, clockwise in the image, times this.
ROLL_SCALE = 4.0
# yaw: position of the nose between the eyes without its sign, 0 frontal to 1 profile, times this.
YAW_SCALE = 4.0
