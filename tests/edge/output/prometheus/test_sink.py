"""What Prometheus is told, asked for over HTTP and read by its own parser."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

import edge
import edge.output.prometheus.server
from edge.cli.main import main
from edge.errors import ConfigError, OutputError
from edge.labels import EMOTIONS, GENDERS
from edge.output.prometheus.server import MetricsServer
from edge.output.prometheus.settings import MetricsSettings
from edge.output.prometheus.sink import MetricsSink
from edge.types import UNCERTAIN, BoardState, Box, Rates

LIMIT_S = 60
ONE, OTHER = Box(10, 20, 60, 60), Box(200, 100, 80, 80)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Board:
    now = BoardState(61.5, ("under-voltage", "soft temperature limit"))

    def __call__(self):
        return self.now


def fetch(port, host="127.0.0.1"):
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=LIMIT_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def scrape(port):
    """{(name, label values in the order of the labels' names): value}."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(fetch(port))
        for sample in family.samples
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def options(models):
    return [
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.tflite")),
    ]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def sink(clock, board):
    sink = MetricsSink(MetricsSettings(), board, clock)
    yield sink
    sink.close()


def test_before_the_first_picture(sink):
    found = scrape(sink.port)
    assert found["emotiny_camera_up",] == 0
    assert found["emotiny_reading_enabled",] == 1
    assert found["emotiny_frames_processed_total",] == found["emotiny_frames_dropped_total",] == 0
    assert found["emotiny_frames_per_second", "processed"] == 0
    assert found["emotiny_faces",] == 0
    assert ("emotiny_last_frame_timestamp_seconds",) not in found
    assert ("emotiny_build_info", os.uname().machine, sys.version.split()[0], edge.__version__) in found
    # Of the process, for leaks.
    assert 10e6 < found["process_resident_memory_bytes",] < 4e9
    assert found["process_open_fds",] > 3


def test_all_that_a_run_says(sink, clock, frame_and_report):
    for number in range(3):
        sink.send(*frame_and_report(number, ONE, OTHER))
    clock.now += 2
    before_s = time.time()
    found = scrape(sink.port)
    assert found["emotiny_frames_processed_total",] == 3
    assert found["emotiny_frames_dropped_total",] == 3
    assert found["emotiny_frames_per_second", "processed"] == 14.123456
    assert found["emotiny_frames_per_second", "captured"] == 29.97
    assert found["emotiny_camera_up",] == 1
    assert before_s - 2 <= found["emotiny_last_frame_timestamp_seconds",] <= time.time() - 2
    assert found["emotiny_board_temperature_celsius",] == 61.5
    reasons = {key[1]: value for key, value in found.items() if key[0] == "emotiny_board_throttled"}
    assert reasons == {
        "under_voltage": 1,
        "frequency_capped": 0,
        "throttled": 0,
        "soft_temperature_limit": 1,
    }


def by_label(found):
    return {key[1:]: value for key, value in found.items() if key[0] == "emotiny_faces_by_label"}


def test_faces_come_and_go(sink, frame_and_report):
    sink.send(*frame_and_report(0, ONE, OTHER))
    frame, report = frame_and_report(1, ONE)
    unsure = replace(report.faces[0], emotion=replace(report.faces[0].emotion, label=UNCERTAIN))
    seen = [by_label(scrape(sink.port))]
    sink.send(frame, replace(report, faces=(unsure,)))
    seen.append(by_label(scrape(sink.port)))
    sink.send(*frame_and_report(2))
    seen.append(by_label(scrape(sink.port)))
    # The labels are always the same ones, whoever comes.
    kinds = {("apparent_gender", label) for label in (*GENDERS, UNCERTAIN)} | {
        ("emotion", label) for label in (*EMOTIONS, UNCERTAIN)
    }
    assert all(set(found) == kinds for found in seen)
    assert [{key: value for key, value in found.items() if value} for found in seen] == [
        {("emotion", "happy"): 2, ("apparent_gender", "female"): 2},
        {("emotion", UNCERTAIN): 1, ("apparent_gender", "female"): 1},
        {},
    ]


@pytest.mark.parametrize(("why", "camera", "reading"), [("gone", 0, 1), ("off", 1, 0)])
def test_nobody_is_seen_while_nothing_is_read(sink, frame_and_report, why, camera, reading):
    sink.send(*frame_and_report(0, ONE))
    sink.idle(why)
    found = scrape(sink.port)
    assert (found["emotiny_camera_up",], found["emotiny_reading_enabled",]) == (camera, reading)
    assert found["emotiny_faces",] == sum(by_label(found).values()) == 0
    assert found["emotiny_frames_per_second", "processed"] == 0
    assert found["emotiny_frames_processed_total",] == 1
    sink.idle("tick")
    assert scrape(sink.port)["emotiny_camera_up",] == camera
    sink.send(*frame_and_report(1, ONE))
    found = scrape(sink.port)
    assert found["emotiny_camera_up",] == found["emotiny_reading_enabled",] == found["emotiny_faces",] == 1


def test_a_camera_that_is_gone_while_reading_is_off(sink):
    sink.idle("off")
    sink.idle("gone")
    found = scrape(sink.port)
    assert (found["emotiny_camera_up",], found["emotiny_reading_enabled",]) == (0, 0)
    sink.idle("off")
    assert scrape(sink.port)["emotiny_camera_up",] == 1


def test_an_old_rate_is_none(sink, clock, frame_and_report):
    sink.send(*frame_and_report(0, ONE))
    clock.now += 5.1
    found = scrape(sink.port)
    assert found["emotiny_frames_per_second", "processed"] == 0
    assert found["emotiny_faces",] == 1  # one frame in ten seconds is a rate, too, and its face is there
    assert time.time() - found["emotiny_last_frame_timestamp_seconds",] >= 5.1


def test_the_board_is_asked_when_prometheus_asks(sink, board):
    board.now = BoardState()
    found = scrape(sink.port)
    assert ("emotiny_board_temperature_celsius",) not in found
    assert found["emotiny_board_throttled", "throttled"] == 0


def test_nobody_has_a_number_here(sink, frame_and_report):
    """However many people come, there are no more series."""
    sink.send(*frame_and_report(0, ONE))
    before = set(scrape(sink.port))
    frame, report = frame_and_report(1, *[ONE] * 30)
    faces = tuple(replace(face, id=1000 + face.id) for face in report.faces)
    sink.send(frame, replace(report, faces=faces, rates=Rates(1.0, 1.0, 10**12)))
    found = scrape(sink.port)
    assert set(found) == before
    assert found["emotiny_faces",] == 30
    assert found["emotiny_frames_dropped_total",] == 10**12


def test_names_are_as_prometheus_wants_them(sink, frame_and_report):
    sink.send(*frame_and_report(0, ONE))
    families = list(text_string_to_metric_families(fetch(sink.port)))
    ours = {family.name: family for family in families if family.name.startswith("emotiny_")}
    assert len(ours) == 11
    for name, family in ours.items():
        assert family.documentation.endswith("."), name
        assert (family.type == "counter") == all(each.name.endswith("_total") for each in family.samples)


def test_it_is_asked_over_openmetrics_as_well(sink):
    request = urllib.request.Request(
        f"http://127.0.0.1:{sink.port}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
    )
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        assert answer.read().endswith(b"# EOF\n")


# The port.


def test_it_is_told_over_ipv6():
    try:
        sink = MetricsSink(MetricsSettings(address="::1"))
    except OutputError:
        pytest.skip("this machine has no IPv6")
    assert "emotiny_camera_up 0.0" in fetch(sink.port, "[::1]")
    sink.close()


def test_a_closed_sink_frees_its_port(sink):
    settings = MetricsSettings(sink.port)
    with pytest.raises(OutputError, match=rf"metrics 127\.0\.0\.1 port {sink.port}: another program listens"):
        MetricsSink(settings)
    fetch(sink.port)
    sink.close()
    with pytest.raises(urllib.error.URLError):
        fetch(settings.port)
    again = MetricsSink(settings)
    assert "emotiny_camera_up" in fetch(settings.port)
    again.close()


def test_a_client_that_says_nothing_holds_nobody_up_for_long(sink, capfd):
    with (
        socket.create_connection(("127.0.0.1", sink.port)),
        socket.create_connection(("127.0.0.1", sink.port)) as half,
    ):
        half.sendall(b"GET /metrics HT")
        assert "emotiny_camera_up" in fetch(sink.port)  # after two limits of two seconds
    assert sum(thread.name == "metrics" for thread in threading.enumerate()) == 1
    assert capfd.readouterr().err == ""


def test_a_client_that_says_nothing_does_not_keep_the_port(monkeypatch):
    # So long that only closing the port without waiting for the client can be in time.
    monkeypatch.setattr(edge.output.prometheus.server._Handler, "timeout", LIMIT_S)
    sink = MetricsSink(MetricsSettings())
    thread = next(each for each in threading.enumerate() if each.name == "metrics")
    with socket.create_connection(("127.0.0.1", sink.port)) as silent:
        silent.sendall(b"GET")
        began_s = time.monotonic()
        sink.close()
        assert time.monotonic() - began_s < LIMIT_S / 2
        MetricsServer(MetricsSettings(sink.port), lambda environ, start: []).close()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"POST / HTTP/1.0\r\n\r\n", b"\r\n", b"A" * 70_000]
)
def test_what_is_no_question_is_survived(sink, sent, capfd):
    with socket.create_connection(("127.0.0.1", sink.port)) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(LIMIT_S)
        try:
            while client.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert "emotiny_camera_up" in fetch(sink.port)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"port": -1}, "metrics port -1: must be 0"),
        ({"port": 65536}, "metrics port 65536: must be 0"),
        ({"address": "localhost"}, "metrics address 'localhost': expected an address of this device"),
        ({"address": ""}, "metrics address ''"),
    ],
)
def test_settings_that_cannot_be(more, said):
    with pytest.raises(ConfigError) as caught:
        MetricsSettings(**more)
    assert said in str(caught.value)


