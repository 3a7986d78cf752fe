"""What several tests of edge/ look at: the tiny networks, a picture with a face, reports of it, brokers."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.inference.classifier import Classifier, FaceReader
from edge.labels import EMOTIONS, GENDERS
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from edge.types import Box, Detection, Face, Frame, Gray, Rates, Reading, Report, Scores
from tests.support.broker import Broker, Listener
from tests.support.certificates import make_certificates
from tests.support.faces import FACE_BOX, picture_of


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """Puts back what a command that runs in this process sets."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


@pytest.fixture(scope="session", params=EMOTIONS)
def each_face(request) -> Gray:
    return picture_of(request.param)


@pytest.fixture(scope="session")
def happy() -> Gray:
    return picture_of("happy")


@pytest.fixture(scope="session")
def face_box() -> Box:
    return FACE_BOX


@pytest.fixture(scope="session")
def models() -> Path:
    return Path(__file__).parents[1] / "models"


@pytest.fixture(scope="session")
def reader(models: Path) -> FaceReader:
    return FaceReader(
        Classifier(models / "tiny_emotion.json", "emotion"), Classifier(models / "tiny_gender.json", "gender")
    )


@pytest.fixture
def frame_and_report() -> Callable[..., tuple[Frame, Report]]:
    """Makes a frame with as many faces as boxes are given, and the report about it."""

    def make(number: int, *boxes: Box, time_s: float | None = None, size_wh=(320, 240)):
        emotion = Scores(EMOTIONS, (0.01, 0.02, 0.03, 0.81234, 0.04, 0.05, 0.03766))
        gender = Scores(GENDERS, (0.25, 0.75))
        readings = Reading("happy", emotion, emotion), Reading("female", gender, gender)
        faces = tuple(Face(id_, Detection(box), *readings) for id_, box in enumerate(boxes, start=1))
        at_s = number / 12 if time_s is None else time_s
        frame = Frame(number, at_s, np.full((size_wh[1], size_wh[0]), 90, np.uint8))
        return frame, Report(number, at_s, Rates(29.97, 14.123456, 3), faces, brightness=0.4)

    return make


@pytest.fixture
def without_rights() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a process that may do what files' modes let it do and no more, as root, too."""
    prefix = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv (util-linux) may do everything")
        prefix = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, *arguments],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def listener(broker):
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture
def sink_on():
    """Makes sinks, and closes them."""
    made = []

    def make(port, **more):
        settings = {"host": "127.0.0.1", "port": port, "device": "kitchen", "interval_s": 0.0, **more}
        switch = settings.pop("switch", lambda on: None)
        backoff = settings.pop("backoff", None)
        made.append(MqttSink(MqttSettings(**settings), switch, backoff=backoff))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def locked_with(tmp_path):
    """Starts brokers with passwords, of which each user has "secret of NAME", and an access list."""
    made = []

    def start(access):
        passwords = tmp_path / "passwords"
        passwords.touch()
        tool = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
        for name in ("kitchen", "ear"):
            subprocess.run([tool, "-b", str(passwords), name, f"secret of {name}"], check=True)
        (tmp_path / "access").write_text(access)
        made.append(Broker(tmp_path, f"password_file {passwords}", f"acl_file {tmp_path / 'access'}"))
        return made[-1]

    yield start
    for broker in made:
        broker.kill()


@pytest.fixture
def locked(locked_with):
    """Kitchen may say what is its own, and no more."""
    return locked_with(
        "user ear\ntopic read #\n\n"
        "user kitchen\ntopic readwrite emotiny/kitchen/#\ntopic write homeassistant/device/#\n"
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A folder with an authority, and certificates that it signed."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture
def encrypted_with(authority, tmp_path):
    """Starts brokers with a certificate, by its name, and lines of their own."""
    made = []

    def start(name, *lines):
        files = (
            f"{key} {authority / file}"
            for key, file in (("cafile", "ca.crt"), ("certfile", f"{name}.crt"), ("keyfile", f"{name}.key"))
        )
        made.append(Broker(tmp_path, *files, *lines))
        return made[-1]

    yield start
    for broker in made:
        broker.kill()


@pytest.fixture
def encrypted(encrypted_with):
    """A broker that wants a certificate of the device, too."""
    return encrypted_with(
        "server", "require_certificate true", "use_identity_as_username true", "allow_anonymous true"
    )
