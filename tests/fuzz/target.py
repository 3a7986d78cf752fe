"""What is fuzzed: the interface of all targets."""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.fuzz.mutate import Kind


class BrokenPromiseError(AssertionError):
    """Something that no input may cause, and that raises no exception by itself."""


@dataclass(frozen=True)
class Command:
    """A command line for an input.

    Attributes:
        words: Arguments of `python -m edge`.
        variables: Environment variables that are set in addition.
        code: Exit code that is expected, for a command that does less than the target; None for that of the
            target's outcome.
        any_code: Whether any documented exit code will do, because the outcome depends on the time.
    """

    words: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)
    code: int | None = None
    any_code: bool = False


class Target(ABC):
    """One way for bytes of strangers into this program.

    Attributes:
        limit_s: Seconds that an input may take.
        dictionary: Words that mean something in the format.
        kind: Which changes of an input come furthest, see `Mutator`.
        libraries_print: Whether a library writes to standard error by itself, as libjpeg and libpng do.
        command_s: Seconds that the command line may take.
    """

    limit_s: ClassVar[float] = 20.0
    command_s: ClassVar[float] = 40.0
    kind: ClassVar[Kind] = "stream"
    libraries_print: ClassVar[bool] = False
    dictionary: Sequence[bytes] = ()

    def __init__(self, folder: Path) -> None:
        """Prepares inputs.

        Args:
            folder: A folder of this target's own, which is there.
        """
        self.folder = folder

    @abstractmethod
    def corpus(self) -> list[bytes]:
        """Returns good inputs, the same ones each time."""

    @abstractmethod
    def try_input(self, content: bytes) -> bool:
        """Has the program take an input; returns whether it is accepted.

        Raises:
            EdgeError: It is refused, as a user would be told.
            BrokenPromiseError: It has an effect that no input may have.
        """

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        """Yields a command line that takes the same input; None if there is none for it."""
        yield None


_MODULE = "tests.fuzz.targets"
TARGETS = {
    "toml": f"{_MODULE}.settings:Toml",
    "environment": f"{_MODULE}.settings:Environment",
    "options": f"{_MODULE}.settings:CommandLine",
    "contracts": f"{_MODULE}.contracts:Contracts",
    "networks": f"{_MODULE}.networks:Networks",
    "networks-tflite": f"{_MODULE}.networks:TfliteNetworks",
    "pictures": f"{_MODULE}.files:Pictures",
    "recordings": f"{_MODULE}.files:Recordings",
    "mqtt": f"{_MODULE}.mqtt:Broker",
    "commands": f"{_MODULE}.commands:Commands",
    "streams": f"{_MODULE}.streams:Streams",
}


def open_target(place: str, folder: Path) -> Target:
    """Returns a target by its place, "module:class"."""
    module, _, name = place.partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    opened = getattr(importlib.import_module(module), name)(folder)
    if not isinstance(opened, Target):
        raise TypeError(f"{place}: expected a target")
    return opened


def base_environment() -> dict[str, str]:
    """Returns this process's environment without settings of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EMOTINY_")}
