"""Trains teachers and students on an accelerator that is there for minutes: JAX compiles whole epochs.

Nothing in this package needs TensorFlow, imgaug or the datasets: `python -m train pack` writes what it needs.
"""
