import io
import json
from dataclasses import replace

import jsonschema
import pytest

from edge.errors import OutputError
from edge.labels import EMOTIONS, GENDERS
from edge.output.console import ConsoleSink
from edge.output.jsonl import SCHEMA_PATH, JsonLinesSink, report_to_dict
from edge.output.prometheus.settings import MetricsSettings
from edge.output.prometheus.sink import MetricsSink
from edge.output.sink import MemorySink
from edge.output.video import PictureSink, VideoSink
from edge.types import BoardState, Box, Scores

SCHEMA = json.loads(SCHEMA_PATH.read_text())
BOX, OTHER = Box(10, 20, 60, 60), Box(200, 100, 80, 80)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 5.0

    def __call__(self):
        return self.now


class Broken(io.StringIO):
    """A stream on something that cannot be written to."""

    name = "<stdout>"

    def __init__(self, path, error):
        super().__init__()
        self._file = path.open("w")
        self._error = error

    def write(self, text):
        raise self._error

    def fileno(self):
        return self._file.fileno()

    def close(self):
        self._file.close()
        super().close()


@pytest.fixture(params=["memory", "jsonl", "console", "terminal", "png", "mp4", "avi", "metrics"])
def sink(request, tmp_path):
    makers = {
        "memory": MemorySink,
        "jsonl": lambda: JsonLinesSink(io.StringIO()),
        "console": lambda: ConsoleSink(io.StringIO()),
        "terminal": lambda: ConsoleSink(Terminal()),
        "png": lambda: PictureSink(tmp_path / "seen.png"),
        "mp4": lambda: VideoSink(tmp_path / "seen.mp4"),
        "avi": lambda: VideoSink(tmp_path / "seen.avi"),
        "metrics": lambda: MetricsSink(MetricsSettings()),
    }
    return makers[request.param]()


def test_a_sink_takes_reports_until_it_is_closed(sink, frame_and_report):
    sink.send(*frame_and_report(0))
    sink.send(*frame_and_report(1, BOX, OTHER))
    sink.close()
    sink.close()
    with pytest.raises(OutputError, match="closed"):
        sink.send(*frame_and_report(2, BOX))


def test_a_sink_may_be_closed_before_it_got_anything(sink, tmp_path):
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_sink_does_not_change_the_frame_nor_need_it_later(sink, frame_and_report):
    frame, report = frame_and_report(0, BOX)
    kept = frame.gray.copy()
    frame.gray.flags.writeable = False
    sink.send(frame, report)
    assert (frame.gray == kept).all()
    sink.close()


def test_memory_keeps_the_reports(frame_and_report):
    sink = MemorySink()
    sent = [frame_and_report(number, BOX) for number in range(3)]
    for frame, report in sent:
        sink.send(frame, report)
    assert sink.reports == [report for _, report in sent]


def test_a_line_says_exactly_what_the_schema_describes(frame_and_report):
    stream = io.StringIO()
    JsonLinesSink(stream).send(*frame_and_report(7, BOX))
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    emotion = dict(zip(EMOTIONS, (0.01, 0.02, 0.03, 0.8123, 0.04, 0.05, 0.0377), strict=True))
    gender = {"male": 0.25, "female": 0.75}
    assert found == {
        "frame": 7,
        "time": 0.583,
        "fps": 14.12,
        "dropped": 3,
        "temperature": None,
        "throttled": [],
        "light": 0.4,
        "faces": [
            {
                "id": 1,
                "box": [10, 20, 60, 60],
                "confidence": None,
                "emotion": {"label": "happy", "confidence": 0.8123, "scores": emotion, "raw": emotion},
                "gender": {"label": "female", "confidence": 0.75, "scores": gender, "raw": gender},
            }
        ],
    }
    assert list(found) == ["frame", "time", "fps", "dropped", "temperature", "throttled", "light", "faces"]
    jsonschema.validate(found, SCHEMA, jsonschema.Draft202012Validator)


