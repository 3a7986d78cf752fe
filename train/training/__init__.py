"""Training: the data of each epoch, distillation, optimizers, the trainer, and the run's folder."""
