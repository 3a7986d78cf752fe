"""`measure` computes an accuracy, which networks that find faces do not have."""

import shutil

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.cli.main import main  # noqa: E402


def test_a_network_that_finds_faces_is_refused_in_one_line(face_run, tmp_path, monkeypatch, capsys):
    shutil.copytree(face_run, tmp_path / "proposal")
    monkeypatch.setattr("quantize.cli.measure.load_located", None)
    assert main(["measure", "proposal", "--runs", str(tmp_path)]) == ConfigError.exit_code
    assert "finds faces; expected a network that reads a face" in capsys.readouterr().err


def test_of_a_group_only_those_that_read_a_face_are_measured(
    face_run, toy_run, toy, tmp_path, monkeypatch, capsys
):
    for name in ("proposal", "emotion"):
        shutil.copytree(face_run if name == "proposal" else toy_run, tmp_path / name)
    monkeypatch.setattr("quantize.cli.measure.GROUPS", {"shipped": ("emotion", "proposal")})
    monkeypatch.setattr("quantize.cli.measure.load_located", lambda *_: toy)
    measured = []
    monkeypatch.setattr("quantize.cli.measure.measure_run", lambda folder, data: measured.append(folder.name))
    assert main(["measure", "shipped", "--runs", str(tmp_path)]) == 0
    assert measured == ["emotion"]
