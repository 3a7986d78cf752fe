"""The page in a real browser."""

import functools
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from edge.aim.access import Access
from edge.settings.settings import Settings
from tests.support.aim_client import LIMIT_S, page_of, view
from tests.support.chromium import SCREENS, Chromium, needs_chromium
from tests.support.room import write_room

pytestmark = needs_chromium

BOXES = 'Array.from(document.querySelectorAll("#boxes > div"), (box) => box.getBoundingClientRect().x)'
MESSAGE = 'document.getElementById("message").textContent'


def text_of(name):
    return f'document.getElementById("{name}").textContent'


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("room") / "room.avi"
    write_room(path, 60)
    return path


@pytest.fixture
def browser(tmp_path):
    browser = Chromium(tmp_path / "profile")
    yield browser
    browser.close()


def wait_for(browser, script, is_right=bool):
    """Returns the value of an expression once it is right."""
    until_s = time.monotonic() + LIMIT_S
    while not is_right(value := browser.evaluate(script)):
        assert time.monotonic() < until_s, value
        time.sleep(0.1)
    return value


@SCREENS
def test_boxes_move_and_everything_is_visible(browser, clip, width, height, phone):
    browser.resize(width, height, phone=phone)
    with page_of(Settings(source=str(clip))) as page:
        browser.open(page.url)
        first = wait_for(browser, BOXES, lambda boxes: boxes and len(boxes) == 2)
        wait_for(browser, BOXES, lambda boxes: len(boxes) == 2 and abs(boxes[0] - first[0]) > 2)
        assert browser.evaluate(MESSAGE) == ""
        assert float(browser.evaluate(text_of("fps"))) > 0
        assert "%" in browser.evaluate(text_of("light"))
        assert browser.evaluate(text_of("count")) == "2"
        assert browser.evaluate(text_of("smallest")) == "24 px 6.3 m"
        assert browser.evaluate(text_of("mode")) == "lines only"
        assert browser.evaluate(text_of("left")) == "ends in 5:00"
        assert browser.evaluate('document.querySelectorAll("#faces tr").length') == 2
        # The ruler is to scale: 24 of 960 pixels.
        stage, ruler = (
            browser.evaluate(f'document.getElementById("{name}").getBoundingClientRect().width')
            for name in ("picture", "ruler")
        )
        assert ruler / stage == pytest.approx(24 / 960, abs=0.003)
        # Nothing is wider than the screen, and no label is outside of the picture or on another one.
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        labels = browser.evaluate(
            'Array.from(document.querySelectorAll("#boxes > p"), (label) => {'
            "const {left, right} = label.getBoundingClientRect(); return [left, right]; })"
        )
        edges = [edge for label in sorted(labels) for edge in label]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= width
        scale = 2 if phone else 1
        screenshot = cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert screenshot.shape == (scale * height, scale * width)
    assert browser.complaints == []


def test_a_second_viewer_waits_and_then_goes_on(browser, clip):
    with page_of(Settings(source=str(clip))) as page:
        view(page.port)  # has the seat for five seconds
        browser.open(page.url)
        wait_for(browser, MESSAGE, lambda text: text.startswith("Somebody else is looking."))
        wait_for(browser, BOXES, len)
        assert browser.evaluate(MESSAGE) == ""


def test_the_end_is_said(browser, clip):
    with page_of(Settings(source=str(clip))) as page:
        browser.open(page.url)
        wait_for(browser, BOXES, len)
    wait_for(browser, MESSAGE, lambda text: text.startswith("No answer: the page has ended"))


@pytest.fixture
def elsewhere(tmp_path):
    """The address of another server's page, which is another origin on the same machine."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_a_page_from_elsewhere_cannot_look(browser, clip, elsewhere, monkeypatch):
    answers = []
    real = Access.refusal

    def refusal(access, target, headers):
        answers.append((headers.get("sec-fetch-site"), real(access, target, headers)))
        return answers[-1][1]

    monkeypatch.setattr(Access, "refusal", refusal)
    with page_of(Settings(source=str(clip))) as page:
        browser.open(elsewhere)
        for mode in ("no-cors", "cors"):
            ask = f'fetch("{page.url}", {{mode: "{mode}"}}).then(() => "read", () => "refused")'
            assert browser.evaluate(ask) == "refused"
        assert [site for site, _ in answers] == ["same-site", "same-site"]  # ports are no part of a site
        assert all("another site" in text for _, text in answers)
        answers.clear()
        browser.open(page.url)
        wait_for(browser, BOXES, len)
        assert {text for _, text in answers} == {""}
