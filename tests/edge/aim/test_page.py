"""The page needs nothing from elsewhere, and its policy allows its own style and script alone."""

import base64
import hashlib
import re

import pytest

from edge.aim.page import load_page

PAGE, POLICY = load_page()
TEXT = PAGE.decode()


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policy_allows_what_is_in_the_page(kind):
    (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", TEXT, re.DOTALL)
    assert len(content) > 1000
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{kind}-src 'sha256-{digest}'" in POLICY


def test_the_policy_allows_nothing_else():
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules.pop("script-src").startswith("'sha256-")
    assert rules.pop("style-src").startswith("'sha256-")
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_nothing_is_loaded_and_no_text_becomes_html():
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", TEXT) == ["data:,"]
    assert "http" not in TEXT
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "eval(",
        "@import",
        "url(",
        "cookie",
        "Storage",
    ):
        assert word not in TEXT
