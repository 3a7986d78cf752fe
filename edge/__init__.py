"""emotiny on the device: faces, emotions and apparent gender from a camera, without a float image."""

from edge.version import __version__

__all__ = ["__version__"]
