"""Metrics for Prometheus: how the run goes and how many faces there are; no identities and no images."""
