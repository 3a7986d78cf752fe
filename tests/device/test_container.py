"""The images of the Dockerfile and of the app of Home Assistant, run as an engine of containers would."""

import contextlib
import json
import signal
import subprocess
import time

import pytest

import edge
from tests.device.images import TREE
from tests.device.oci import DOCKER_CAPABILITIES, Bundle, Container, Store

LIMIT_S = 60
DEMO = ("run", "--source", "demo")
NONE = "0000000000000000"


@pytest.fixture(scope="module")
def context(images, announce, cache, tmp_path_factory):
    """The store of images, and the folder that `make app` writes, which both images are built of."""
    store = Store(cache / "oci")
    if not store.has_base():
        announce("no registry answers: Debian's packages stand in for the image debian:trixie-slim")
        tree = images.userland("slim", "trixie", "amd64", ("ca-certificates",))
        store.make_base(tree, tmp_path_factory.mktemp("base"))
    subprocess.run(["make", "app"], cwd=TREE, check=True, capture_output=True)
    return store, TREE / "dist" / "app" / "emotiny"


@pytest.fixture(scope="module")
def image(context, announce):
    store, folder = context
    start_s = time.monotonic()
    built = store.build(folder, "emotiny-test", "emotiny")
    announce(f"the image is built, after {time.monotonic() - start_s:.0f} s")
    yield built
    built.close()


@pytest.fixture
def start(tmp_path):
    """Runs containers, which end with the test."""
    with contextlib.ExitStack() as stack:

        def run(bundle):
            folder = tmp_path / f"bundle{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            container = Container(bundle, folder)
            stack.callback(container.close)
            return container

        yield run


def first_line(container):
    line = container.process.stdout.readline()
    assert line, container.process.communicate(timeout=LIMIT_S)[1]
    return json.loads(line)


def test_the_image_holds_what_a_device_runs(image, record):
    for name, folder in (("size of the file system", image.root), ("/opt/emotiny in it", image.root / "opt")):
        done = subprocess.run(["du", "-sk", folder], capture_output=True, text=True, check=True)
        record(name, f"{int(done.stdout.split()[0]) / 1000:.0f} MB")
    packages = {
        path.name.partition("-")[0] for path in image.root.glob("opt/emotiny/lib/*/site-packages/*.dist-info")
    }
    assert {"emotiny", "numpy", "ai_edge_litert", "paho_mqtt"} <= packages
    assert not {"pip", "setuptools", "tensorflow", "keras", "imgaug"} & packages
    assert not (image.root / "usr/bin/pip").exists()
    assert image.config["User"] == "emotiny"


def test_it_runs_without_rights_on_a_file_system_that_cannot_be_written(image, start, record):
    container = start(Bundle(image, [*DEMO, "--output", "jsonl"]))
    assert first_line(container)["frame"] == 0
    record("start to first report", f"{time.monotonic() - container.started_s:.1f} s")
    status = container.status()
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Groups"] == "44"  # Debian's group video
    assert [status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == [NONE] * 4
    assert status["NoNewPrivs"] == "1"
    record(
        "user, CapEff, NoNewPrivs", f"{status['Uid'].split()[0]}, {status['CapEff']}, {status['NoNewPrivs']}"
    )
    record("memory of the run", f"{int(status['VmRSS'].split()[0]) / 1000:.0f} MB")
    code, said = container.execute("touch", "/tmp/new")
    assert code == 1 and "Read-only file system" in said
    container.signal(signal.SIGTERM)
    _, err = container.process.communicate(timeout=LIMIT_S)
    assert container.process.returncode == 0, err
    assert "Traceback" not in err


def test_its_health_is_that_of_the_loop(image, start, record):
    container = start(Bundle(image, DEMO, {"WATCHDOG_USEC": "3000000"}))
    deadline_s = time.monotonic() + LIMIT_S
    while (health := container.check_health())[0] and time.monotonic() < deadline_s:
        pass  # it takes as long as the check waits
    start_s = time.monotonic()
    assert container.check_health()[0] == 0, health
    record("a check of a run that is alive", f"{time.monotonic() - start_s:.2f} s")
    container.signal(signal.SIGSTOP)
    assert container.check_health() == (1, "no sign of life within 3 s")
    container.signal(signal.SIGCONT)
    assert container.check_health()[0] == 0


def test_its_standard_output_is_stored_and_gets_no_readings(image, start):
    container = start(Bundle(image, [*DEMO, "--max-frames", "20"]))
    out, err = container.process.communicate(timeout=LIMIT_S)
    assert container.process.returncode == 0, err
    assert out == ""


def test_the_app_runs_without_the_rights_it_was_started_with(context, start, tmp_path, record):
    store, folder = context
    app = store.build(folder, "emotiny-app-test", "")
    data = tmp_path / "data"
    data.mkdir()
    options = {"source": "demo", "device": "hall", "mqtt_host": "127.0.0.1", "mqtt_password": "only for us"}
    (data / "options.json").write_text(json.dumps(options))
    (data / "options.json").chmod(0o600)
    try:
        assert app.user()["uid"] == 0
        more = {"SUPERVISOR_TOKEN": "token", "EMOTINY_OUTPUT": "jsonl"}
        container = start(
            Bundle(
                app,
                (),
                more,
                DOCKER_CAPABILITIES,
                no_new_privileges=False,
                read_only=False,
                mounts={"/data": data},
            )
        )
        assert first_line(container)["frame"] == 0
        status = container.status()
        assert status["Uid"].split() == ["10001"] * 4
        assert [status[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")] == [NONE] * 4
        assert status["NoNewPrivs"] == "1"
        record(
            "the app: user, CapEff, CapBnd",
            f"{status['Uid'].split()[0]}, {status['CapEff']}, {status['CapBnd']}",
        )
        assert container.command_line().rstrip().endswith("emotiny run")
        code, listing = container.execute("sh", "-c", "ls -ln /dev/shm/emotiny-*")
        assert code == 0 and "-rw------- 1 10001 " in listing
        assert container.check_health()[0] == 0
        assert container.execute("emotiny", "--version") == (0, f"emotiny {edge.__version__}")
        container.signal(signal.SIGTERM)
        _, err = container.process.communicate(timeout=LIMIT_S)
        assert container.process.returncode == 0, err
        assert "only for us" not in err
    finally:
        app.close()
