"""Training on several GPUs or by several workers."""
