"""Sources of frames: cameras, streams, files, the demo, and reconnecting to a camera that disappeared."""
