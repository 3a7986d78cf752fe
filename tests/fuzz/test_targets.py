"""Some damaged inputs for each target; `make fuzz` tries more of them for longer."""

import pytest

from tests.fuzz.campaign import Plan, fuzz
from tests.fuzz.mutate import MAX_BYTES, Mutator
from tests.fuzz.report import table
from tests.fuzz.target import TARGETS, open_target
from tests.support.runtimes import NEEDS_TFLITE

INPUTS, SLOW_INPUTS = 50, 10
# Bytes of all corpora together, which are drawn, encoded or read from files that are there anyway.
LARGEST_CORPUS_BYTES = 1_000_000


@pytest.fixture(autouse=True)
def same_runtime_afterwards(monkeypatch):
    """Forgets the runtime that a target chose for all of its process."""
    monkeypatch.setenv("EMOTINY_RUNTIME", "")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=NEEDS_TFLITE) if "tflite" in name else name for name in TARGETS],
)
def test_damaged_inputs_break_nothing(tmp_path, name):
    most = SLOW_INPUTS if name == "streams" else INPUTS
    plan = Plan(seed=1, seconds=60.0, most=most, sample_every=0)
    tally = fuzz(name, TARGETS[name], plan, (tmp_path / "work", tmp_path / "failed"), lambda count: None)
    assert not tally.failures, "\n".join(table([tally]))
    assert tally.inputs > 0


def test_the_same_seed_gives_the_same_inputs():
    corpus = [b"one = 1\n", b"two = 2\n"]
    first, again, other = (Mutator(seed, [b"word"]) for seed in (7, 7, 8))
    inputs = [first.mutate(corpus) for _ in range(300)]
    assert inputs == [again.mutate(corpus) for _ in range(300)]
    assert inputs != [other.mutate(corpus) for _ in range(300)]
    assert len(set(inputs)) > 200
    assert any(b"word" in each for each in inputs)
    assert max(map(len, inputs)) <= MAX_BYTES
    assert [Mutator(1).mutate([b""]) for _ in range(300)]


def test_the_corpus_of_each_target_is_the_same_each_time(tmp_path):
    for name in ("toml", "contracts", "mqtt", "pictures"):
        corpus = open_target(TARGETS[name], tmp_path / name).corpus()
        assert corpus == open_target(TARGETS[name], tmp_path / name).corpus()
        assert sum(map(len, corpus)) < LARGEST_CORPUS_BYTES
