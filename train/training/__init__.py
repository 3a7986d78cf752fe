"""Epochs: targets, distillation, prefetching, optimizers, the trainer, the run's folder."""
