"""Converts Keras networks to int8: folding, equalization, ranges, calibration, QAT."""
