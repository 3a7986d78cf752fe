"""Figures for Prometheus: how the run goes and how many faces there are; never who, and no picture."""
