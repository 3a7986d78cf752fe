"""Settings of Sphinx for `make docs`: the pages that GitHub shows, with a menu and a search."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

project = "emotiny"
author = copyright = "the emotiny authors"
extensions = ["myst_parser"]
# Sphinx reads the pages where they are, so that every link is the same as on GitHub. One that leads nowhere
# ends the build.
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/recipes/*.md",
    "models/*.md",
]
root_doc = "README"
myst_heading_anchors = 4
html_theme = "furo"
html_title = "emotiny"
html_static_path = ["static"]
html_css_files = ["phone.css"]
html_copy_source = html_show_sourcelink = False

# {heading of the menu: its pages}
MENU = {
    "Use it": ("usage", "raspberry-pi", "jetson", "service", "container", "home-assistant", "mqtt", "python"),
    "How good it is": ("accuracy", "performance", "tested", "faults", "security", "fleet", "licences"),
    "Change it": ("training", "recipes/table", "architecture", "../CONTRIBUTING", "../CHANGELOG"),
    "The networks": tuple(
        f"../models/{card.stem}" for card in sorted((Path(__file__).parents[2] / "models").glob("*.md"))
    ),
}


def setup(app: Any) -> None:
    """Adds the menu to the first page, where GitHub would show it as text, and names that page index.html."""
    app.connect("source-read", _add_menu)
    app.connect("build-finished", _copy_first_page)


def _add_menu(_: Any, page: str, source: list[str]) -> None:
    if page != root_doc:
        return
    for heading, pages in MENU.items():
        names = "\n".join(f"docs/{name}".replace("docs/../", "") for name in pages)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{names}\n```\n"


def _copy_first_page(app: Any, error: Exception | None) -> None:
    if error is None:
        shutil.copy(Path(app.outdir, f"{root_doc}.html"), Path(app.outdir, "index.html"))
