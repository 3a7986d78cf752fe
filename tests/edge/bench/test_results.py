"""The bench's tables, its JSON, and the comparison with an earlier run."""

import json
import os
from pathlib import Path

import pytest

from edge.bench.accuracy import Score
from edge.bench.footprint import Footprint
from edge.bench.measure import Cost, Outcome, Spread
from edge.bench.results import (
    Results,
    compare_results,
    format_results,
    is_replaceable,
    read_earlier,
    to_json,
    write_json,
)
from edge.bench.scenes import Scene, Tail
from edge.bench.soak import Sample
from edge.errors import ConfigError, OutputError


def outcome(ms, recall=1.0, switches=0):
    spread = Spread(ms, 2 * ms, 1.0)
    return Outcome(
        Cost(ms, ms / 2, spread, {"detect": Spread(ms / 2, ms, 0.75), "rest": Spread(1.0, 2.0, 0.25)}),
        Score(recall, 0.875, 0.5, 0.25, switches, 100),
    )


TAIL = Tail(1.0, 2.0, 4.0, 6.0)


def results(own_ms=2.0):
    return Results(
        {"machine": "x86_64"},
        {"hall": {"a": outcome(40.0), "b": outcome(20.0, 0.3), "c": outcome(own_ms, 0.98, 3)}},
        {
            name: Footprint(90.0, 100.0 + cpu_s, cpu_s)
            for name, cpu_s in (("parts and source", 2.0), ("first report", 3.0), ("a", 5.0))
        },
        [Scene(4, (640, 480), 1, {"a": 40.0, "b": 20.0, "c": 2.0}, TAIL, {"judge": TAIL}, 0.25, 3.9)],
        [Sample(50, 91.25, 12345, 2)],
    )


def test_the_tables_hold_every_figure():
    lines = list(format_results(results()))
    assert lines[0] == "machine x86_64"
    table = {line.split()[0] + line.split()[1]: line.split() for line in lines if line.startswith("  (")}
    row = next(line.split() for line in lines if line.startswith("  (c) emotiny"))
    assert row[2:] == ["20.0", "10.0", "2.00", "1.00", "0.980", "0.875", "0.500", "0.25", "3"]
    assert table["(b)classic"] is not None
    assert "  (c) frame 2.00 / 4.00; detect 1.00 / 2.00 / 75%, rest 1.00 / 2.00 / 25%" in lines
    assert next(line for line in lines if "first report  " in line).split()[2:] == ["90", "103", "3.00"]
    assert any("1.50 times" in line for line in lines)
    scene = next(line for line in lines if "640x480" in line)
    assert scene.split()[:5] == ["1", "thread", "640x480", "4", "faces"]
    assert scene.split()[-7:] == ["p99", "0.100", "worst", "0.150", "own", "25%", "3.9"]
    assert "      judge 1.00 / 2.00 / 6.00" in lines
    assert lines[-1].split() == ["50", "91.2", "12345", "2"]


def test_identity_switches_are_only_of_the_loop_that_has_identities():
    rows = [line for line in format_results(results()) if line.startswith(("  (a) plain ", "  (b) classic "))]
    assert [row.split()[-1] for row in rows[:2]] == ["-", "-"]


@pytest.mark.parametrize(
    ("own_ms", "verdict"),
    [(2.0, "as before"), (2.2, "as before"), (1.8, "as before"), (4.0, "slower"), (1.0, "faster")],
)
def test_a_loop_is_compared_by_its_ratio_to_the_full_search(tmp_path, own_ms, verdict):
    path = tmp_path / "bench.json"
    write_json(results(), path)
    lines = list(compare_results(results(own_ms), read_earlier(path)))
    ratio = f"{40 / own_ms:.1f}"
    assert f"  hall (c): {ratio} times (a), was 20.0: {verdict}; recall 0.980, was 0.980" in lines
    assert "  hall (b): 2.0 times (a), was 2.0: as before; recall 0.300, was 0.300" in lines


def test_footprints_and_new_clips_are_compared_too(tmp_path):
    path = tmp_path / "bench.json"
    write_json(Results({}, {}, {"a": Footprint(90.0, 100.0, 2.0)}), path)
    lines = list(compare_results(results(), read_earlier(path)))
    assert lines[1:] == ["  hall: not measured then", "  a: peak 105 MB, was 100"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no results of"),
        ("[]", "no results of"),
        ('{"version": 2}', "results of version 2; expected 1"),
        ('{"version": 1}', "no results of"),
        ('{"version": 1, "clips": {"demo": {}}, "footprints": {}}', "no results of"),
        ('{"version": 1, "clips": {}, "footprints": {"a": {"peak_mb": "x"}}}', "no results of"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content, message):
    path = tmp_path / "earlier.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"earlier\.json: {message}"):
        read_earlier(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        read_earlier(tmp_path / "none.json")


def test_results_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch):
    path = tmp_path / "bench.json"
    path.write_text("old")
    write_text = Path.write_text

    def full_disk(self, text, **keywords):
        write_text(self, text[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OutputError, match=r"bench\.json: No space left on device"):
        write_json(results(), path)
    assert [each.name for each in tmp_path.iterdir()] == ["bench.json"]
    assert path.read_text() == "old"


def test_links_and_devices_are_written_to_and_not_replaced(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("target")
    write_json(results(), link)
    assert link.is_symlink()
    assert json.loads((tmp_path / "target").read_text()) == json.loads(to_json(results()))
    write_json(results(), Path(os.devnull))
    assert Path(os.devnull).is_char_device()
    assert not is_replaceable(link)
    assert not is_replaceable(Path(os.devnull))
    assert is_replaceable(tmp_path / "target")
    assert is_replaceable(tmp_path / "new")


def test_a_device_that_takes_nothing_is_an_error(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left"):
        write_json(results(), Path("/dev/full"))