def test_what_the_board_says_is_written_and_shown(frame_and_report):
    frame, report = frame_and_report(7, BOX)
    report = replace(report, board=BoardState(81.25, ("under-voltage", "throttled")))
    lines, console = io.StringIO(), io.StringIO()
    JsonLinesSink(lines).send(frame, report)
    ConsoleSink(console).send(frame, report)
    found = json.loads(lines.getvalue())
    assert (found["temperature"], found["throttled"]) == (81.25, ["under-voltage", "throttled"])
    jsonschema.validate(found, SCHEMA, jsonschema.Draft202012Validator)
    assert "3 dropped, 81 °C, under-voltage, throttled  |  #1 happy" in console.getvalue()


def test_a_face_that_is_read_anew_is_written_anew(frame_and_report):
    stream = io.StringIO()
    sink = JsonLinesSink(stream)
    frame, report = frame_and_report(7, BOX)
    (face,) = report.faces
    surer = replace(face.emotion, raw=Scores(EMOTIONS, (0, 0, 0, 1, 0, 0, 0)))
    again = replace(report, faces=(replace(face, emotion=surer),))
    for sent in (report, report, again, report):
        sink.send(frame, sent)
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert written == [report_to_dict(sent) for sent in (report, report, again, report)]


def test_the_schema_is_one_and_knows_the_labels():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["emotion"]["enum"] == list(EMOTIONS)
    assert SCHEMA["$defs"]["gender"]["enum"] == list(GENDERS)


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.pop("fps"),
        lambda line: line.update(extra=1),
        lambda line: line.update(frame=1.5),
        lambda line: line["faces"][0].update(id=0),
        lambda line: line["faces"][0].update(box=[1, 2, 3]),
        lambda line: line["faces"][0]["emotion"].update(label="contempt"),
        lambda line: line["faces"][0]["emotion"]["scores"].pop("sad"),
        lambda line: line["faces"][0]["gender"]["scores"].update(male=1.5),
    ],
)
def test_the_schema_refuses_what_is_not_so(frame_and_report, damage):
    stream = io.StringIO()
    JsonLinesSink(stream).send(*frame_and_report(7, BOX))
    line = json.loads(stream.getvalue())
    damage(line)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA, jsonschema.Draft202012Validator)


def test_the_console_shows_a_line_a_second(frame_and_report):
    stream, clock = io.StringIO(), Clock()
    sink = ConsoleSink(stream, clock)
    for number in range(20):
        sink.send(*frame_and_report(number, BOX, OTHER))
        clock.now += 0.125
    sink.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4  # at 0, 1 and 2 seconds, and the last
    assert lines[1] == (
        "    0.67 s   14.1 FPS processed, 30.0 captured, 3 dropped"
        "  |  #1 happy 81%, apparent gender female 75%  |  #2 happy 81%, apparent gender female 75%"
    )


def test_the_console_says_when_there_is_no_face(frame_and_report):
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
        clock.now += 0.0625
    sink.close()
    start, *blocks = stream.getvalue().split("\x1b[J")
    assert start == ""
    # Each block ends with the way back up over itself, but for the last.
    assert [block.splitlines()[-1] for block in blocks] == ["\x1b[3F", "\x1b[2F", "\x1b[2F", "  no face"]
    assert [len(block.splitlines()) for block in blocks] == [4, 3, 3, 2]
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 39


@pytest.mark.parametrize("make", [JsonLinesSink, ConsoleSink])
def test_a_full_disk_is_an_output_error(make, tmp_path, frame_and_report):
    with Broken(tmp_path / "out", OSError(28, "No space left on device")) as stream:
        with pytest.raises(OutputError, match="<stdout>: No space left on device") as caught:
            make(stream).send(*frame_and_report(0))
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("make", [JsonLinesSink, ConsoleSink])
def test_a_reader_that_left_is_passed_on(make, tmp_path, frame_and_report):
    with Broken(tmp_path / "out", BrokenPipeError()) as stream, pytest.raises(BrokenPipeError):
        make(stream).send(*frame_and_report(0))
