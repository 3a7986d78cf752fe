"""Makes full-integer TFLite files of trained networks, with their contracts and model cards."""
