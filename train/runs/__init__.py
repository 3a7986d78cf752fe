"""Runs: what they need, where they are, their figures, and their archives."""
