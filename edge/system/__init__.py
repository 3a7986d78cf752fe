"""This machine: platform, temperature, permissions, signals and journal. No camera, no network."""
