"""Real requests to the page of a real loop."""

import json
import logging
import threading
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import edge.sources.demo
from edge.aim.latest import Shot
from edge.aim.options import AimOptions
from edge.aim.outline import outline
from edge.aim.sink import AimSink
from edge.aim.view import ViewMaker
from edge.errors import OutputError
from edge.output.jsonl import SCHEMA_PATH
from edge.settings.settings import Settings
from edge.sources.demo import Demo
from edge.sources.settings import CaptureSettings
from edge.types import Box, Rates, Report
from tests.support.aim_client import LIMIT_S, OTHER, VIEWER, get, page_of, picture_in, view
from tests.support.room import room


def view_with_faces(page):
    until_s = time.monotonic() + LIMIT_S
    while not (fields := view(page.port))["report"]["faces"]:
        assert time.monotonic() < until_s
    return fields


def test_the_page(page):
    status, headers, body = get(page.port, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<canvas" in body
    assert headers["Cache-Control"] == "no-store"
    assert "'sha256-" in headers["Content-Security-Policy"]
    assert page.url == f"http://127.0.0.1:{page.port}/"


def test_boxes_labels_and_the_ruler(page):
    fields = view_with_faces(page)
    assert fields["size"] == [640, 480]
    assert (fields["smallest_px"], fields["smallest_m"], fields["lens"]) == (24, 4.2, 62.0)
    assert fields["left_s"] == 300
    assert 0 < fields["report"]["light"] < 1
    face = fields["report"]["faces"][0]
    assert face["id"] == 1
    assert face["emotion"]["label"]
    assert face["gender"]["label"]
    assert 0 < face["confidence"] <= 1


def test_boxes_move_from_view_to_view(page):
    first = view_with_faces(page)
    until_s = time.monotonic() + LIMIT_S
    while True:
        later = view_with_faces(page)
        if later["report"]["faces"][0]["box"] != first["report"]["faces"][0]["box"]:
            break
        assert time.monotonic() < until_s
    assert later["report"]["frame"] > first["report"]["frame"]
    assert later["report"]["fps"] > 0


def test_a_second_viewer_is_told_so(page, caplog):
    caplog.set_level(logging.INFO)
    view(page.port)
    status, headers, body = get(page.port, "/view", {"X-Emotiny-Viewer": OTHER})
    assert (status, headers["Cache-Control"]) == (409, "no-store")
    assert body == (
        b"Somebody else is looking. Only one can: once they have closed their page, this one goes on.\n"
    )
    view(page.port)
    looks = [record.getMessage() for record in caplog.records if "looks" in record.getMessage()]
    assert looks == ["aim: a viewer at 127.0.0.1 looks"]


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/view", {}, 403),
        ("/view", {"X-Emotiny-Viewer": "me"}, 403),
        ("/view", {"X-Emotiny-Viewer": VIEWER, "Host": "evil.example"}, 403),
        ("/view", {"X-Emotiny-Viewer": VIEWER, "Sec-Fetch-Site": "cross-site"}, 403),
        ("/view", {"X-Emotiny-Viewer": VIEWER, "Origin": "http://evil.example"}, 403),
        ("/", {"Host": "evil.example"}, 403),
        ("/", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/page.html", {}, 404),
        ("/../setup.cfg", {}, 404),
        ("/view/", {"X-Emotiny-Viewer": VIEWER}, 404),
    ],
)
def test_requests_that_are_refused(page, target, headers, status):
    got, answer, body = get(page.port, target, headers)
    assert (got, answer["Content-Type"]) == (status, "text/plain; charset=utf-8")
    assert body.endswith(b".\n")
    assert body.count(b"\n") == 1


def test_another_address_needs_the_token(tiny):
    with page_of(Settings(source="demo", models=tiny), address="0.0.0.0") as page:
        url, _, token = page.url.partition("?token=")
        assert len(token) >= 22
        assert url.endswith(f":{page.port}/")
        assert "0.0.0.0" not in url
        viewer = {"X-Emotiny-Viewer": VIEWER}
        for query in ("", "?token=", "?token=wrong"):
            for target in ("/", "/view"):
                status, _, body = get(page.port, target + query, viewer)
                assert status == 403
                assert b"needs the whole address" in body
        assert get(page.port, f"/?token={token}")[0] == 200
        assert view(page.port, query=f"?token={token}")["picture"]