def test_an_address_of_another_machine_may_become_this_one_s():
    # It is of those kept for documentation. Exit code 4: with DHCP it may come later, so systemd tries again.
    with pytest.raises(OutputError, match=r"metrics 192\.0\.2\.1 port 9: .*address of this device"):
        MetricsSink(MetricsSettings(9, "192.0.2.1"))


def test_a_port_of_root(without_rights, options):
    done = without_rights(
        "-m", "edge", "run", "--source", "demo", "--metrics-port", "80", "--max-frames", "1", *options
    )
    if "80: another program" in done.stderr or done.returncode == 0:
        pytest.skip("here everybody may listen at port 80, or somebody does")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "metrics 127.0.0.1 port 80: only root may listen there; expected metrics.port from 1024 on"
    )


# The command.


def test_a_taken_port_is_one_line_and_exit_code_4(options, sink, capsys):
    """Not 2, after which systemd would not try again: whoever has the port may let it go."""
    assert main(["run", "--source", "demo", "--metrics-port", str(sink.port), *options]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert f"metrics 127.0.0.1 port {sink.port}: another program listens there (`sudo ss -ltnp" in line


def test_without_the_package_it_says_what_to_install(monkeypatch, options, capsys):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "edge.output.prometheus.sink", raising=False)
    assert main(["run", "--source", "demo", "--metrics-port", "9", *options]) == 2
    assert "pip install 'prometheus-client>=0.16'" in capsys.readouterr().err


