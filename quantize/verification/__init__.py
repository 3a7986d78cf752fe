"""Compares int8 files with their float networks: fidelity, SQNR, runtimes."""
