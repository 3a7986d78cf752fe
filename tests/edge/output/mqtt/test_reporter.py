"""Which messages a report leads to, without a broker."""

from dataclasses import replace

import pytest

from edge.output.mqtt.reporter import Reporter
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.stamp import Stamper
from edge.types import Box, Rates
from tests.support.broker import payload_of

SMALL, LARGE = Box(10, 10, 40, 40), Box(100, 60, 80, 80)


@pytest.fixture
def reporter():
    return Reporter(MqttSettings(device="kitchen", interval_s=0.5, heartbeat_s=60.0), Stamper())


@pytest.fixture
def send(reporter, frame_and_report):
    """Sends reports to the reporter; returns name and payload of every message that one leads to."""

    def send(now_s, *boxes, change=lambda report: report):
        report = change(frame_and_report(1, *boxes)[1])
        return named(reporter.messages(report, now_s, {"unsent": 2, "lost": 1}))

    return send


def named(messages):
    return [(message.topic.removeprefix("emotiny/kitchen/"), payload_of(message)) for message in messages]


def names(messages):
    return [name for name, _ in messages]


def events(messages):
    return [
        (payload["event"], payload["id"], payload["for_s"]) for name, payload in messages if name == "event"
    ]


def as_sad(report):
    faces = (replace(face, emotion=replace(face.emotion, label="sad")) for face in report.faces)
    return replace(report, faces=tuple(faces))


def test_events_of_a_face(send):
    assert events(send(0.0, LARGE)) == [("appeared", 1, 0.0)]
    assert events(send(1.0, LARGE)) == []
    assert events(send(1.5, LARGE, change=as_sad)) == [("changed", 1, 1.5)]
    assert events(send(3.5)) == []  # absent for 2 s, as when it turns away
    assert events(send(3.6)) == [("left", 1, 3.6)]
    assert events(send(3.7, LARGE)) == [("appeared", 1, 0.0)]


def test_a_changed_state_is_published_at_once_but_not_more_often_than_the_interval(send):
    assert "state" in names(send(0.0))
    assert "state" not in names(send(0.4, LARGE))
    assert ("state", 1) in [(name, payload.get("faces")) for name, payload in send(0.5, LARGE)]
    assert "state" not in names(send(2.0, LARGE))


def test_an_unchanged_state_is_repeated_as_a_heartbeat(send):
    send(0.0)
    assert "state" not in names(send(59.9))
    assert "state" in names(send(60.0))


def test_the_state_has_the_labels_of_the_largest_face(send):
    def only_the_small_one_is_sad(report):
        small, large = report.faces
        return replace(report, faces=(*as_sad(replace(report, faces=(small,))).faces, large))

    state = dict(send(0.0, SMALL, LARGE, change=only_the_small_one_is_sad))["state"]
    assert (state["faces"], state["presence"], state["emotion"]) == (2, "ON", "happy")


def test_faces_are_published_at_most_once_per_interval_and_not_without_any(send):
    assert "faces" not in names(send(0.0))
    assert "faces" in names(send(0.1, LARGE))
    assert "faces" not in names(send(0.5, LARGE))
    assert "faces" in names(send(0.6, LARGE))


def test_statistics_are_published_every_ten_seconds_from_the_first_rate_on(send):
    def without_rate(report):
        return replace(report, rates=Rates(0.0, 0.0, 0))

    assert "stats" not in names(send(0.0, change=without_rate))
    stats = dict(send(1.0))["stats"]
    assert (stats["dropped"], stats["unsent"], stats["lost"]) == (3, 2, 1)
    assert "stats" not in names(send(10.9))
    assert "stats" in names(send(11.0))


def test_everybody_leaves_when_the_camera_goes(send, reporter):
    send(0.0, SMALL, LARGE)
    messages = named(reporter.everybody_left(5.0))
    assert events(messages) == [("left", 1, 5.0), ("left", 2, 5.0)]
    state = dict(messages)["state"]
    assert [state[name] for name in ("faces", "presence", "emotion", "gender")] == [0, "OFF", None, None]
    assert events(send(6.0, LARGE)) == [("appeared", 1, 0.0)]


def test_each_topic_is_counted_by_itself(send):
    published = [*send(0.0), *send(0.5, LARGE), *send(5.0)]
    numbers: dict[str, list[int]] = {}
    for name, payload in published:
        numbers.setdefault(name, []).append(payload["seq"])
    assert numbers == {"state": [1, 2, 3], "stats": [1], "event": [1, 2], "faces": [1]}
    assert len({payload["run"] for _, payload in published}) == 1


def test_an_event_has_a_key_of_run_and_number(send):
    (event,) = (payload for name, payload in send(0.0, LARGE) if name == "event")
    assert event["key"] == f"{event['run']}-1"
    assert event["event_type"] == event["event"] == "appeared"
