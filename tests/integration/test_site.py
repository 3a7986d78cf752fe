"""The menu of the documentation site, which `make docs` builds."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_page_is_in_the_menu():
    menu = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))["MENU"]
    named = [(ROOT / "docs" / f"{name}.md").resolve() for names in menu.values() for name in names]
    pages = {*ROOT.glob("docs/*.md"), *ROOT.glob("docs/recipes/*.md"), *ROOT.glob("models/*.md")}
    assert len(named) == len(set(named))
    assert set(named) == pages | {ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"}
