"""A target of the fuzzer that breaks every promise, each when it is told to."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from edge.errors import ConfigError
from tests.fuzz.target import BrokenPromiseError, Command, Target

PLACE = "tests.support.fuzz_targets:Faulty"


class Faulty(Target):
    """Does what the input says."""

    limit_s: ClassVar[float] = 2.0

    def corpus(self) -> list[bytes]:
        return [b"accept", b"refuse"]

    def try_input(self, content: bytes) -> bool:
        if content == b"refuse":
            raise ConfigError("no\nway")
        if content == b"die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if content == b"exit":
            os._exit(7)
        if content == b"hang":
            time.sleep(60)
        if content == b"raise":
            raise ZeroDivisionError
        if content == b"break":
            raise BrokenPromiseError("a wrong effect")
        if content == b"leave":
            sys.exit(3)
        if content == b"log":
            logging.getLogger("edge").warning("two\nlines")
        if content == b"grow":
            bytearray(500_000_000).count(1)
        if content == b"thread":
            thread = threading.Thread(target=int, args=("x",))
            thread.start()
            thread.join()
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        words = {b"accept": ["schema"], b"refuse": ["run", "--no-such"], b"wrong": ["run", "--no-such"]}
        yield Command(words[content]) if content in words else None
