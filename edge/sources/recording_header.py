"""Which files FFmpeg is asked to play: recordings, told by their first bytes.

FFmpeg takes many things for a video: a list of addresses to load, a folder of JPEG 2000 pictures, a
description of a network stream.
"""

from __future__ import annotations

# How much of a file `is_recording` needs.
HEAD_BYTES = 512

_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska and WebM
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",  # MPEG video without a container
    b"\x00\x00\x01\xb0",  # MPEG-4 video without a container
    b"\x00\x00\x00\x01",  # H.264 and H.265 without a container
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF and WMV
    b"FLV\x01",
    b"OggS",
    b"DKIF",  # IVF
    b"\xff\xd8\xff",  # JPEGs one after the other
)
# The first box of an MP4 or QuickTime file.
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
# The first byte of a packet of an MPEG transport stream; its length in a broadcast, and in a camera's file,
# where a time of 4 bytes comes first.
_SYNC, _PACKETS = 0x47, ((0, 188), (4, 192))


def is_recording(head: bytes) -> bool:
    """Returns whether a file is of a kind that cameras and video editors write.

    Args:
        head: The first `HEAD_BYTES` of the file, or all of a shorter one.
    """
    return (
        head.startswith(_STARTS)
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head[4:8] in _BOXES
        or any(
            head[first : first + 1] == head[first + length : first + length + 1] == bytes((_SYNC,))
            for first, length in _PACKETS
        )
    )
