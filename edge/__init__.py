"""emotiny on the device: faces, emotions and apparent gender from a camera, without a float image."""

__version__ = "0.1.0"