def test_the_package_is_imported_only_where_it_is_wanted(options):
    code = (
        "import sys; from edge.cli.main import main; code = main(sys.argv[1:]); "
        "print(code, 'prometheus_client' in sys.modules, 'wsgiref' in sys.modules, file=sys.stderr)"
    )
    run = ["run", "--source", "demo", "--fast", "--max-frames", "3", *options]
    for more, said in (([], "0 False False"), (["--metrics-port", str(free_port())], "0 True True")):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *run, *more],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.stderr.splitlines()[-1] == said, done.stderr


class Run:
    """The command in a process of its own, with a file of settings that can be changed."""

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

    def said(self):
        return self.path.with_suffix(".log").read_text()

    def until(self, what):
        """Asks until the answer is not None, and gives it."""
        until_s = time.monotonic() + LIMIT_S
        while (answer := what()) is None:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until_s, self.said()
            time.sleep(0.02)
        return answer


def figure(port, name):
    """What it says, None where nobody answers."""
    try:
        return scrape(port)[name,]
    except urllib.error.URLError:
        return None


def processed(port):
    """How many frames it says it processed, None before the first."""
    return figure(port, "emotiny_frames_processed_total") or None


@pytest.fixture
def running(tmp_path, options):
    port = free_port()
    run = Run(tmp_path / "config.toml", options, port)
    yield run, port
    run.process.kill()
    run.process.wait(LIMIT_S)


def test_a_run_is_asked_and_a_reload_opens_another_port(running, sink):
    run, first = running
    count = run.until(lambda: processed(first))
    assert run.until(lambda: (processed(first) or 0) > count or None)
    # A port that somebody has is not taken: all goes on as it was.
    run.reload(sink.port)
    run.until(lambda: f"port {sink.port}: another program listens" in run.said() or None)
    count = processed(first)
    assert run.until(lambda: (processed(first) or 0) > count or None)
    # A free one is, and the old one is free again.
    second = free_port()
    run.reload(second)
    assert run.until(lambda: processed(second))
    socket.create_server(("127.0.0.1", first)).close()
    # The same port at another address, which is its own and cannot be tried before; then none at all.
    run.reload(second, "0.0.0.0")
    run.until(lambda: run.said().count("restarting with new settings") == 2 or None)
    assert run.until(lambda: processed(second))
    run.reload(0)
    run.until(lambda: run.said().count("restarting with new settings") == 3 or None)
    run.until(lambda: None if processed(second) else True)
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(LIMIT_S) == 0
    assert "Traceback" not in run.said()
    assert "Warning" not in run.said()


def test_a_camera_that_is_gone_is_told(running):
    run, port = running
    assert run.until(lambda: processed(port))
    assert scrape(port)["emotiny_camera_up",] == 1
    run.reload(port, source="/dev/video97")
    run.until(lambda: "/dev/video97: no such device" in run.said() or None)
    run.until(lambda: figure(port, "emotiny_camera_up") == 0 or None)
    assert scrape(port)["emotiny_frames_processed_total",] == 0
    run.reload(port)
    assert run.until(lambda: processed(port))
    assert scrape(port)["emotiny_camera_up",] == 1
