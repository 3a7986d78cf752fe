"""Runs with a metrics endpoint, in a process of their own."""

import signal
import socket
import subprocess
import sys
import time
import urllib.error

import pytest

from edge.cli.main import main
from tests.support.broker import free_port
from tests.support.scrape import LIMIT_S, scrape


def test_a_taken_port_is_one_line_and_exit_code_4(options, sink, capsys):
    """Not exit code 2, after which systemd would not try again: the port may become free."""
    assert main(["run", "--source", "demo", "--metrics-port", str(sink.port), *options]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert f"metrics 127.0.0.1 port {sink.port}: another program listens there (`sudo ss -ltnp" in line


def test_without_prometheus_client_the_error_says_what_to_install(monkeypatch, options, capsys):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "edge.output.prometheus.sink", raising=False)
    assert main(["run", "--source", "demo", "--metrics-port", "9", *options]) == 2
    assert "pip install 'prometheus-client>=0.16,<1'" in capsys.readouterr().err


def test_prometheus_client_is_imported_only_if_a_port_is_set(options):
    code = (
        "import sys; from edge.cli.main import main; code = main(sys.argv[1:]); "
        "print(code, 'prometheus_client' in sys.modules, 'wsgiref' in sys.modules, file=sys.stderr)"
    )
    run = ["run", "--source", "demo", "--fast", "--max-frames", "3", *options]
    for more, line in (([], "0 False False"), (["--metrics-port", str(free_port())], "0 True True")):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *run, *more],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.stderr.splitlines()[-1] == line, done.stderr


class Run:
    """A run in a process of its own, with a settings file that can be changed."""

    def __init__(self, path, options, port):
        self.path = path
        self.write(port)
        command = [sys.executable, "-W", "error", "-m", "edge", "run", "--config", str(path)]
        with path.with_suffix(".log").open("w") as log:
            self.process = subprocess.Popen(
                [*command, *options, "--output", "jsonl"], stdout=subprocess.DEVNULL, stderr=log
            )

    def write(self, port, address="127.0.0.1", source="demo"):
        metrics = f"[metrics]\nport = {port}\naddress = '{address}'\n"
        self.path.write_text(f"source = '{source}'\nreconnect = true\n{metrics}")

    def reload(self, port, address="127.0.0.1", source="demo"):
        self.write(port, address, source)
        self.process.send_signal(signal.SIGHUP)

    def log(self):
        return self.path.with_suffix(".log").read_text()

    def until(self, question):
        """Calls a function until it returns something else than None, and returns that."""
        until_s = time.monotonic() + LIMIT_S
        while (answer := question()) is None:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until_s, self.log()
            time.sleep(0.02)
        return answer


def metric(port, name):
    """Returns a metric; None if nobody answers."""
    try:
        return scrape(port)[name,]
    except urllib.error.URLError:
        return None


def processed(port):
    """Returns the number of processed frames; None before the first one."""
    return metric(port, "emotiny_frames_processed_total") or None


@pytest.fixture
def running(tmp_path, options):
    port = free_port()
    run = Run(tmp_path / "config.toml", options, port)
    yield run, port
    run.process.kill()
    run.process.wait(LIMIT_S)


def test_a_reload_opens_another_port(running, sink):
    run, first = running
    count = run.until(lambda: processed(first))
    assert run.until(lambda: (processed(first) or 0) > count or None)
    # With a port that another program uses, the run goes on as before.
    run.reload(sink.port)
    run.until(lambda: f"port {sink.port}: another program listens" in run.log() or None)
    count = processed(first)
    assert run.until(lambda: (processed(first) or 0) > count or None)
    # With a free port, the old one becomes free.
    second = free_port()
    run.reload(second)
    assert run.until(lambda: processed(second))
    socket.create_server(("127.0.0.1", first)).close()
    # The same port at another address, which the run cannot try before; then no port at all.
    run.reload(second, "0.0.0.0")
    run.until(lambda: run.log().count("restarting with new settings") == 2 or None)
    assert run.until(lambda: processed(second))
    run.reload(0)
    run.until(lambda: run.log().count("restarting with new settings") == 3 or None)
    run.until(lambda: None if processed(second) else True)
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(LIMIT_S) == 0
    assert "Traceback" not in run.log()
    assert "Warning" not in run.log()


def test_a_camera_that_is_gone(running):
    run, port = running
    assert run.until(lambda: processed(port))
    assert scrape(port)["emotiny_camera_up",] == 1
    run.reload(port, source="/dev/video97")
    run.until(lambda: "/dev/video97: no such device" in run.log() or None)
    run.until(lambda: metric(port, "emotiny_camera_up") == 0 or None)
    assert scrape(port)["emotiny_frames_processed_total",] == 0
    run.reload(port)
    assert run.until(lambda: processed(port))
    assert scrape(port)["emotiny_camera_up",] == 1
