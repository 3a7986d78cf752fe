"""Decides whether a request comes from the page itself, on behalf of somebody who was given its address."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

# A page asks with a name of its own. Another site's page cannot set a header like this one.
VIEWER_HEADER = "X-Emotiny-Viewer"
_VIEWER = re.compile(r"[0-9a-f]{32}")


class Access:
    """The rules of one page.

    Attributes:
        token: What the address must hold, new for every page; empty if only this device can connect.
    """

    def __init__(self, *, is_local: bool) -> None:
        """Makes a token unless only programs on this device can connect."""
        self.token = "" if is_local else secrets.token_urlsafe(16)
        self._is_local = is_local

    def refusal(self, target: str, headers: Mapping[str, str]) -> str:
        """Returns why a request is refused, as a sentence; empty if it is not.

        Args:
            target: Target of the request, a path that may be followed by a query.
            headers: {name in small letters: value} of its headers.
        """
        host = headers.get("host", "")
        if not self._is_own(host):
            # A name that its owner lets point to this device makes another site's page the same site to a
            # browser (DNS rebinding).
            return "This page answers only to the address that emotiny has printed, not to another name."
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin", f"http://{host}")
        if site not in ("none", "same-origin") or origin != f"http://{host}":
            return "This request comes from another site. Type or paste the address that emotiny has printed."
        given = parse_qs(urlsplit(target).query).get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self.token.encode()) and self.token:
            return "This needs the whole address that emotiny has printed; an earlier one is not valid."
        return ""

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            own = socket.gethostname().lower()
            return name == "localhost" or (not self._is_local and name in (own, f"{own}.local"))
        # Nobody can make another address point here.
        return address.is_loopback or not self._is_local


def viewer_of(headers: Mapping[str, str]) -> str:
    """Returns the name that the page has given itself; empty if it has none."""
    name = headers.get(VIEWER_HEADER.lower(), "")
    return name if _VIEWER.fullmatch(name) else ""
