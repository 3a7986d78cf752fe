"""Keeps errors of paho apart from errors in our own callbacks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


class CallbackQueue:
    """Calls handlers after paho has returned, rather than from inside paho.

    A server that does not speak MQTT makes paho raise almost any exception while it reads. If handlers ran
    inside paho, an error in one of them would look the same: like a wrong broker.
    """

    def __init__(self) -> None:
        self._pending: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()

    def deferred(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Returns a callback for paho.

        Args:
            handler: Called later with paho's arguments, but without the first two: client and user data.
        """

        def callback(_client: object, _userdata: object, *arguments: Any) -> None:
            self._pending.append((handler, arguments))

        return callback

    def call(self, function: Callable[..., object], *arguments: Any) -> Exception | None:
        """Calls a function of paho that reads from the network, then the handlers of its callbacks.

        Args:
            function: Function to call.
            arguments: Its arguments.

        Returns:
            What paho raised because it did not understand what it read; None if it did.
        """
        raised = None
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - paho's parsers raise almost anything
            logger.debug("MQTT: %r", error)
            raised = error
        self.run()
        return raised

    def run(self) -> None:
        """Calls the handlers of the callbacks that paho has made; lets their exceptions through."""
        while self._pending:
            handler, arguments = self._pending.popleft()
            handler(*arguments)
