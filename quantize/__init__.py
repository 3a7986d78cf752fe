"""From a trained network to full-integer TFLite, its contract and its model card."""
