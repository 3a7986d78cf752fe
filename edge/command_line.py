"""A parser of command lines whose errors are one line, and suggest what was meant."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from edge.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Raises ConfigError where argparse prints the usage and exits; options cannot be abbreviated.

    An option of the command line that a later version adds would otherwise change what an abbreviation means.
    """

    # The option that is meant by a value in its place, such as `--source` by the name of a video.
    usual_option = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as argparse does; without any argument, shows what there is to choose from.

        Raises:
            ConfigError: an argument is unknown, missing, or not valid.
            SystemExit: there is no argument, or the help was asked for.
        """
        words = list(sys.argv[1:] if args is None else args)
        if not words and self.commands():
            self.print_help(sys.stderr)
            raise SystemExit(ConfigError.exit_code)
        self._require_command_first(words)
        arguments, unknown = self.parse_known_args(words, namespace)
        if unknown:
            command = self._chosen_command(arguments)
            usual = getattr(command, "usual_option", "")
            if usual and words[1:2] == unknown[:1] and not unknown[0].startswith("-"):
                suggestion = f"; did you mean '{usual} {unknown[0]}'?"
            else:
                options = list(command._option_string_actions)
                suggestion = did_you_mean(unknown[0].partition("=")[0], options)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{suggestion}")
        return arguments

    def commands(self) -> tuple[str, ...]:
        """Returns the names of the commands that there are to choose from."""
        commands = self._commands()
        return () if commands is None else tuple(commands.choices)

    def error(self, message: str) -> NoReturn:
        """Raises a ConfigError, which is printed as one line like every other one."""
        raise ConfigError(f"{message} (see --help)")

    def _require_command_first(self, words: Sequence[str]) -> None:
        """Refuses an option in place of a command: its value would pass for a misspelt command."""
        commands, option = self._commands(), words[0].partition("=")[0] if words else ""
        if commands is None or option in self._option_string_actions:
            return
        for name, command in commands.choices.items():
            if option in command._option_string_actions:
                self.error(f"{option}: expected a command first, such as '{name} {option}'")

    def _commands(self) -> argparse._SubParsersAction[argparse.ArgumentParser] | None:
        return next((each for each in self._actions if isinstance(each, argparse._SubParsersAction)), None)

    def _chosen_command(self, arguments: argparse.Namespace) -> argparse.ArgumentParser:
        commands = self._commands()
        return self if commands is None else commands.choices.get(getattr(arguments, commands.dest), self)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            known = list(action.choices)
            suggestion = did_you_mean(value, known) or f"; commands are {', '.join(known)}"
            raise argparse.ArgumentError(None, f"unknown command {value!r}{suggestion}")
        super()._check_value(action, value)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Returns a question that names the most similar known name, or an empty text if none is similar."""
    similar = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {similar[0]!r}?" if similar else ""
