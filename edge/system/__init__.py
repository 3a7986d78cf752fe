"""This machine: platform, temperature, permissions, requirements, signals, log. No camera, no network."""
