"""A short walk, so that `make test-chaos` keeps working."""

from __future__ import annotations

from tests.chaos.walk import summary, walk
from tests.support.broker import needs_mosquitto


@needs_mosquitto
def test_a_short_walk(tmp_path):
    names = ("other faces in view", "valid settings", "invalid settings", "program killed")
    record = walk(tmp_path, 3, 60, steps=4, names=names, pause_s=0)
    assert not record.failure, record.failure
    assert sum(record.counts[name] for name in names) == 4, summary(record)
