"""The report of a board: its tables."""

import re

import pytest

import edge
from edge.bench import report
from edge.bench.report import COLUMNS, BoardMeasurements, board_report, format_report
from edge.system.platform import Platform
from edge.types import BoardState

PI = Platform("Raspberry Pi 4 Model B Rev 1.4", "Debian GNU/Linux 12 (bookworm)", "bookworm")
MEASURED = BoardMeasurements(
    ms={"a": 420.0, "b": 150.0, "c": 12.0},
    fps=125.4,
    threads=4,
    start_s=2.14,
    peak_mb=119.6,
    before=BoardState(47.7, ()),
    after=BoardState(81.2, ("throttled", "frequency capped")),
    elapsed_s=41.3,
)


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_tables_hold_what_was_measured():
    lines = list(format_report(PI, {"Python": "3.11.2"}, MEASURED))
    assert lines[0] == f"### emotiny {edge.__version__} on {PI.model}"
    assert lines[2].startswith("Left out: names of people, ")
    table = dict(map(cells, [line for line in lines if line.startswith("|")][:10]))
    assert table["milliseconds a frame"].startswith("(a) 420.0, (b) 150.0, (c) 12.0, one thread")
    assert table["times as fast"] == "as (a) 35.0, as (b) 12.5"
    assert table["frames a second"] == "125 with the default number of detection threads (4), 83 with one"
    assert table["peak memory"] == "120 MB"
    assert table["degrees Celsius"] == "48 before, 81 after 41 s"
    assert table["throttling"] == "before: nothing reported; after: throttled, frequency capped"
    header, rule, row = map(cells, lines[-3:])
    assert header == list(COLUMNS)
    assert len(rule) == len(row) == len(COLUMNS)
    assert row[0] == PI.model
    assert row[2:] == ["board", "35.0", "12.5", "125", "120 MB", "2.1 s"]


def test_a_cell_holds_neither_a_line_break_nor_a_bare_bar():
    lines = list(format_report(PI, {"Python": "3.11.2", "cameras": "Cam | of\nmine"}, MEASURED))
    assert "| cameras | Cam \\| of mine |" in lines


def test_a_machine_that_is_no_board_is_not_called_one():
    lines = list(format_report(Platform(name="Debian"), {"Python": "3.11.2"}, MEASURED))
    assert cells(lines[-1])[2] == "no board"


@pytest.mark.parametrize(("state", "said", "warned"), [("active", "active", True), ("", "no systemd", False)])
def test_a_running_service_is_reported_and_warned_of(monkeypatch, capsys, state, said, warned):
    monkeypatch.setattr(report, "service_state", lambda: state)
    monkeypatch.setattr(report, "first_camera", lambda: "no camera can be opened")
    monkeypatch.setattr(report, "measure_board", lambda: MEASURED)
    lines = list(board_report())
    assert any(line.startswith(f"| service | {said}") for line in lines)
    assert ("systemctl stop emotiny" in capsys.readouterr().err) == warned
