"""The documentation site, which `make docs` builds: its menu, and its pages in a real browser."""

import runpy
import subprocess
from pathlib import Path

import pytest

from tests.support.chromium import SCREENS, Chromium, needs_chromium

ROOT = Path(__file__).parents[2]
SPHINX = ROOT / ".venv-docs" / "bin" / "sphinx-build"

ENTITIES_ARE_WHOLE = """(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(
  document.querySelector("#entities .table-wrapper"))"""


def test_every_page_is_in_the_menu():
    menu = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))["MENU"]
    named = [(ROOT / "docs" / f"{name}.md").resolve() for names in menu.values() for name in names]
    pages = {*ROOT.glob("docs/*.md"), *ROOT.glob("docs/recipes/*.md"), *ROOT.glob("models/*.md")}
    assert len(named) == len(set(named))
    assert set(named) == pages | {ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, as `make docs` builds it."""
    if not SPHINX.exists():
        pytest.skip("no Sphinx: `make docs` sets it up")
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-c", "docs/site", "-b", "html", "-d", folder / "doctrees"]
    subprocess.run([SPHINX, *options, ".", folder / "html"], cwd=ROOT, check=True, timeout=300)
    return folder / "html"


@needs_chromium
def test_what_would_be_wrong_is_seen(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        '<!doctype html><meta name="viewport" content="width=device-width"><p style="width: 2000px">wide</p>'
        '<img src="none.png" loading="lazy" style="margin-top: 9000px"><img src="http://127.0.0.1:9/a.png">'
        "<script>console.error('a complaint'); throw 1</script>"
    )
    browser = Chromium(tmp_path / "profile")
    try:
        browser.resize(1280, 800)
        browser.open(page.as_uri())
        wide, *missing = sorted(browser.faults())
        assert wide.endswith("pixels wide in a window of 1280")
        assert [fault.partition("//")[0] for fault in missing] == ["not loaded: file:", "not loaded: http:"]
        assert "http://127.0.0.1:9/a.png" in browser.requests
        assert any("a complaint" in each for each in browser.complaints)
        assert any("Uncaught" in each for each in browser.complaints)
    finally:
        browser.close()


@needs_chromium
@SCREENS
def test_every_page_fits_the_screen_and_loads_nothing_from_elsewhere(site, tmp_path, width, height, phone):
    browser = Chromium(tmp_path / "profile")
    try:
        browser.resize(width, height, phone=phone)
        faults = {}
        for page in sorted(site.rglob("*.html")):
            name = page.relative_to(site).as_posix()
            browser.open(page.as_uri())
            faults[name] = browser.faults()
            if name == "docs/home-assistant.html":
                assert browser.evaluate(ENTITIES_ARE_WHOLE)
            if name in {"index.html", "docs/accuracy.html", "docs/home-assistant.html"}:
                (tmp_path / f"{page.stem}-{width}.png").write_bytes(browser.screenshot())
        assert {"index.html", "docs/accuracy.html"} <= faults.keys()
        assert {name: found for name, found in faults.items() if found} == {}
        own = (f"{site.as_uri()}/", "data:", "about:")
        assert [address for address in browser.requests if not address.startswith(own)] == []
        assert browser.complaints == []
    finally:
        browser.close()
