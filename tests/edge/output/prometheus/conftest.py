import pytest

from edge.output.prometheus.settings import MetricsSettings
from edge.output.prometheus.sink import MetricsSink
from edge.types import BoardState
from tests.support.clock import Clock


class Board:
    now = BoardState(61.5, ("under-voltage", "soft temperature limit"))

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def options(models):
    return [
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.tflite")),
    ]


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def sink(clock, board):
    sink = MetricsSink(MetricsSettings(), board, clock)
    yield sink
    sink.close()
