"""What fails is saved, counted and shown with the command that repeats it."""

from tests.fuzz.campaign import Plan, fuzz
from tests.fuzz.report import table
from tests.support.fuzz_targets import PLACE, Faulty


def test_each_kind_of_failure_is_saved_once(tmp_path, monkeypatch):
    monkeypatch.setattr(Faulty, "corpus", lambda _: [b"accept", b"refuse", b"raise", b"raise", b"log"])
    counts: list[int] = []
    plan = Plan(seed=1, seconds=60.0, most=5, sample_every=0)
    tally = fuzz("faulty", PLACE, plan, (tmp_path / "work", tmp_path / "failed"), counts.append)
    assert (tally.accepted, tally.refused, tally.failures) == (1, 1, 3)
    assert sum(counts) == tally.inputs == 5
    assert sorted(path.read_bytes() for path, _ in tally.saved) == [b"log", b"raise"]
    shown = "\n".join(table([tally]))
    for path, text in tally.saved:
        assert path.with_name(f"{path.name}.txt").read_text() == text
        assert f"--target faulty --replay {path}" in shown
    assert "faulty: ZeroDivisionError" in shown
    assert "faulty: logged by edge: two" in shown
