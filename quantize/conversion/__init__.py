"""From Keras to int8: folding, equalization, ranges, calibration set, quantization-aware training."""
