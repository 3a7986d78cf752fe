"""The text of --source, and how passwords in it are hidden."""

from __future__ import annotations

import pytest

from edge.errors import ConfigError
from edge.sources.uri import camera_number, redact, v4l2_path


@pytest.mark.parametrize(
    ("source", "masked"),
    [
        ("rtsp://host/a", "rtsp://host/a"),
        ("rtsp://me:pw@host:554/a", "rtsp://***@host:554/a"),
        ("rtsp://me:p@ss/w:rd@host/a", "rtsp://***@host/a"),
        ("rtsp://me:p w@host/a", "rtsp://***@host/a"),
        ("rtsp:/me:pw@host/a", "rtsp:/***@host/a"),
        ("http://host/v?user=a&pw=b", "http://host/v?***"),
        ('gst://rtspsrc user-pw="a b" ! x', "gst://rtspsrc user-pw=*** ! x"),
        ("gst://srtsrc passphrase = abc ! x", "gst://srtsrc passphrase = *** ! x"),
        ("admin:secret@host:554/a", "***@host:554/a"),
        ("rtsp:admin:secret@host/a", "rtsp:***@host/a"),
        ("rtsp//admin:secret@host/a", "***@host/a"),
        ("rtsp://host/user=a&pwd=b", "rtsp://host/user=a&pwd=***"),
        ("gst://rtspsrc user-pw='a b' ! x", "gst://rtspsrc user-pw=*** ! x"),
        ("videos/me@home.mp4", "videos/me@home.mp4"),
        ("gst://x bypass=1 ! y", "gst://x bypass=1 ! y"),
        ("gst://videotestsrc ! x", "gst://videotestsrc ! x"),
    ],
)
def test_passwords_are_redacted(source: str, masked: str) -> None:
    assert redact(source) == masked


def test_a_number_longer_than_any_camera_s_is_none() -> None:
    """Python refuses to parse so many digits."""
    assert v4l2_path("7") == "/dev/video7"
    assert v4l2_path("9" * 5000) is None
    assert camera_number("csi", "1") == 1
    with pytest.raises(ConfigError, match="expected a camera's number"):
        camera_number("csi", "9" * 5000)
