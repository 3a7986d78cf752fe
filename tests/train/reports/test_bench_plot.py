"""`python -m train bench-plot`: the picture of what `bench --scenes --json` wrote."""

import pytest

from edge.bench import scenes as bench
from edge.bench.results import Results, to_json
from edge.errors import ConfigError, OutputError
from tests.support.pictures import read_picture
from train.cli.main import main
from train.reports.bench_plot import Scene, read_scenes, save_scenes_png

TAIL = bench.Tail(1.0, 2.0, 2.5, 3.0)
MEASURED = [
    bench.Scene(
        faces,
        size_wh,
        threads,
        {"a": 30.0 + faces, "b": 20.0 + faces, "c": 1.0 + faces},
        TAIL,
        {"propose": TAIL, "rest": TAIL},
        0.2,
        faces,
    )
    for threads in (1, 2)
    for size_wh in ((320, 240), (640, 480))
    for faces in (0, 4)
]
SCENES = [
    Scene(
        scene.faces,
        scene.size_wh,
        scene.threads,
        scene.ms,
        vars(scene.frame),
        {stage: vars(tail) for stage, tail in scene.stages.items()},
    )
    for scene in MEASURED
]


def test_the_command_draws_the_scenes_of_a_results_file(tmp_path):
    results, out = tmp_path / "bench.json", tmp_path / "scenes.png"
    results.write_text(to_json(Results({}, scenes=MEASURED)))
    assert main(["bench-plot", str(results), str(out)]) == 0
    picture = read_picture(out)
    assert picture is not None
    assert picture.shape[1] > picture.shape[0] > 300


def test_scenes_are_read_as_the_bench_wrote_them(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(to_json(Results({}, scenes=MEASURED)))
    assert read_scenes(path) == SCENES


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "bench.json"
    path.write_text('{"version": 2, "scenes": []}')
    with pytest.raises(ConfigError, match="results of version 2; expected 1"):
        read_scenes(path)


def test_only_scenes_with_the_fewest_threads_are_drawn(tmp_path):
    save_scenes_png(SCENES, tmp_path / "all.png")
    save_scenes_png([scene for scene in SCENES if scene.threads == 1], tmp_path / "one.png")
    assert (read_picture(tmp_path / "all.png") == read_picture(tmp_path / "one.png")).all()


@pytest.mark.parametrize("content", [to_json(Results({})), '{"version": 1, "scenes": [{"faces": 1}]}', "{}"])
def test_a_file_without_scenes_is_refused(tmp_path, capsys, content):
    path = tmp_path / "bench.json"
    path.write_text(content)
    assert main(["bench-plot", str(path), str(tmp_path / "x.png")]) == ConfigError.exit_code
    assert "bench.json: no " in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["bench.json"]


def test_only_png_is_written(tmp_path, capsys):
    assert main(["bench-plot", "bench.json", "x.xyz"]) == ConfigError.exit_code
    assert "x.xyz: expected a file name ending in .png" in capsys.readouterr().err


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OutputError, match=r"none/x\.png: No such file"):
        save_scenes_png(SCENES, tmp_path / "none" / "x.png")
