"""How much the loop may work, on a clock, a processor and a board that are played."""

import logging

import pytest

from edge.errors import ConfigError
from edge.pipeline.governor import Governor, GovernorSettings
from edge.types import BoardState


class Machine:
    """A clock, a processor and a board: frames take what they are said to take."""

    def __init__(self, settings, state=None):
        self.now_s = self.cpu_s = 0.0
        self.shown = state or BoardState()
        self.budget = Governor(settings, self, lambda: self.now_s, lambda: self.cpu_s)

    def state(self):
        return self.shown

    def run(self, seconds, frame_s=0.02, threads=1.0):
        """Frames one after the other; gives frames a second and cores in use."""
        begun_s, begun_cpu_s, frames = self.now_s, self.cpu_s, 0
        while self.now_s - begun_s < seconds:
            self.now_s += frame_s
            self.cpu_s += frame_s * threads
            frames += 1
            self.now_s += self.budget.delay_s()
        return frames / (self.now_s - begun_s), (self.cpu_s - begun_cpu_s) / (self.now_s - begun_s)


HOT = BoardState(82.0)
WARM = BoardState(72.0)
COOL = BoardState(60.0)


def test_without_limits_nothing_waits():
    assert Machine(GovernorSettings()).run(10) == (pytest.approx(50, rel=0.01), pytest.approx(1))


@pytest.mark.parametrize(
    ("max_fps", "fps"), [(10, 10), (30, 30), (80, 50), (0.9, 0.9), (0.5, 0.5), (0.1, 0.1), (0.02, 0.02)]
)
def test_frames_a_second_are_held(max_fps, fps):
    assert Machine(GovernorSettings(max_fps=max_fps)).run(100 / fps)[0] == pytest.approx(fps, rel=0.03)


@pytest.mark.parametrize(
    ("share", "frame_s", "threads", "used"),
    [
        (0.25, 0.02, 1, 0.25),
        (0.5, 0.02, 4, 0.5),
        (2, 0.02, 4, 2),
        (2, 0.02, 1, 1),
        (0.05, 0.1, 1, 0.05),
        (0.05, 0.12, 4, 0.05),
    ],
)
def test_a_share_of_the_processor_is_held(share, frame_s, threads, used):
    machine = Machine(GovernorSettings(cpu_share=share))
    assert machine.run(200, frame_s, threads)[1] == pytest.approx(used, rel=0.05)


def test_what_other_threads_take_is_owed_for_ten_seconds_at_most():
    """Decoding pictures alone may take more than the share: there is a frame now and then all the same."""
    machine = Machine(GovernorSettings(cpu_share=0.05))
    for _ in range(50):
        machine.now_s += 0.1
        machine.cpu_s += 0.1
        wait_s = machine.budget.delay_s()
        assert wait_s <= 10
        machine.now_s += wait_s
        machine.cpu_s += 0.2 * wait_s
    assert wait_s == 10


def test_after_hot_hours_of_slow_frames_a_board_that_cooled_down_is_as_fast_as_before():
    machine = Machine(GovernorSettings(), HOT)
    machine.run(4 * 3600, frame_s=0.12)
    machine.shown = COOL
    assert [machine.run(5, frame_s=0.12)[0] for _ in range(30)][-1] == pytest.approx(1 / 0.12, rel=0.03)


def test_a_limit_that_is_lifted_leaves_nothing_owed(caplog):
    caplog.set_level(logging.INFO)
    machine = Machine(GovernorSettings(), HOT)
    owed = [0.0]
    for _ in range(5000):  # and nobody waits
        if "working as before" in caplog.text:
            break
        machine.shown = COOL if owed[-1] > 9 else machine.shown
        machine.now_s += 0.2
        machine.cpu_s += 0.2
        owed.append(machine.budget.delay_s())
    assert owed[-2] > 5
    assert owed[-1] == 0


def test_rest_is_not_saved_up():
    machine = Machine(GovernorSettings(cpu_share=0.5))
    machine.now_s += 60  # nobody came
    machine.budget.delay_s()
    assert machine.run(2)[1] < 0.6


def test_a_hot_board_is_given_less_work_until_it_has_cooled_down(caplog):
    caplog.set_level(logging.INFO)
    machine = Machine(GovernorSettings(), COOL)
    machine.run(20)
    assert machine.budget.state == COOL
    machine.shown = HOT
    machine.run(5)
    used = [machine.run(5)[1] for _ in range(20)]
    assert used[0] < 0.85
    assert used[1] == pytest.approx(0.8 * used[0], rel=0.05)
    assert used[-1] == pytest.approx(0.05, rel=0.3)  # but it does not stop
    machine.shown = WARM
    assert [machine.run(5)[1] for _ in range(4)][-1] < 0.08
    machine.shown = COOL
    assert [machine.run(5)[1] for _ in range(30)][-1] == pytest.approx(1, rel=0.03)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("82 degrees Celsius: working less, 0.80 cores")
    assert "working as before" in said[1]


def test_under_voltage_is_answered_too_and_a_set_share_comes_back():
    machine = Machine(GovernorSettings(cpu_share=0.5), BoardState(50.0, ("under-voltage",)))
    assert [machine.run(5)[1] for _ in range(6)][-1] < 0.3
    machine.shown = COOL
    assert [machine.run(5)[1] for _ in range(30)][-1] == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_fps", -1), ("cpu_share", 0.01), ("cpu_share", 65), ("hot_c", 0), ("hot_c", float("nan"))],
)
def test_impossible_limits(name, value):
    with pytest.raises(ConfigError, match=name):
        GovernorSettings(**{name: value})
