"""Offers the state of the run to Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app

from edge.output.prometheus.collector import RunCollector, Snapshot
from edge.output.prometheus.server import MetricsServer
from edge.output.prometheus.settings import MetricsSettings
from edge.output.sink import IdleReason, Sink, raise_if_closed
from edge.system.thermal import ThermalSensors
from edge.types import BoardState, Frame, Report


class MetricsSink(Sink):
    """Keeps the last report, from which metrics are computed when Prometheus asks for them.

    No person has a metric of their own.

    Attributes:
        port: Port on which the endpoint listens.
    """

    def __init__(
        self,
        settings: MetricsSettings,
        board: Callable[[], BoardState] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts to listen.

        Args:
            settings: Address and port; port 0 takes any free one.
            board: Returns the state of the board; None for this board's sensors. Called when Prometheus asks,
                because a board may be hot while its camera is gone.
            clock: Returns seconds; monotonic.

        Raises:
            ConfigError: only root may use the port.
            OutputError: another program uses the port, or the address is not one of this device.
        """
        self._clock = clock
        self._snapshot = Snapshot()
        self._closed = False
        # Not prometheus_client's global registry, because a reload (SIGHUP) makes a new sink.
        registry = CollectorRegistry()
        registry.register(RunCollector(lambda: self._snapshot, board or ThermalSensors().state, clock))
        ProcessCollector(registry=registry)
        self._server = MetricsServer(settings, _forgiving(make_wsgi_app(registry)))
        self.port = self._server.port

    def send(self, frame: Frame, report: Report) -> None:
        """Keeps the report; ignores the frame."""
        raise_if_closed(self, self._closed)
        self._snapshot = Snapshot(
            report, self._clock(), self._snapshot.processed + 1, camera=True, reading=True
        )

    def idle(self, reason: IdleReason) -> None:
        """Notes that the camera is gone, or that reading is switched off."""
        if reason == "gone" and self._snapshot.camera:
            self._snapshot = replace(self._snapshot, camera=False)
        elif reason == "off" and (self._snapshot.reading or not self._snapshot.camera):
            self._snapshot = replace(self._snapshot, camera=True, reading=False)

    def close(self) -> None:
        """Frees the port; further calls do nothing."""
        self._closed = True
        self._server.close()


def _forgiving(application: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the application with an Accept header that prometheus_client cannot parse left out."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        try:
            return application(environ, start_response)
        except (TypeError, ValueError):
            return application({**environ, "HTTP_ACCEPT": ""}, start_response)

    return answer
