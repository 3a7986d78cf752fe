"""Labels change when faces do, and not when a frame is noisy."""

import itertools

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.labels import EMOTIONS, GENDERS
from edge.pipeline.scheduler import ReadingScheduler, SchedulerSettings
from edge.pipeline.smoothing import EmotionSmoother, GenderSmoother, SmoothingSettings
from edge.types import UNCERTAIN, Box, Scores, TrackedFace

SETTINGS = SmoothingSettings()


def scores(**values):
    rest = (1 - sum(values.values())) / (len(EMOTIONS) - len(values))
    return Scores(EMOTIONS, tuple(values.get(name, rest) for name in EMOTIONS))


def changes(labels):
    return sum(one != other for one, other in itertools.pairwise(labels))


def test_a_noisy_face_keeps_its_label_where_single_frames_flicker():
    random = np.random.default_rng(0)
    steady, raw_labels, labels = EmotionSmoother(SETTINGS), [], []
    for number in range(120):
        logits = random.normal(0, 1, 7)
        logits[EMOTIONS.index("happy")] += 2.0
        raw = Scores(EMOTIONS, tuple(np.exp(logits) / np.exp(logits).sum()))
        raw_labels.append(raw.label)
        labels.append(steady.add(raw, number / 4).label)
    assert changes(raw_labels) >= 10
    assert changes(labels[2:]) <= changes(raw_labels) / 4
    assert labels.count("happy") > 90


@pytest.mark.parametrize("lead", [0.2, 0.4, 0.8])
def test_a_true_change_is_said_within_a_second(lead):
    steady = EmotionSmoother(SETTINGS)
    low, high = 0.95 / 2 - lead / 2, 0.95 / 2 + lead / 2
    for number in range(20):
        steady.add(scores(happy=high, sad=low), number / 4)
    after = [steady.add(scores(happy=low, sad=high), (20 + number) / 4).label for number in range(8)]
    assert after.index("sad") / 4 + 0.25 <= 1.0
    assert after[-1] == "sad"


def test_thin_evidence_is_not_said():
    steady = EmotionSmoother(SETTINGS)
    reading = steady.add(scores(happy=0.3, neutral=0.28), 0.0)
    assert reading.label == UNCERTAIN
    assert reading.confidence == pytest.approx(0.3)
    assert steady.add(scores(happy=0.9), 2.0).label == "happy"


def test_what_was_said_is_said_on_while_its_rival_leads_by_little():
    steady = EmotionSmoother(SETTINGS)
    assert steady.add(scores(happy=0.5, neutral=0.4), 0.0).label == "happy"
    reading = steady.add(scores(happy=0.43, neutral=0.5), 9.0)
    assert reading.label == "happy"
    assert reading.confidence == reading.scores.value("happy") < reading.scores.confidence
    assert steady.add(scores(happy=0.38, neutral=0.5), 18.0).label == "neutral"


def test_the_frame_s_own_scores_stay_available():
    steady = EmotionSmoother(SETTINGS)
    steady.add(scores(happy=0.9), 0.0)
    raw = scores(sad=0.9)
    assert steady.add(raw, 0.1).raw == raw


def gender(male):
    return Scores(GENDERS, (male, 1 - male))


def test_apparent_gender_adds_up():
    steady = GenderSmoother(SETTINGS)
    assert steady.add(gender(0.6), 0).label == UNCERTAIN
    labels = [steady.add(gender(value), 0).label for value in (0.8, 0.7, 0.4, 0.9, 0.8, 0.3, 0.85, 0.9)]
    assert labels[0] == UNCERTAIN or labels[0] == "male"
    assert labels[3:] == ["male"] * 5
    assert steady.add(gender(0.05), 0).label == "male"  # one frame against eight


def test_a_person_who_is_read_otherwise_for_long_is_said_otherwise():
    steady = GenderSmoother(SETTINGS)
    for _ in range(50):
        steady.add(gender(0.9), 0)
    labels = [steady.add(gender(0.1), 0).label for _ in range(60)]
    assert labels[5] == "male"
    assert labels[-1] == "female"


class Counting:
    """The real reader, and which boxes it was asked about."""

    def __init__(self, reader):
        self._reader, self.asked = reader, []

    def read_face(self, gray, box, roll_deg):
        self.asked.append(box)
        return self._reader.read_face(gray, box, roll_deg)


def track(id_, box, at_s):
    return TrackedFace(id_, box, at_s)


def test_faces_are_read_in_turn_and_only_so_often(reader, happy):
    counting = Counting(reader)
    readings = ReadingScheduler(counting, SchedulerSettings(read_s=0.25, reads=2))
    boxes = [Box(100 * place, 100, 90, 90) for place in range(5)]
    known = []
    for number in range(30):
        at_s = number / 30
        known.append(
            set(readings.read(happy, [track(n + 1, box, at_s) for n, box in enumerate(boxes)], at_s))
        )
    assert known[:3] == [{1, 2}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}]
    for box in boxes:
        assert 3 <= counting.asked.count(box) <= 5


def test_a_face_that_is_only_held_is_not_read(reader, happy):
    counting = Counting(reader)
    readings = ReadingScheduler(counting, SchedulerSettings(read_s=0.0))
    box = Box(200, 120, 240, 240)
    first = readings.read(happy, [track(1, box, 0.0)], 0.0)
    assert readings.read(happy, [track(1, box, 0.0)], 0.5) == first
    assert counting.asked == [box]


def test_who_may_come_back_is_remembered_for_as_long_as_that(reader, happy):
    readings = ReadingScheduler(reader)
    box = Box(200, 120, 240, 240)
    first = readings.read(happy, [track(1, box, 0.0)], 0.0)
    for at_s in (1.0, 9.0, 3000.0):
        assert readings.read(happy, [], at_s, [1, 2]) == {}
    assert readings.read(happy, [track(1, box, 0.0)], 3001.0) == first
    assert readings.read(happy, [], 3002.0) == {}  # its number is given up
    assert readings.read(happy, [track(1, box, 0.0)], 3003.0) == {}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (SmoothingSettings, "time_constant_s", -1),
        (SmoothingSettings, "margin", 2),
        (SmoothingSettings, "min_confidence_gender", float("nan")),
        (SmoothingSettings, "memory", 0),
        (SchedulerSettings, "reads", 0),
        (SchedulerSettings, "read_s", 99),
    ],
)
def test_impossible_settings(kind, name, value):
    with pytest.raises(ConfigError, match=rf"^{name} {value}: must be "):
        kind(**{name: value})
