"""`forget`: removes from the broker what it retains about this device."""

from __future__ import annotations

import argparse
import sys

from edge.output.mqtt.settings import ANSWER_TIMEOUT_S
from edge.pipeline.assembly import missing_paho
from edge.settings.loader import settings_of
from edge.system.journal import start_logging
from edge.system.stdio import write_text


def run(arguments: argparse.Namespace, _: object) -> int:
    """Prints a line for each thing that the broker no longer keeps.

    Raises:
        EdgeError: the settings cannot be used, or the broker does not answer or refuses.
    """
    settings = settings_of(arguments)
    start_logging(settings.log_level)
    if not settings.mqtt.host:
        write_text(sys.stdout, "no broker is set (mqtt.host); there is nothing to forget\n")
        return 0
    try:
        from edge.output.mqtt.forget import forget
    except ImportError as error:
        raise missing_paho(error) from error
    for line in forget(settings.mqtt, ANSWER_TIMEOUT_S):
        write_text(sys.stdout, f"{line}\n")
    return 0
