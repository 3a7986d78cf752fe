"""HTML reports: tables, escaping, pictures inside the page."""

import base64

import cv2
import numpy as np
import pytest

from edge.errors import DataError, OutputError
from tests.support.html_page import Page
from train.reports.html import Section, write_html

TABLE = (("name", "value"), ("a", "1.5 %"), ("b & c", "-"))


def test_texts_are_escaped_and_columns_of_figures_aligned(tmp_path):
    write_html(tmp_path / "a.html", "x", [Section("<script>S", "one\n\ntwo", TABLE)])
    text = (tmp_path / "a.html").read_text()
    assert "b &amp; c" in text
    assert "<script>" not in text
    assert text.count('class="figure"') == 3
    assert text.count("<p>") == 2


def test_pictures_are_inside_the_page_with_their_size_and_text(tmp_path):
    for name, width in (("wide", 1001), ("narrow", 1000)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((40, width), np.uint8))
    pictures = ((tmp_path / "wide.png", "a <b>"), (tmp_path / "narrow.png", "c"))
    write_html(tmp_path / "a.html", "x", [Section("S", pictures=pictures)])
    text = (tmp_path / "a.html").read_text()
    first, second = Page(text).pictures
    assert (first["alt"], first["width"], first["height"]) == ("a <b>", "1001", "40")
    assert second["width"] == "1000"
    kind, _, content = first["src"].partition("base64,")
    assert kind == "data:image/png;"
    assert base64.b64decode(content) == (tmp_path / "wide.png").read_bytes()
    assert text.count('<figure class="wide" tabindex="0">') == 1  # the narrow one shares its line


def test_uneven_tables_and_damaged_pictures_are_refused_and_nothing_is_written(tmp_path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    for section, message in (
        (Section("S", table=(*TABLE, ("c",))), "table 'S': 1 cells under 2 columns"),
        (Section("S", pictures=((tmp_path / "no.png", "a"),)), "expected a PNG"),
        (Section("S", pictures=((tmp_path / "none.png", "a"),)), "cannot read picture"),
    ):
        with pytest.raises(DataError, match=message):
            write_html(tmp_path / "b.html", "x", [section])
    assert not (tmp_path / "b.html").exists()


def test_a_page_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    write_html(tmp_path / "a.html", "old", [])
    before = (tmp_path / "a.html").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OutputError, match=r"cannot write .*a\.html: No space left on device"):
        write_html(tmp_path / "a.html", "new", [])
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_bytes() == before
