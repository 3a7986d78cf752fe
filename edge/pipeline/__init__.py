"""The order in which a frame is worked on: loop, scheduling, smoothing, load governor, rates."""
