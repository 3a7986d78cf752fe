"""The metrics of a run, asked for over HTTP."""

import os
import sys
import time
import urllib.request
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

import edge
from edge.labels import EMOTIONS, GENDERS
from edge.types import UNCERTAIN, BoardState, Box, Rates
from tests.support.scrape import LIMIT_S, fetch, scrape

ONE, OTHER = Box(10, 20, 60, 60), Box(200, 100, 80, 80)


def test_before_the_first_frame(sink):
    found = scrape(sink.port)
    assert found["emotiny_camera_up",] == 0
    assert found["emotiny_reading_enabled",] == 1
    assert found["emotiny_frames_processed_total",] == found["emotiny_frames_dropped_total",] == 0
    assert found["emotiny_frames_per_second", "processed"] == 0
    assert found["emotiny_faces",] == 0
    assert ("emotiny_last_frame_timestamp_seconds",) not in found
    assert ("emotiny_build_info", os.uname().machine, sys.version.split()[0], edge.__version__) in found
    # Metrics of the process, which show leaks.
    assert 10e6 < found["process_resident_memory_bytes",] < 4e9
    assert found["process_open_fds",] > 3


def test_rates_counts_and_the_state_of_the_board(sink, clock, frame_and_report):
    for number in range(3):
        sink.send(*frame_and_report(number, ONE, OTHER))
    clock.now_s += 2
    before_s = time.time()
    found = scrape(sink.port)
    assert found["emotiny_frames_processed_total",] == 3
    assert found["emotiny_frames_dropped_total",] == 3
    assert found["emotiny_frames_per_second", "processed"] == 14.123456
    assert found["emotiny_frames_per_second", "captured"] == 29.97
    assert found["emotiny_camera_up",] == 1
    assert before_s - 2 <= found["emotiny_last_frame_timestamp_seconds",] <= time.time() - 2
    assert found["emotiny_board_temperature_celsius",] == 61.5
    reasons = {key[1]: value for key, value in found.items() if key[0] == "emotiny_board_throttled"}
    assert reasons == {
        "under_voltage": 1,
        "frequency_capped": 0,
        "throttled": 0,
        "soft_temperature_limit": 1,
    }


def by_label(found):
    return {key[1:]: value for key, value in found.items() if key[0] == "emotiny_faces_by_label"}


def test_faces_come_and_go(sink, frame_and_report):
    sink.send(*frame_and_report(0, ONE, OTHER))
    frame, report = frame_and_report(1, ONE)
    uncertain = replace(report.faces[0], emotion=replace(report.faces[0].emotion, label=UNCERTAIN))
    scrapes = [by_label(scrape(sink.port))]
    sink.send(frame, replace(report, faces=(uncertain,)))
    scrapes.append(by_label(scrape(sink.port)))
    sink.send(*frame_and_report(2))
    scrapes.append(by_label(scrape(sink.port)))
    # All labels are always there.
    kinds = {("apparent_gender", label) for label in (*GENDERS, UNCERTAIN)} | {
        ("emotion", label) for label in (*EMOTIONS, UNCERTAIN)
    }
    assert all(set(found) == kinds for found in scrapes)
    assert [{key: value for key, value in found.items() if value} for found in scrapes] == [
        {("emotion", "happy"): 2, ("apparent_gender", "female"): 2},
        {("emotion", UNCERTAIN): 1, ("apparent_gender", "female"): 1},
        {},
    ]


@pytest.mark.parametrize(("reason", "camera", "reading"), [("gone", 0, 1), ("off", 1, 0)])
def test_there_are_no_faces_and_rates_without_a_camera_or_reading(
    sink, frame_and_report, reason, camera, reading
):
    sink.send(*frame_and_report(0, ONE))
    sink.idle(reason)
    found = scrape(sink.port)
    assert (found["emotiny_camera_up",], found["emotiny_reading_enabled",]) == (camera, reading)
    assert found["emotiny_faces",] == sum(by_label(found).values()) == 0
    assert found["emotiny_frames_per_second", "processed"] == 0
    assert found["emotiny_frames_processed_total",] == 1
    sink.idle("tick")
    assert scrape(sink.port)["emotiny_camera_up",] == camera
    sink.send(*frame_and_report(1, ONE))
    found = scrape(sink.port)
    assert found["emotiny_camera_up",] == found["emotiny_reading_enabled",] == found["emotiny_faces",] == 1


def test_a_camera_that_is_gone_while_reading_is_off(sink):
    sink.idle("off")
    sink.idle("gone")
    found = scrape(sink.port)
    assert (found["emotiny_camera_up",], found["emotiny_reading_enabled",]) == (0, 0)
    sink.idle("off")
    assert scrape(sink.port)["emotiny_camera_up",] == 1


def test_rates_expire(sink, clock, frame_and_report):
    sink.send(*frame_and_report(0, ONE))
    clock.now_s += 5.1
    found = scrape(sink.port)
    assert found["emotiny_frames_per_second", "processed"] == 0
    assert found["emotiny_faces",] == 1  # a source may deliver one frame in ten seconds
    assert time.time() - found["emotiny_last_frame_timestamp_seconds",] >= 5.1


def test_the_board_is_asked_when_prometheus_asks(sink, board):
    board.now = BoardState()
    found = scrape(sink.port)
    assert ("emotiny_board_temperature_celsius",) not in found
    assert found["emotiny_board_throttled", "throttled"] == 0


def test_no_person_has_a_metric(sink, frame_and_report):
    """However many people come, the number of series stays the same."""
    sink.send(*frame_and_report(0, ONE))
    before = set(scrape(sink.port))
    frame, report = frame_and_report(1, *[ONE] * 30)
    faces = tuple(replace(face, id=1000 + face.id) for face in report.faces)
    sink.send(frame, replace(report, faces=faces, rates=Rates(1.0, 1.0, 10**12)))
    found = scrape(sink.port)
    assert set(found) == before
    assert found["emotiny_faces",] == 30
    assert found["emotiny_frames_dropped_total",] == 10**12


def test_names_follow_prometheus_conventions(sink, frame_and_report):
    sink.send(*frame_and_report(0, ONE))
    families = list(text_string_to_metric_families(fetch(sink.port)))
    ours = {family.name: family for family in families if family.name.startswith("emotiny_")}
    assert len(ours) == 11
    for name, family in ours.items():
        assert family.documentation.endswith("."), name
        assert (family.type == "counter") == all(each.name.endswith("_total") for each in family.samples)


def test_openmetrics(sink):
    request = urllib.request.Request(
        f"http://127.0.0.1:{sink.port}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        assert answer.read().endswith(b"# EOF\n")
