"""Asks a metrics endpoint, and reads the answer with Prometheus' own parser."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

LIMIT_S = 60


def fetch(port: int, host: str = "127.0.0.1") -> str:
    """Returns the answer as text."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=LIMIT_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text: str = answer.read().decode()
        return text


def scrape(port: int) -> dict[tuple[str, ...], float]:
    """Returns {(name, label values in the order of the labels' names): value}."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(fetch(port))
        for sample in family.samples
    }
