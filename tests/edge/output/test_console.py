import io
from dataclasses import replace

from edge.output.console import ConsoleSink
from edge.types import BoardState, Box
from tests.support.clock import Clock

BOX, OTHER = Box(10, 20, 60, 60), Box(200, 100, 80, 80)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_elsewhere_than_on_a_terminal_a_line_is_shown_every_second(frame_and_report):
    stream, clock = io.StringIO(), Clock()
    sink = ConsoleSink(stream, clock)
    for number in range(20):
        sink.send(*frame_and_report(number, BOX, OTHER))
        clock.now_s += 0.125
    sink.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4  # at 0, 1 and 2 seconds, and the last
    assert lines[1] == (
        "    0.67 s   14.1 FPS processed, 30.0 captured, 3 dropped"
        "  |  #1 happy 81%, apparent gender female 75%  |  #2 happy 81%, apparent gender female 75%"
    )


def test_a_frame_without_faces(frame_and_report):
    stream = io.StringIO()
    ConsoleSink(stream).send(*frame_and_report(0))
    assert stream.getvalue().endswith("|  no face\n")


def test_a_terminal_is_redrawn_in_place_five_times_a_second(frame_and_report, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream, clock = Terminal(), Clock()
    sink = ConsoleSink(stream, clock)
    for number in range(11):
        boxes = (BOX, OTHER) if number < 3 else ()
        sink.send(*frame_and_report(number, *boxes))
        clock.now_s += 0.0625
    sink.close()
    start, *blocks = stream.getvalue().split("\x1b[J")
    assert start == ""
    # Each block ends with the way back up over itself, but for the last.
    assert [block.splitlines()[-1] for block in blocks] == ["\x1b[3F", "\x1b[2F", "\x1b[2F", "  no face"]
    assert [len(block.splitlines()) for block in blocks] == [4, 3, 3, 2]
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 39


def test_the_state_of_the_board_is_shown(frame_and_report):
    frame, report = frame_and_report(7, BOX)
    stream = io.StringIO()
    state = BoardState(81.25, ("under-voltage", "throttled"))
    ConsoleSink(stream).send(frame, replace(report, board=state))
    assert "3 dropped, 81 °C, under-voltage, throttled  |  #1 happy" in stream.getvalue()
