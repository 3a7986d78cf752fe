"""The page: one HTML file with its style and script inside, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path


def load_page() -> tuple[bytes, str]:
    """Returns the page, and the Content-Security-Policy that lets a browser run its own script alone."""
    folder = Path(__file__).parent
    style, script = ((folder / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    html = (folder / "page.html").read_text(encoding="utf-8")
    page = html.replace("/* style */", style).replace("/* script */", script)
    policy = {
        "default-src": "'none'",
        "script-src": _hash_of(script),
        "style-src": _hash_of(style),
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return page.encode(), "; ".join(f"{name} {value}" for name, value in policy.items())


def _hash_of(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
