"""Searches for the structure of a small network: gates that are trained, random draws, and pruning."""
