"""The survey's numbers by hand, and a sheet on which the boxes are where they should be."""

import numpy as np
import pytest

from edge.errors import ConfigError, DataError, OutputError
from tests.support.pictures import read_picture
from tests.train.data.test_scenes import FACE, NONE, SMALL, archive
from train.cli.main import main
from train.data.scenes import load_scenes
from train.reports.scene_sheet import save_scene_sheet, survey_lines


@pytest.fixture
def path(tmp_path):
    return archive(tmp_path / "scenes.tar", [FACE, SMALL, NONE])


def test_the_survey_counts_images_and_faces(path):
    lines = list(survey_lines(load_scenes(path)))
    assert lines[:2] == [
        "train: 1 images, 0 of them without a face; 1 clear faces, 1 to ignore",
        "val: 1 images, 1 of them without a face; 0 clear faces, 0 to ignore",
    ]
    assert "clear faces of 24 to 40 pixels: 1" in lines
    assert "clear faces of 0 to 12 pixels: 0" in lines
    assert lines[-1] == "damaged images: 0"


def test_boxes_are_drawn_where_the_faces_are(path, tmp_path):
    save_scene_sheet(load_scenes(path), tmp_path / "sheet.png")
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (4 * 240, 6 * 320, 3)
    # The image of 100x80 fills a cell of 300x240, three times as large: x from 31.5, y from 60.
    green = np.argwhere((sheet[:240, :320] == (80, 220, 80)).all(axis=2))
    np.testing.assert_allclose(green.min(axis=0), np.array([60, 32]), atol=1)
    np.testing.assert_allclose(green.max(axis=0), np.array([150, 122]), atol=1)


def test_the_command_prints_and_draws(path, tmp_path, capsys):
    out = tmp_path / "new" / "scenes.png"
    assert main(["scenes", str(path), "--out", str(out)]) == 0
    assert "1 clear faces" in capsys.readouterr().out
    assert out.is_file()


def test_only_png_is_written(path, tmp_path, capsys):
    assert main(["scenes", str(path), "--out", str(tmp_path / "sheet.jpg")]) == ConfigError.exit_code
    assert "sheet.jpg: expected a file name ending in .png" in capsys.readouterr().err


def test_a_sheet_that_cannot_be_written_is_an_error(path, tmp_path):
    with pytest.raises(OutputError, match=r"none/sheet\.png: No such file"):
        save_scene_sheet(load_scenes(path), tmp_path / "none" / "sheet.png")


def test_another_set_is_refused_in_one_line(tmp_path, capsys):
    other = tmp_path / "scenes.tar"
    other.write_bytes(b"no archive")
    assert main(["scenes", str(other), "--out", str(tmp_path / "sheet.png")]) == DataError.exit_code
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "sheet.png").exists()
