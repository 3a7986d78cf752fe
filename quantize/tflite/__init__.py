"""Reads and rewrites .tflite files: inspect, shrink, pack."""
