"""What all sinks have in common."""

import io

import pytest

from edge.aim.options import AimOptions
from edge.aim.sink import AimSink
from edge.errors import OutputError
from edge.output.console import ConsoleSink
from edge.output.jsonl import JsonLinesSink
from edge.output.prometheus.settings import MetricsSettings
from edge.output.prometheus.sink import MetricsSink
from edge.output.sink import MemorySink
from edge.output.video import PictureSink, VideoSink
from edge.types import Box

BOX, OTHER = Box(10, 20, 60, 60), Box(200, 100, 80, 80)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class BrokenStream(io.StringIO):
    """A stream that cannot be written to."""

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


@pytest.fixture(params=["memory", "jsonl", "console", "terminal", "png", "mp4", "avi", "metrics", "aim"])
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
        "aim": lambda: AimSink(AimOptions(port=0), 24, lambda: 1.0),
    }
    return makers[request.param]()


def test_a_sink_takes_reports_until_it_is_closed(sink, frame_and_report):
    sink.send(*frame_and_report(0))
    sink.send(*frame_and_report(1, BOX, OTHER))
    sink.close()
    sink.close()
    with pytest.raises(OutputError, match="closed"):
        sink.send(*frame_and_report(2, BOX))


def test_a_sink_may_be_closed_before_the_first_report(sink, tmp_path):
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_sink_does_not_change_the_frame(sink, frame_and_report):
    frame, report = frame_and_report(0, BOX)
    before = frame.gray.copy()
    frame.gray.flags.writeable = False
    sink.send(frame, report)
    assert (frame.gray == before).all()
    sink.close()


def test_memory_keeps_the_reports(frame_and_report):
    sink = MemorySink()
    sent = [frame_and_report(number, BOX) for number in range(3)]
    for frame, report in sent:
        sink.send(frame, report)
    assert sink.reports == [report for _, report in sent]


@pytest.mark.parametrize("make", [JsonLinesSink, ConsoleSink])
def test_a_full_disk_is_an_output_error(make, tmp_path, frame_and_report):
    with BrokenStream(tmp_path / "out", OSError(28, "No space left on device")) as stream:
        with pytest.raises(OutputError, match="<stdout>: No space left on device") as caught:
            make(stream).send(*frame_and_report(0))
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("make", [JsonLinesSink, ConsoleSink])
def test_a_broken_pipe_is_raised(make, tmp_path, frame_and_report):
    with BrokenStream(tmp_path / "out", BrokenPipeError()) as stream, pytest.raises(BrokenPipeError):
        make(stream).send(*frame_and_report(0))