def test_the_token_is_not_logged(tiny, caplog):
    caplog.set_level(logging.DEBUG)
    with page_of(Settings(source="demo", models=tiny), address="0.0.0.0") as page:
        token = page.url.partition("?token=")[2]
        view(page.port, query=f"?token={token}")
        get(page.port, "/?token=wrong")
    assert "the page is open at http://" in caplog.text
    assert token not in caplog.text
    assert "wrong" not in caplog.text


@pytest.fixture(scope="module")
def demo_frame():
    """Draws the frame of the demo that a view is of."""
    demo = Demo(Path(edge.sources.demo.__file__).with_name("demo_faces"))
    return lambda fields: demo.frame(fields["report"]["frame"])


def test_the_picture_is_lines_without_faces_and_nothing_else(page, demo_frame):
    fields = view_with_faces(page)
    assert fields.keys() == {
        *("shot", "left_s", "real", "picture", "size", "smallest_px", "smallest_m", "lens", "report")
    }
    assert not fields["real"]
    kind, pixels = picture_in(fields)
    assert kind == "image/png"
    # The demo is nothing but faces.
    assert not pixels.any()
    assert outline(demo_frame(fields), []).any()
    # The report is what any program may read, without pixels.
    jsonschema.validate(
        fields["report"], json.loads(SCHEMA_PATH.read_text()), jsonschema.Draft202012Validator
    )


def test_faces_that_are_not_reported_are_hidden_too(frame_and_report):
    _, report = frame_and_report(1, Box(10, 10, 20, 20))
    gray = room(0)
    views = ViewMaker(AimOptions(), 24, is_turned=False)
    plain = picture_in(json.loads(views.view(Shot(1, gray, report), 1.0)))[1]
    hidden = picture_in(json.loads(views.view(Shot(1, gray, report, (Box(700, 100, 260, 500),)), 1.0)))[1]
    assert plain[100:300, 500:].any()
    assert not hidden[100:300, 500:].any()


def test_the_picture_itself_if_somebody_asks_for_it(tiny, demo_frame):
    with page_of(Settings(source="demo", models=tiny), show_picture=True) as page:
        fields = view(page.port)
    assert fields["real"]
    kind, pixels = picture_in(fields)
    assert kind == "image/jpeg"
    assert np.abs(pixels.astype(float) - demo_frame(fields)).mean() < 3


def test_a_large_picture_is_sent_small_and_a_turned_one_has_its_own_ruler(tiny):
    settings = Settings(source="demo", models=tiny, picture=CaptureSettings(size_wh=(1280, 960)))
    with page_of(settings, show_picture=True, lens_deg=90.0) as page:
        fields = view(page.port)
    assert fields["size"] == [1280, 960]
    assert picture_in(fields)[1].shape == (480, 640)
    assert fields["smallest_m"] == pytest.approx(0.19 * 640 / 24, abs=0.06)  # half the width at 45 degrees
    views = ViewMaker(AimOptions(lens_deg=90.0), 24, is_turned=True)
    shot = Shot(1, np.zeros((1280, 960), np.uint8), Report(1, 0.0, Rates(1, 1, 0), ()))
    assert json.loads(views.view(shot, 1.0))["smallest_m"] == fields["smallest_m"]


def test_a_loop_that_is_switched_off_shows_no_picture(tiny):
    enabled = threading.Event()
    with page_of(Settings(source="demo", models=tiny), enabled=enabled) as page:
        status, _, body = get(page.port, "/view", {"X-Emotiny-Viewer": VIEWER})
        assert (status, json.loads(body)) == (200, {"waiting": "off", "left_s": 300})
        enabled.set()
        assert view(page.port)["picture"]


def test_a_closed_page_frees_its_port_and_takes_no_report(frame_and_report):
    page = AimSink(AimOptions(port=0), 24, lambda: 300.0)
    page.start()
    assert get(page.port, "/")[0] == 200
    page.close()
    page.close()
    with pytest.raises(OSError):
        get(page.port, "/")
    with pytest.raises(OutputError):
        page.send(*frame_and_report(1))
