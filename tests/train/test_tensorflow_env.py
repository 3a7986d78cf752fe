"""The environment that TensorFlow reads."""

import os

import pytest

from edge.errors import ConfigError
from train.tensorflow_env import set_threads

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment without these variables, restored afterwards."""
    for name in (*THREADS, "TF_NUM_INTEROP_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_one_thread_is_the_default():
    set_threads(None)
    assert [os.environ[name] for name in THREADS] == ["1", "1"]
    assert os.environ["TF_NUM_INTEROP_THREADS"] == "1"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_the_environment_goes_before_the_default(monkeypatch):
    for name in (*THREADS, "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "3")
    set_threads(None)
    assert [os.environ[name] for name in THREADS] == ["3", "3"]
    assert os.environ["TF_NUM_INTEROP_THREADS"] == "3"
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    set_threads(None)
    assert [os.environ[name] for name in THREADS] == ["3", "1"]


def test_the_argument_goes_before_the_environment(monkeypatch):
    for name in THREADS:
        monkeypatch.setenv(name, "3")
    set_threads(2)
    assert [os.environ[name] for name in THREADS] == ["2", "2"]


def test_no_thread_is_refused():
    with pytest.raises(ConfigError, match="--threads 0: expected 1 or more"):
        set_threads(0)
