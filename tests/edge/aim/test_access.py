"""Requests that do not come from the page itself, or not from somebody who was given its address."""

import socket

import pytest

from edge.aim.access import Access, viewer_of

HOST = socket.gethostname().lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8090"},
        {"host": "localhost:9000"},  # another port is what `ssh -L` may use
        {"host": "[::1]:8090"},
        {"host": "LOCALHOST"},
        {"host": "localhost", "sec-fetch-site": "none"},
        {"host": "localhost", "sec-fetch-site": "same-origin", "origin": "http://localhost"},
    ],
)
def test_requests_that_are_answered_on_this_device(headers):
    assert Access(is_local=True).refusal("/", headers) == ""


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "only to the address"),
        ({"host": ""}, "only to the address"),
        ({"host": "evil.example:8090"}, "only to the address"),
        ({"host": "localhost.evil.example"}, "only to the address"),
        ({"host": "127.0.0.1.evil.example"}, "only to the address"),
        ({"host": "user@evil.example"}, "only to the address"),
        ({"host": "[::1"}, "only to the address"),
        ({"host": "192.168.1.5:8090"}, "only to the address"),
        ({"host": HOST}, "only to the address"),
        ({"host": "localhost", "sec-fetch-site": "cross-site"}, "another site"),
        ({"host": "localhost", "sec-fetch-site": "same-site"}, "another site"),
        ({"host": "localhost", "origin": "http://evil.example"}, "another site"),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, "another site"),
        ({"host": "localhost", "origin": "null"}, "another site"),
    ],
)
def test_requests_that_are_refused_on_this_device(headers, text):
    assert text in Access(is_local=True).refusal("/", headers)


@pytest.mark.parametrize(
    "host", ["192.168.1.5:8090", "[2001:db8::1]:8090", HOST, f"{HOST}.local:1", "localhost"]
)
def test_other_machines_need_the_token(host):
    access = Access(is_local=False)
    assert len(access.token) >= 22  # 128 bits
    assert access.refusal(f"/view?token={access.token}", {"host": host}) == ""
    for query in (
        "",
        "?token=",
        "?token=wrong",
        f"?token={access.token}x",
        f"?other={access.token}",
        "?token=%ff",
    ):
        assert "the whole address" in access.refusal(f"/{query}", {"host": host})
    assert Access(is_local=False).token != access.token


def test_a_foreign_name_is_refused_with_the_token_too():
    access = Access(is_local=False)
    assert "another name" in access.refusal(f"/?token={access.token}", {"host": "evil.example"})


@pytest.mark.parametrize("name", ["", "short", "G" * 32, "a" * 33, "a" * 32 + "\n"])
def test_names_that_no_page_gives_itself(name):
    assert viewer_of({"x-emotiny-viewer": name}) == ""
    assert viewer_of({"x-emotiny-viewer": "a" * 32}) == "a" * 32
